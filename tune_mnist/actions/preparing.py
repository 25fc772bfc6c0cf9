"""From a request to what will run: space, plan, data, and what the store knows already."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tune_mnist.actions.naming import new_name
from tune_mnist.actions.reading_data import (
    asked_options,
    folder_of,
    name_of_given,
    read_again,
    read_data,
    recorded_place,
    stored_side,
)
from tune_mnist.actions.requests import ConfirmRequest, ResumeRequest, SearchRequest
from tune_mnist.analysis.within import check_tolerance
from tune_mnist.datasets import Dataset, PythonData
from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.models.registry import find_model
from tune_mnist.searching.history.confirmation import confirmation_name
from tune_mnist.searching.history.known import Known
from tune_mnist.searching.history.memory import Memory
from tune_mnist.searching.history.past_times import plan_forecast
from tune_mnist.searching.history.resume import Earlier, differences, earlier_runs
from tune_mnist.searching.history.warm_start import past_rows, warm_start
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.session.ray_session import find_machine
from tune_mnist.searching.planning.forecast import Forecast
from tune_mnist.searching.planning.machine import Machine, this_machine
from tune_mnist.searching.planning.plan import Plan, notes_before, plan_search, with_engine
from tune_mnist.spaces import Overrides, Space, find_space, override, read_space
from tune_mnist.store.files.place import opened
from tune_mnist.wording import displayed


@dataclass(frozen=True)
class Prepared:
    """A search that is ready to run.

    Args:
        request: what was asked for; its paths are absolute.
        name: of the search in the store.
        plan: how it will run.
        data: what it will run on.
        known: what the store knows already.
        forecast: how long it will take; None where the store has too few trials like these.
        notes: one line each that a person should read before it runs.
        folder: of the data set, absolute; "" if it is known by its name.
        began: when its preparation began, on the monotonic clock; the time budget counts from it.
    """

    request: SearchRequest | ResumeRequest
    name: str
    plan: Plan
    data: Dataset
    known: Known
    forecast: Forecast | None
    notes: tuple[str, ...]
    folder: str = ""
    began: float = field(default_factory=time.monotonic)


def prepare(
    request: SearchRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Prepared:
    """Prepare a search: nothing is written, and Ray is not started.

    Args:
        request: what is asked for.
        observer: sees how many image files are decoded.
        data: the images, where they come from Python; the request's `dataset` is their name.

    Raises: InputError: a space, data set, machine or store that does not fit the request.
    """
    if data is not None:
        request = request.model_copy(update={"dataset": name_of_given(request.dataset)})
    return prepare_space(asked_space(request), request, observer, data)


def prepare_space(
    space: Space,
    request: SearchRequest,
    observer: Observer | None = None,
    data: PythonData | None = None,
) -> Prepared:
    """Prepare a search of this very space. Args and raises: as `prepare`."""
    began = time.monotonic()
    _check_resume(request)
    if request.within is not None:
        check_tolerance(request.within)
    named = request.resume or request.name
    if request.confirm is not None and named is not None:
        confirmation_name(named)  # refused now, not after the whole search
    request = request.model_copy(update={"results": store_folder(request)})
    machine = machine_for(request, space, request.gpus)
    plan = plan_search(space, cpus=request.cpus, gpus=request.gpus, machine=machine)
    where = space.dataset
    if request.resume is not None and request.dataset is None:
        where = recorded_place(Path(request.results), request.resume, where)
    options = replace(asked_options(request), side=stored_side(space))
    images = read_data(where, options, observer, data)
    prepared = prepare_plan(with_engine(plan, images, machine), images, request)
    return replace(prepared, folder=folder_of(where), began=began)


def prepare_plan(plan: Plan, data: Dataset, request: SearchRequest) -> Prepared:
    """Prepare a search of this very plan and data: ask the store what it knows.

    Raises: InputError: the store has no such search to resume or to learn from, or something
        about the search has changed and may not.
    """
    space, root, warm = plan.space, Path(request.results), None
    if request.resume is not None:
        return _resumed(request, earlier_runs(root, request.resume), plan, data)
    if request.warm_start is not None:
        rows = past_rows(root, request.warm_start, space)
        warm = warm_start(rows, space, plan.device, data.content_hash)
    learned = warm.notes if warm else ()
    memory = None if request.rerun else Memory(root, plan, data)
    plan = replace(plan, keep_models=request.keep_models)
    name = request.name or new_name(space, data.name)
    expected = plan_forecast(root, plan, data, memory)
    notes = (*notes_before(plan, data), *learned)
    return Prepared(request, name, plan, data, Known(memory, warm), expected, notes)


def prepare_resumed(
    request: ResumeRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Prepared:
    """Prepare to resume a search as it was asked for, perhaps with more trials or time.

    Args: as `prepare`.
    Raises: InputError: no such search, it is running, its data has changed, or what `prepare`
        raises.
    """
    began = time.monotonic()
    root = store_folder(request)
    earlier = earlier_runs(root, request.search)
    record = earlier.record
    changes = {"trials": request.trials, "time_budget_s": request.time_budget_s}
    space = override(earlier.space, Overrides(search=changes))
    gpus = record.resources.gpus if request.gpus is None else request.gpus
    images, folder = read_again(record, request, observer, data)
    machine = machine_for(request, space, gpus)
    plan = plan_search(space, cpus=request.cpus, gpus=gpus, machine=machine)
    plan = with_engine(plan, images, machine)
    request = request.model_copy(update={"results": root})
    return replace(_resumed(request, earlier, plan, images), folder=folder, began=began)


def _resumed(
    request: SearchRequest | ResumeRequest, earlier: Earlier, plan: Plan, data: Dataset
) -> Prepared:
    """Return what continues an earlier run.

    There is no forecast: the search has measured a part of itself already.
    """
    changed = _checked(earlier, plan, data, request.allow_change)
    kept = earlier.record.request.get("keep_models", 1)
    plan = replace(plan, keep_models=kept if isinstance(kept, int) else 1)
    rerun = earlier.record.request.get("rerun") or getattr(request, "rerun", False)
    memory = None if rerun else Memory(Path(request.results), plan, data)
    finished = len(earlier.rows)
    enough: tuple[str, ...] = ()
    if plan.trials is not None and finished >= plan.trials:
        said = f"{finished} trials have finished already, and `trials={plan.trials}` adds none"
        enough = (f"{earlier.name}: {said}",)
        plan = replace(plan, trials=finished)
    notes = (
        *notes_before(plan, data),
        *changed,
        *earlier.notes,
        *enough,
    )
    return Prepared(request, earlier.name, plan, data, Known(memory, earlier=earlier), None, notes)


def machine_for(
    request: SearchRequest | ResumeRequest | ConfirmRequest, space: Space, gpus: int | None
) -> Machine:
    """Return what there is for a search: this machine, or the cluster that the request names.

    Raises: InputError: no such cluster, or it refuses us.
    """
    if request.address in (None, "local"):
        return this_machine(
            ask_torch=bool(gpus) or any(find_model(model).on_gpu for model in space.models)
        )
    return find_machine(request.address)


def store_folder(request: SearchRequest | ResumeRequest | ConfirmRequest) -> Path:
    """Return the folder of the request's store, absolute; of one at an address, its copy here.

    Raises: InputError: the address cannot be read, or the path is not UTF-8, which Parquet's reader
        and Ray's processes need.
    """
    folder = opened(request.results, request.s3_endpoint).absolute()
    if str(folder) != displayed(str(folder)):
        problem = f"{displayed(str(folder))} is not UTF-8"
        raise input_error("`results`", problem, "name a folder whose whole path is UTF-8")
    return folder


def _check_resume(request: SearchRequest) -> None:
    """Raise InputError if the request asks for something that a resumed search cannot take."""
    fixed = {
        "warm_start": "the search keeps what it learned from when it began",
        "name": "the search keeps its name",
    }
    if request.resume is not None:
        given = [name for name in fixed if getattr(request, name) not in (None, request.resume)]
        faults = [
            Fault(
                f"`{name}`",
                "",
                f"cannot be used with `resume`: {fixed[name]}",
                f"leave out `{name}`",
            )
            for name in given
        ]
        if faults:
            raise InputError(faults)


def asked_space(request: SearchRequest) -> Space:
    """Return the space that a request names, with the request's own values in it.

    Raises: InputError: no such space, a fault in its file, or a value that does not fit it.
    """
    search = (
        *("sampler", "scheduler", "trials", "time_budget_s", "target", "plateau"),
        *("trial_timeout_s", "retries", "seed", "max_concurrent"),
    )
    changes: dict[str, Any] = {name: getattr(request, name) for name in search}
    own = Overrides(
        dataset=request.dataset,
        objective=request.objective,
        where=request.where,
        fidelity=request.fidelity,
        search={**changes, "share": None if request.share else False},
        resources={"cpu": request.cpus_per_trial, "gpu": request.gpus_per_trial},
    )
    file = request.space_file or find_space(request.space)
    space = read_space(file, own)
    if request.space_file and request.space not in (*space.models, space.name):
        problem = f"is a space for {' and '.join(space.models)}, not for {request.space}"
        raise input_error(file, problem, f"search {space.models[0]} with it")
    return space


def _checked(earlier: Earlier, plan: Plan, data: Dataset, allow_change: bool) -> tuple[str, ...]:
    """Return a line for each thing that has changed since; raise InputError if none may."""
    changed = differences(earlier, plan, data)
    if changed and not allow_change:
        fix = "`allow_change=true` resumes all the same, or start another search"
        raise InputError(Fault("`resume`", earlier.name, change, fix) for change in changed)
    return tuple(f"{earlier.name}: {change}" for change in changed)
