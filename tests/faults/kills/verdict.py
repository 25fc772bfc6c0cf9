"""How a search that was struck differs from the undisturbed one, and from what can be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.faults.kills.searches import Calm, Search, curves
from tune_mnist.errors import InputError
from tune_mnist.metrics import ACCURACY
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.store.files.place import bring_model, saved_models
from tune_mnist.winner import winner
from tune_mnist.wording import config_text


def differences(calm: Calm, search: Search) -> list[str]:
    """Return what is wrong: lost, duplicate or different trials, another winner or model, a
    traceback.

    What asha and hyperband stop depends on the order in which trials arrive. So there each
    configuration must have ended once, completed or stopped, and at each step that it reached it
    must have measured what it measures undisturbed. The winner is the best of its rows.
    """
    return [
        *_of_trials(calm, search),
        *_of_reports(calm, search),
        *_of_the_winner(calm, search),
        *_of_the_models(search),
        *contradictions(search.results, "s")[0],
        *(["traceback"] if "Traceback" in search.log() else []),
    ]


def _of_trials(calm: Calm, search: Search) -> Iterator[str]:
    found = search.ended()
    yield from (f"lost: {config}" for config in calm.rows.keys() - found.keys())
    yield from (f"of nowhere: {config}" for config in found.keys() - calm.rows.keys())
    for config in found.keys() & calm.rows.keys():
        row, expected = found[config][0], calm.rows[config]
        if len(found[config]) > 1:
            yield f"{len(found[config])} times: {config}"
        if search.kind == "svm" and row["status"] != "completed":
            yield f"{row['status']}: {config}"
        if row["status"] == "completed" and (search.kind == "svm" or row["cpus"] == 1):
            for name in ("val_accuracy", "test_accuracy"):
                if row[name] != expected[name]:
                    yield f"{name} {row[name]}, not {expected[name]}: {config}"


def _of_reports(calm: Calm, search: Search) -> Iterator[str]:
    done = {(row["trial"], row["attempt"]) for row in search.rows()}
    reports = Counter((one["trial"], one["attempt"], one["step"]) for one in search.reports())
    for (trial, attempt, step), count in reports.items():
        if count > 1 or (trial, attempt) not in done:
            yield f"{count} reports of {trial}, attempt {attempt}, step {step}"
    for (config, step), accuracy in curves(search).items():
        if accuracy != calm.curves.get((config, step), accuracy):
            yield f"{accuracy} at step {step}, not {calm.curves[config, step]}: {config}"


def _of_the_winner(calm: Calm, search: Search) -> Iterator[str]:
    completed = [
        row for rows in search.ended().values() for row in rows if row["status"] == "completed"
    ]
    best = max((row["val_accuracy"] for row in completed), default=None)
    if best is None:
        yield "nothing completed"
        return
    undisturbed = max(row["val_accuracy"] for row in calm.rows.values())
    if search.kind == "svm" and best != undisturbed:
        yield f"the winner has {best}, not {undisturbed}"
    named = [line for line in search.log().splitlines() if line.startswith("winner ")]
    winners = [config_text(row["config"]) for row in completed if row["val_accuracy"] == best]
    if not named or named[-1].removeprefix("winner ").strip() not in winners:
        yield f"it named {named[-1:]}, but the best is {winners[0]}"


def _of_the_models(search: Search) -> Iterator[str]:
    """The winner's model is there, whole, and no other."""
    best = winner(search.rows(), ACCURACY)
    kept = saved_models(search.results, "s")
    if best is not None and kept != {best["trial"]}:
        yield f"the models of {sorted(kept)} are kept, and the winner is {best['trial']}"
    for trial in kept:
        try:
            bring_model(search.results, "s", trial)
        except InputError as error:
            yield str(error)
