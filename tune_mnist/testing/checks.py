"""The rules that a search relies on: one function each, which yields a line for each break."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.models.own import place_in_own_code
from tune_mnist.testing.subject import ONE_THREAD, Run, Subject, made_images, without_times
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.model import Model
from tune_mnist.training.own.measured import wrong
from tune_mnist.training.saved_state import is_whole
from tune_mnist.wording import error_text

_ROUNDED = 0.1  # of the images may lie between two classes, and be rounded either way

Check = Callable[[Subject], Iterator[str]]


class _Stopped(Exception):  # noqa: N818 - it is what a scheduler does, and no error
    """Ends a training from inside `report`, as Ray Tune does."""


def trains(subject: Subject) -> Iterator[str]:
    """It trains its default configuration, on images that cannot be written to."""
    try:
        run = subject.first
    except Exception as error:  # whatever a stranger's code raises
        subject.raised = error
        yield f"it does not train: {error_text(error)}{place_in_own_code(error)}"
        return
    if not run.reports:
        yield "it reports nothing"


def measures_right(subject: Subject) -> Iterator[str]:
    """Its measurements are whole, in order, true fractions, and end with the test images."""
    run, before = subject.first, None
    if run.reports[0].get("step") != 1:
        yield f"its first step is {run.reports[0].get('step')}, not 1"
    for number, measurement in enumerate(run.reports, 1):
        for line in wrong(measurement, before, subject.data):
            yield f"report {number}: {line}"
            return
        before = measurement
    if run.reports[-1] != run.last:
        yield "it returns another measurement than it reported last"
    if "test_accuracy" not in run.last:
        yield "its last measurement has no test_accuracy; without one it counts as stopped early"
    if run.last["wall_time_s"] > run.seconds * 1.1 + 0.05:
        took = f"{run.seconds:.2f} s"
        yield f"its wall_time_s is {run.last['wall_time_s']:.2f} s, and the training took {took}"
    epochs = subject.config.get("epochs")
    if epochs is not None and run.last["step"] == 1 and int(epochs) > 1:
        yield f"it reports once in {epochs} epochs, so no scheduler can stop it in between"
    losses = {"train_loss", "val_loss"} & run.last.keys()
    if subject.model.has_loss and len(losses) < 2:
        yield "it says that it has a loss (has_loss), and reports no train_loss or no val_loss"


def repeats_itself(subject: Subject) -> Iterator[str]:
    """The same seed gives the same result, and every seed does if it says that none matters.

    Its surroundings are as before: the images, the threads, the random generators.
    """
    data_before = _digest(subject.data)
    with _two_threads():
        before = _process()
        again = subject.run()
        after = _process()
    if _results(again) != _results(subject.first):
        which = _differing(subject.first, again)
        yield f"two trainings with one seed differ in {which}; draw from a generator with its seed"
    for what, was in before.items():
        if after[what] != was:
            yield f"it leaves {what} changed: was {was}, is {after[what]}"
    if _digest(subject.data) != data_before:
        yield "it changes the images or the labels that it is given"
    if not subject.model.seeded:
        other = subject.run(options=replace(ONE_THREAD, seed=1))
        if _results(other) != _results(subject.first):
            yield "it says that the seed changes nothing (seeded=False), and another seed does"


def keeps_its_configuration(subject: Subject) -> Iterator[str]:
    """The mapping that it receives stays as it is: other trials may share it."""
    given = dict(subject.config)
    with suppress(Exception):  # `can_be_stopped` names any other than ours
        subject.model.train(given, subject.data, _stop, ONE_THREAD)
    if given != subject.config:
        yield f"it changes its configuration: was {subject.config}, is {given}"


def can_be_stopped(subject: Subject) -> Iterator[str]:
    """An exception that `report` raises ends the training: that is how a scheduler stops it."""
    try:
        subject.model.train(dict(subject.config), subject.data, _stop, ONE_THREAD)
    except _Stopped:
        return
    except Exception as error:
        yield f"where `report` raises, it raises {error_text(error)} instead of letting it through"
        return
    yield "it catches what `report` raises, so no scheduler can stop it; let that through"


def takes_other_images(subject: Subject) -> Iterator[str]:
    """Three classes and colour work, or it says that they do not (`NotImplementedError`)."""
    for colour, words in ((True, "3 classes in colour"), (False, "3 classes in grey")):
        data = made_images(classes=3, colour=colour)
        try:
            run = subject.run(data)
        except (NotImplementedError, InputError):
            continue  # said clearly; perhaps it takes grey
        except Exception as error:
            fix = "raise NotImplementedError with a reason if it is not meant to work"
            yield f"{words}: {error_text(error)}{place_in_own_code(error)}; {fix}"
            return
        for line in wrong(run.last, None, data) if len(run.reports) == 1 else ():
            yield f"{words}: {line}"
        return


def can_be_taken_home(subject: Subject) -> Iterator[str]:
    """What it hands over predicts one image as it predicts many; a saved one can be read again."""
    model, fitted = subject.model, subject.first.fitted
    if fitted is None or model.predictor is None:
        return
    try:
        predict, images = model.predictor(fitted).build(), subject.data.val.images
        one_by_one = np.concatenate([predict(images[i : i + 1]) for i in range(len(images))])
    except Exception as error:
        yield f"it does not predict a single image: {error_text(error)}{place_in_own_code(error)}"
        return
    if (one_by_one != fitted.predicted).mean() > _ROUNDED:
        yield "it predicts an image by itself as another class than among others"
    yield from _saved(model, fitted)


def _saved(model: Model, fitted: Fitted) -> Iterator[str]:
    if model.save is None or model.load is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(fitted, Path(folder))
        except ValueError:
            return  # it cannot be saved, and a search says why
        try:
            model.load(Path(folder))
        except Exception as error:
            yield f"its saved model cannot be read: {error_text(error)}{place_in_own_code(error)}"


def continues(subject: Subject) -> Iterator[str]:
    """A training that continues from a saved state ends as the one that was never interrupted."""
    saves = [save for save in subject.first.saves if save]
    if not subject.model.resumable:
        if saves:
            yield "it saves states, and does not say so (resumable=True)"
        return
    if not saves:
        yield "it says that it saves states (resumable), and saves none"
        return
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        yield from _continued(subject, state)


CHECKS: tuple[Check, ...] = (
    measures_right,
    repeats_itself,
    keeps_its_configuration,
    can_be_stopped,
    takes_other_images,
    can_be_taken_home,
    continues,
)


def _continued(subject: Subject, folder: Path) -> Iterator[str]:
    def interrupt(save: Save | None) -> None:
        assert save
        save(folder)
        raise _Stopped

    try:
        with suppress(_Stopped):
            subject.run(on_report=interrupt)
        if not is_whole(folder):
            yield "what it saves is not a file state.pt that torch.save wrote"
            return
        rest = subject.run(options=replace(ONE_THREAD, restore=folder))
    except Exception as error:
        yield f"it does not continue from its state: {error_text(error)}{place_in_own_code(error)}"
        return
    whole = subject.first
    if len(rest.reports) != len(whole.reports) - 1:
        done = f"{len(rest.reports)} reports follow, not {len(whole.reports) - 1}"
        yield f"after a state of 1 of {len(whole.reports)} epochs {done}; loop over report.epochs()"
    elif without_times(rest.last) != without_times(whole.last):
        which = _differing(whole, rest)
        fix = "put all that changes into the state, and loop over report.epochs()"
        yield f"a training that continues from its state differs in {which} from a whole one; {fix}"
    if rest.last["wall_time_s"] < whole.reports[0]["wall_time_s"] / 10:
        yield "the times of a training that continues leave out what was spent before"


def _stop(_measurement: Measurement, _save: Save | None) -> None:
    raise _Stopped


def _results(run: Run) -> list[dict[str, object]]:
    return [without_times(one) for one in run.reports]


def _differing(one: Run, other: Run) -> str:
    ours, theirs = without_times(one.last), without_times(other.last)
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return ", ".join(names[:3]) or "what they report before the end"


@contextmanager
def _two_threads() -> Iterator[None]:
    """Give the process another number of threads than the training: so it shows if that stays."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2):
            yield
    finally:
        torch.set_num_threads(before)


def _process() -> dict[str, object]:
    """Return what a training must leave as it was."""
    import torch
    from threadpoolctl import threadpool_info

    pools = {one["filepath"]: one["num_threads"] for one in threadpool_info()}
    drawn = (random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state())
    return {
        "torch's threads": torch.get_num_threads(),
        "the threads of the BLAS": sorted(pools.values()),
        "a global random generator": hashlib.sha256(repr(drawn).encode()).hexdigest()[:8],
    }


def _digest(data: Dataset) -> str:
    digest = hashlib.sha256()
    for part in (data.train, data.val, data.test):
        digest.update(part.images.tobytes() + part.labels.tobytes())
    return digest.hexdigest()
