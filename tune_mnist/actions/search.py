"""Run a search, or resume one: store, Ray, ending."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_mnist.actions.confirm import Confirmed, confirm
from tune_mnist.actions.preparing import Prepared, prepare, prepare_resumed
from tune_mnist.actions.requests import ConfirmRequest, ResumeRequest, SearchRequest, asked
from tune_mnist.datasets import PythonData
from tune_mnist.errors import Fault, InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.resume import check_unchanged
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.run import SearchRun
from tune_mnist.searching.on_ray.session.ray_session import check_running_ray
from tune_mnist.searching.planning.forecast import Forecast
from tune_mnist.searching.stopping.ending import Outcome
from tune_mnist.spaces import config_key
from tune_mnist.store.plans import Run, SearchRecord
from tune_mnist.store.reader import check_columns
from tune_mnist.store.writer import SearchTakenError, Writer
from tune_mnist.wording import clean, config_text, duration, percent


class SearchLostError(InputError):
    """The search could not continue: the store takes no more rows, or Ray has died.

    Attributes:
        search: its name; what has finished is in the store, and it can be resumed.
    """

    def __init__(self, error: InputError, search: str) -> None:
        fix = f"what has finished is safe; resume the search {search}"
        super().__init__([*error.faults, Fault(search, "", "was ended", fix)])
        self.search = search


@dataclass(frozen=True)
class Searched:
    """How a search came out.

    Args:
        name: of the search in the store.
        results: the store's folder; of a store at an address, its copy on this machine.
        outcome: its counts, its winner and what ended it.
        seconds: wall time, with its preparation.
        forecast: how long it was expected to take; None where that was unknown.
        confirmed: its confirmation, where one was asked for.
    """

    name: str
    results: Path
    outcome: Outcome
    seconds: float
    forecast: Forecast | None = None
    confirmed: Confirmed | None = None

    @property
    def best(self) -> dict[str, Any] | None:
        """The winner's row; None if no trial satisfies what was asked."""
        return self.outcome.best

    def __repr__(self) -> str:
        """Return what a notebook shows under the cell."""
        counts = self.outcome.counts.items()
        lines = [
            f"search {self.name}: "
            + (", ".join(f"{n} {status}" for status, n in sorted(counts)) or "no trial finished")
            + f" in {duration(self.seconds)} ({self.outcome.reason})"
        ]
        if row := self.best:
            lines.append(f"winner {config_text(config_key(row['config']))}: {scores(row)}")
        return clean("\n".join(lines))


def scores(row: Mapping[str, Any]) -> str:
    """Return a finished trial's result: "validation 98.33 %, test 97.78 %, 1.20 s on ..."."""
    gave_up = ", not converged" if row.get("converged") is False else ""
    return (
        f"validation {percent(row['val_accuracy'])}, test {percent(row['test_accuracy'])},"
        f" {duration(row['wall_time_s'])} on {row['device']}{gave_up}"
    )


def search(
    request: SearchRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Searched:
    """Search a space on a data set; every finished trial goes into the results store.

    Args:
        request: what is asked for.
        observer: watches; see `tune_mnist.searching.observer`.
        data: the images, where they come from Python; the request's `dataset` is their name.

    Returns: how it came out. A search that was interrupted says so (`outcome.reason`), and can be
        resumed.
    Raises: InputError: what is asked for cannot be done. SearchLostError: it could not continue.
        SearchTakenError: another process has resumed it, because this one was cut off.
    """
    searched = run(prepare(request, observer, data), observer)
    wanted = confirmation_of_request(request, searched)
    if wanted is None:
        return searched
    confirmed = confirm(wanted, observer, data)
    return replace(searched, confirmed=confirmed)


def resume(
    request: ResumeRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Searched:
    """Resume a search that was interrupted, or that is to have more trials.

    Args, returns and raises: as `search`.
    """
    return run(prepare_resumed(request, observer, data), observer)


def run(prepared: Prepared, observer: Observer | None = None) -> Searched:
    """Run what has been prepared. Args, returns and raises: as `search`."""
    observer = observer or Observer()
    plan, data, known = prepared.plan, prepared.data, prepared.known
    results, resumed = Path(prepared.request.results), known.earlier is not None
    check_running_ray(plan)
    columns = parameter_types(*plan.space.models)
    check_columns(results, columns)
    with Writer(results, prepared.name, columns, resume=resumed) as writer:
        if known.earlier is not None:
            check_unchanged(known.earlier, results)
        writer.write_search(recorded(prepared))
        observer.started(prepared.name, plan.trials, known.earlier.rows if known.earlier else ())
        dashboard = isinstance(prepared.request, SearchRequest) and prepared.request.dashboard
        running = SearchRun(plan, data, writer, observer, dashboard=dashboard, began=prepared.began)
        try:
            outcome = running.search(known)
        except SearchTakenError:  # it is not for us to resume it
            raise
        except InputError as error:
            raise SearchLostError(error, prepared.name) from error
        if outcome.reason != "interrupted":
            writer.end_search(outcome.reason)
    seconds = time.monotonic() - prepared.began
    return Searched(prepared.name, results, outcome, seconds, prepared.forecast)


def recorded(prepared: Prepared) -> SearchRecord:
    """Return the record of a prepared search; one that is resumed keeps how it began."""
    now = prepared.plan.record(prepared.name, prepared.data)
    known, forecast, request = prepared.known, prepared.forecast, prepared.request
    if known.earlier is None:
        beginning = {
            "request": asked(request),
            "test_set": getattr(request, "test_set", now.test_set),
            "first": tuple(known.first),
            "warm_start": known.warm.recorded() if known.warm else None,
            "forecast": forecast.recorded() if forecast else None,
            "dataset_path": prepared.folder,
        }
        return now.model_copy(update=beginning)
    before = known.earlier.record
    run = Run(at=now.started, **{name: getattr(now, name) for name in _OF_A_RUN})
    planned = {name: getattr(now, name) for name in _PLANNED}
    # A time budget given to one resume is not the search's own.
    budget = before.space.get("search", {}).get("time_budget_s")
    own = {**now.space["search"], "time_budget_s": budget}
    planned["space"] = {**now.space, "search": own}
    planned["dataset_path"] = prepared.folder or before.dataset_path
    return before.model_copy(update={**planned, "resumed": (*before.resumed, run), "ended": None})


_OF_A_RUN = ("host", "versions", "git_commit", "code_hash")
_PLANNED = ("space", "device", "resources", "configurations", "trials", "engine", "notes")


def confirmation_of_request(request: SearchRequest, searched: Searched) -> ConfirmRequest | None:
    """Return the confirmation that a search's request asks for; None if there is none to run."""
    interrupted = searched.outcome.reason == "interrupted"
    if request.confirm is None or searched.best is None or interrupted:
        return None
    same = ("seeds", "cpus", "gpus", "data_dir", "address")
    shared = {name: getattr(request, name) for name in same}
    return ConfirmRequest(
        search=searched.name, top=request.confirm, results=searched.results, **shared
    )
