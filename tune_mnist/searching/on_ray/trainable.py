"""The adapter from training functions to Ray Tune: the only Ray that a trial knows.

A trial's process is reused for the next trial. What a training leaves in the process (threads, GPU
memory) is reset or freed by `training/model.py`.
"""

from __future__ import annotations

import faulthandler
import json
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_mnist.code_hash import code_hash
from tune_mnist.datasets import Dataset
from tune_mnist.models.registry import usual_device
from tune_mnist.provenance import cpu_name, gpu_name, host, versions
from tune_mnist.searching.on_ray.own_code import OwnCode, arrive
from tune_mnist.searching.on_ray.saving.carrying import carry, sender_on
from tune_mnist.searching.on_ray.saving.states import NodeStates
from tune_mnist.searching.on_ray.saving.writing import keep_of
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.on_ray.shared_gram import NodeFolder
from tune_mnist.searching.planning.plan import views
from tune_mnist.spaces import Config, Device, Space, searched_in
from tune_mnist.training.ladder import train_ladder
from tune_mnist.training.latency import timing
from tune_mnist.training.measurement import Measurement, Report, Save
from tune_mnist.training.model import find_model
from tune_mnist.training.options import Keep, TrainOptions
from tune_mnist.wording import error_text


@dataclass(frozen=True)
class Shared:
    """What all trials of a search have in common.

    Args:
        data: the data set; in a trial its arrays are read-only, in Ray's object store.
        space: whose configurations may run, by its model's training function; the seed of its
            search is that of every trial that names none.
        device: of every configuration that names none.
        gram: where the matrix of inner products is that SVMs share; None if they share none.
        lengths: epochs at which a longer training also reports what a shorter one would have.
        rungs: ascending fractions of the training images that each trial trains on in turn.
        save_every_s: least seconds between two saved states of a trial; 0 saves one with each
            measurement, None saves none.
        versions: of the driver's libraries, on a cluster, whose nodes may have others; else None.
        code: of models of your own.
        candidates: the folder for models that may be kept; None keeps none.
        keep_models: how many of the best trials keep their models.
        driver: on a cluster, Ray's id of the driver's node, to and from which saved states are
            brought (saving/states.py); None leaves them to Tune.
    """

    data: Dataset
    space: Space
    device: Device
    gram: Path | NodeFolder | None
    lengths: tuple[int, ...] = ()
    rungs: tuple[float, ...] = ()
    save_every_s: float | None = None
    versions: dict[str, str] | None = None
    code: tuple[OwnCode, ...] = ()
    candidates: Path | None = None
    keep_models: int = 0
    driver: str | None = None


_STATES = NodeStates()
"""Of this process."""


def run_trial(trial: dict[str, Any], shared: Shared) -> None:
    """Train one configuration and report each measurement to Ray Tune.

    It continues from the checkpoint that Tune has for it, if any, else from the trial's "restore".

    Args:
        trial: what a searcher suggested: "number", "hyperparameters", "seed" where a
            configuration runs on several, "restore", the folder of a saved state, if it was
            interrupted, "seconds", after which its process ends, whatever it is doing, and "bar",
            the best trials so far, which its model has to beat.
        shared: put once into Ray's object store by `tune.with_parameters`.

    Raises: ValueError: the space does not contain the configuration, whoever made it.
    """
    import ray
    from ray import tune

    arrive(shared.code)
    model, device, config = _asked(trial["hyperparameters"], shared)
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1.0)
    where = _where(shared, model, device)

    _STATES.forget()
    due = time.monotonic() + (shared.save_every_s or 0)

    def report(measurement: Measurement, save: Save | None) -> None:
        nonlocal due
        result: dict[str, Any] = {**measurement, **where}
        if save is None or shared.save_every_s is None or time.monotonic() < due:
            tune.report(result)
            return
        _report_with_state(result, save, shared.driver)
        due = time.monotonic() + shared.save_every_s

    threads = max(1, int(cpus))
    options = TrainOptions(
        device="cuda" if device == "gpu" else "cpu",
        seed=trial.get("seed", shared.space.search.seed),
        threads=threads,
        lengths=shared.lengths,
        gram_dir=_shared_gram(shared, model, threads),
        keep=_on_each_model(trial, shared, model),
    )

    def train(config: Config, report: Report, options: TrainOptions) -> Measurement:
        return find_model(model).train(config, shared.data, report, options)

    def at_rung(rung: float, ignore: Report) -> Measurement:
        own = options if rung == shared.rungs[-1] else replace(options, keep=None)
        return train({**config, "train_fraction": rung}, ignore, own)

    state = _saved_state(trial, shared.driver)
    with _ends_within(trial.get("seconds")), state as restore, _told_errors():
        if shared.rungs:
            train_ladder(at_rung, shared.rungs, report)
        else:
            train(config, report, replace(options, restore=restore))


def _report_with_state(result: dict[str, Any], save: Save, driver: str | None) -> None:
    from ray import tune

    if driver:
        tune.report({**result, "state": _STATES.write(save)})
        return
    with scratch_folder() as folder:
        save(folder)
        tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))  # copies it


def _asked(given: Config, shared: Shared) -> tuple[str, Device, Config]:
    """Return the model and the device of a configuration, and the rest of it.

    Raises: ValueError: the space does not contain it.
    """
    space = shared.space
    if searched_in(space, given, shared.device) is None:
        raise ValueError(f"{given} is not in the search space")
    model, config = space.model_of(given), space.hyperparameters(given)
    device: Any = config.pop("device", usual_device(model, shared.device))
    return model, device, config


def _on_each_model(trial: dict[str, Any], shared: Shared, model: str) -> Keep | None:
    """Return what times each finished model, and saves it if it may be among the best."""
    save = keep_of(trial, shared.space, shared.candidates, shared.keep_models)
    predictor = find_model(model).predictor
    return save if predictor is None else timing(predictor, save)


def _where(shared: Shared, model: str, device: Device) -> dict[str, str]:
    """Return what the row says of the machine that trains, as far as it is not the driver's."""
    where = {"device": gpu_name() if device == "gpu" else cpu_name(), "host": host()}
    if shared.versions not in (None, versions()):
        # The code is the driver's, which has sent it here; the libraries are this machine's.
        where["versions"] = json.dumps(versions(), sort_keys=True)
        where["code_hash"] = code_hash(model)
    return where


def _shared_gram(shared: Shared, model: str, threads: int) -> Path | None:
    """Return the folder of the matrix that SVMs share, once this node has it; no trial's time
    counts this.

    Meanwhile, load the compiled code that the first training needs.
    """
    if shared.gram is None or not find_model(model).has_engines:
        return None
    from tune_mnist.training.svm.gram import build_gram
    from tune_mnist.training.svm.train import load_engine

    load_engine()
    folder = shared.gram if isinstance(shared.gram, Path) else shared.gram.here()
    for view in views(shared.space.part(model)):
        build_gram(shared.data, folder, threads, view=view)
    return folder


@contextmanager
def _ends_within(seconds: float | None) -> Iterator[None]:
    """End this process, whatever it is doing, unless the block ends within the seconds.

    Tune cannot interrupt a trial (Ray's issue 47475). faulthandler's watchdog is a thread in C that
    asks for no lock of Python's, so a trial that hangs in a library ends all the same.
    """
    if seconds is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _told_errors() -> Iterator[None]:
    """Replace an error that no other process could read by one that says the same.

    An error of a class of your own may need more arguments than its text.
    """
    try:
        yield
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(error_text(error)) from None
        raise


@contextmanager
def _saved_state(trial: dict[str, Any], driver: str | None) -> Iterator[Path | None]:
    """Give the folder of the state that the trial continues from, or None if it begins.

    Args:
        trial: as `run_trial` receives it.
        driver: as `Shared` has it.
    """
    from ray import tune

    checkpoint = tune.get_checkpoint()
    given = Path(trial["restore"]) if trial.get("restore") else None
    if given and driver:
        with scratch_folder() as folder:
            carry(given, sender_on(driver), folder / "state", "saved state")
            yield folder / "state"
        return
    if checkpoint is None:
        yield given
        return
    with checkpoint.as_directory() as folder:
        yield Path(folder)
