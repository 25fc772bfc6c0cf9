"""Export the saved model of a trial: written aside, checked in a fresh process, then renamed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.actions.exporting.card import Chosen, write_card
from tune_mnist.actions.exporting.checking import Check, check_exported
from tune_mnist.actions.reading_data import read_again
from tune_mnist.actions.requests import ExportRequest
from tune_mnist.analysis.confirmation import repeats, standings
from tune_mnist.datasets import Dataset, PythonData
from tune_mnist.errors import input_error
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.store.files.place import bring_model, opened, saved_models
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import read_trials
from tune_mnist.training.model import find_model
from tune_mnist.training.saved.exported import SavedModel, form_of, write_exported
from tune_mnist.winner import winner
from tune_mnist.wording import some


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Args:
        folder: that holds it.
        trial: whose model it is.
        file: the model's.
        check: what its predictions were compared with.
    """

    folder: Path
    trial: str
    file: str
    check: Check


def export(
    request: ExportRequest, observer: Observer | None = None, data: PythonData | None = None
) -> Exported:
    """Export a trial's saved model; nothing is left if it fails.

    Args:
        request: what is asked for.
        observer: sees how many image files are decoded.
        data: the search's images, where they come from Python.

    Raises: InputError: no such search or trial, it has no saved model, the folder exists, a library
        is missing, or the exported model does not predict what its training predicted.
    """
    root = opened(request.results, request.s3_endpoint)
    record = read_search(root, request.search)
    if record.trained_elsewhere:
        fix = "ask whoever trained it"
        raise input_error(request.search, "has no models: it was trained elsewhere", fix)
    rows = read_trials(root, search=request.search).to_pylist()
    _check_free(request.out)
    images, _ = read_again(record, request, observer, data)
    row = _asked_for(request, record, rows, images)
    model = _loaded(root, request.search, row, rows)
    form = form_of(model, request.format)
    with _appearing(request.out) as folder:
        write_exported(model, form, folder)
        checked = check_exported(folder, model, images)
        chosen = Chosen(row=row, record=record, trials=rows, data=images, check=checked)
        write_card(folder, model, form, chosen)
    return Exported(request.out, row["trial"], form.file, checked)


def _asked_for(
    request: ExportRequest, record: SearchRecord, rows: Sequence[Row], data: Dataset
) -> Row:
    """Return the row of the trial that was asked for, or of the winner."""
    if request.trial is not None:
        done = [row for row in rows if row["trial"] == request.trial and row["status"] != "failed"]
        if not done:
            problem = f"{request.trial!r} is no finished trial of {request.search}"
            raise input_error("`trial`", problem, "the leaderboard lists them")
        return done[-1]
    candidates = _of_the_confirmed(rows, data) if record.confirms else rows
    best = winner(candidates, record.goal)
    if best is None:
        problem = "has no trial that completed and satisfies its constraints"
        raise input_error(request.search, problem, "name one with `trial`")
    return best


def _of_the_confirmed(rows: Sequence[Row], data: Dataset) -> Sequence[Row]:
    """Return a confirmation's rows of the configuration that leads on all seeds together."""
    of_each: dict[str, list[Row]] = {}
    for row in rows:
        of_each.setdefault(row["config"], []).append(row)
    groups = list(of_each.values())
    leader = standings([repeats(of_one) for of_one in groups], resolution=1 / len(data.val)).leader
    return rows if leader is None else groups[leader]


def _loaded(root: Path, search: str, row: Row, rows: Sequence[Row]) -> SavedModel:
    """Return the saved model of a trial. Raises: InputError: there is none, or it is damaged."""
    model = find_model(row["model"])
    if model.load is None:
        problem = f"a {model.name} cannot be exported: it does not say how its models are loaded"
        raise input_error(search, problem, "use the files in the store's folder `models`")
    kept = sorted(saved_models(root, search) & {str(one["trial"]) for one in rows})
    if row["trial"] not in kept:
        fix = f"name one with `trial`: {some(kept)}" if kept else "search again with `rerun`"
        if model.file and not kept:
            fix = "let its function report a torch network or an estimator, and search again"
        raise input_error(search, f"keeps no model of trial {row['trial']}", fix)
    return model.load(bring_model(root, search, row["trial"]))


def _check_free(out: Path) -> None:
    """Raise InputError if something is at the place of the folder already."""
    taken = any(out.iterdir()) if out.is_dir() else out.exists() or out.is_symlink()
    if taken:
        raise input_error("`out`", f"{out} exists already", "choose another folder, or remove it")


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `out` after the block, or vanishes if that fails."""
    aside = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
    except OSError as error:
        problem = f"{out} cannot be written ({error.strerror})"
        raise input_error("`out`", problem, "choose another folder") from None
    try:
        yield aside
        if out.is_dir():
            out.rmdir()
        aside.rename(out)
    except OSError as error:
        problem = f"{out} cannot be written ({error.strerror})"
        raise input_error("`out`", problem, "free some space there") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
