"""Confirm a search: run its best trials again on fresh seeds, until their order is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.actions.preparing import machine_for, store_folder
from tune_mnist.actions.reading_data import read_again
from tune_mnist.actions.requests import ConfirmRequest, asked
from tune_mnist.analysis.confirmation import Standings, repeats, standings, wanted_seeds
from tune_mnist.datasets import Dataset, PythonData
from tune_mnist.errors import input_error
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.confirmation import (
    Confirmation,
    confirmation_of,
    finished_rows,
    plan_confirmation,
)
from tune_mnist.searching.history.resume import searched_space
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray.confirm_searcher import ConfirmSearcher
from tune_mnist.searching.on_ray.run import SearchRun
from tune_mnist.searching.on_ray.session.ray_session import check_running_ray
from tune_mnist.searching.planning.plan import Plan, notes_before
from tune_mnist.searching.stopping.ending import Outcome
from tune_mnist.store.writer import Writer


@dataclass(frozen=True)
class PreparedConfirmation:
    """A confirmation that is ready to run.

    Args:
        request: what was asked for; its paths are absolute.
        confirmation: what runs again, and on which seeds.
        plan: how.
        data: on what.
        folder: of the data set, absolute; "" if it is known by its name.
    """

    request: ConfirmRequest
    confirmation: Confirmation
    plan: Plan
    data: Dataset
    folder: str

    @property
    def notes(self) -> tuple[str, ...]:
        """One line each that a person should read before it runs."""
        return notes_before(self.plan, self.data)


@dataclass(frozen=True)
class Confirmed:
    """How a confirmation came out.

    Args:
        confirmation: what ran again.
        standings: how the configurations stand now.
        outcome: what ended it; an interrupted one can be continued.
    """

    confirmation: Confirmation
    standings: Standings
    outcome: Outcome


def confirm(
    request: ConfirmRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Confirmed:
    """Run the best trials of a search again on fresh seeds.

    A confirmation that was made before is continued: only missing seeds run.

    Args:
        request: what is asked for.
        observer: watches; see `tune_mnist.searching.observer`.
        data: the search's images, where they come from Python.

    Raises: InputError: no such search, or it cannot be confirmed.
    """
    return run_confirmation(prepare_confirmation(request, observer, data), observer)


def prepare_confirmation(
    request: ConfirmRequest, observer: Observer | None = None, data: PythonData | None = None
) -> PreparedConfirmation:
    """Choose what runs again. Args and raises: as `confirm`."""
    root = store_folder(request)
    chosen = confirmation_of(root, request.search, top=request.top, seeds=request.seeds)
    record = chosen.record
    images, folder = read_again(record, request, observer, data)
    gpus = record.resources.gpus if request.gpus is None else request.gpus
    machine = machine_for(request, searched_space(record), gpus)
    plan = plan_confirmation(chosen, images, machine, cpus=request.cpus, gpus=request.gpus)
    request = request.model_copy(update={"results": root})
    return PreparedConfirmation(request, chosen, plan, images, folder)


def run_confirmation(prepared: PreparedConfirmation, observer: Observer | None = None) -> Confirmed:
    """Run what is still to be run. Args and raises: as `confirm`."""
    observer = observer or Observer()
    chosen, plan, data = prepared.confirmation, prepared.plan, prepared.data
    root, seeds, resolution = Path(prepared.request.results), len(chosen.seeds), 1 / len(data.val)
    check_running_ray(plan)

    def standing(rows: Sequence[Sequence[Row]]) -> Standings:
        return standings([repeats(of_one) for of_one in rows], resolution=resolution)

    columns = parameter_types(*plan.space.models)
    with Writer(root, chosen.name, columns, resume=True) as writer:
        _check_unchanged(prepared)
        added = {
            "request": asked(prepared.request),
            "test_set": chosen.record.test_set,
            "dataset_path": prepared.folder,
            "confirms": chosen.recorded(),
        }
        writer.write_search(plan.record(chosen.name, data).model_copy(update=added))
        done = finished_rows(root, chosen)
        whole = [
            {**row, "config": config}
            for config, rows in zip(chosen.configs, done, strict=True)
            for row in rows
        ]
        observer.started(chosen.name, plan.trials, whole)
        searcher = ConfirmSearcher(chosen, done, lambda rows: wanted_seeds(standing(rows), seeds))
        outcome = SearchRun(plan, data, writer, observer).confirm(searcher)
    return Confirmed(chosen, standing(finished_rows(root, chosen)), outcome)


def _check_unchanged(prepared: PreparedConfirmation) -> None:
    """Check that the same would be chosen now; call it with the lock held."""
    request, chosen = prepared.request, prepared.confirmation
    root = Path(request.results)
    again = confirmation_of(root, chosen.search, top=request.top, seeds=request.seeds)
    if again != chosen:
        problem = f"{chosen.search!r} was continued or confirmed by another process meanwhile"
        raise input_error("confirm", problem, "confirm it again")
