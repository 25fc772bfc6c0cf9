"""The Python API's verbs: the actions, with a progress bar in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tune_mnist.actions.exporting.export import Exported, export
from tune_mnist.actions.requests import ExportRequest, ResumeRequest, SearchRequest
from tune_mnist.actions.search import Searched
from tune_mnist.actions.search import resume as resume_search
from tune_mnist.actions.search import search as run_search
from tune_mnist.datasets import PythonData
from tune_mnist.metrics import ACCURACY
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.winner import better
from tune_mnist.wording import percent


def search(
    request: SearchRequest, *, data: PythonData | None = None, progress: bool = True
) -> Searched:
    """Search a space on a data set; every finished trial goes into the results store.

    Args:
        request: what is asked for.
        data: images and labels that are in memory, instead of a data set on disk: (images, labels)
            as arrays, or a torch data set of (image, label), or a mapping of "train", "val" and
            "test" to these. The request's `dataset` is its name, "data" by default.
        progress: whether to show a progress bar.

    Returns: how it came out: `.best` is the winner's row, `.name` the search's name in the store.
        Interrupting the cell (or Ctrl-C) ends the search and keeps what has finished.
    Raises: InputError: what is asked for cannot be done; the message names the field and the fix.
    """
    with _watching(progress) as observer:
        return run_search(request, observer, data)


def resume(
    request: ResumeRequest, *, data: PythonData | None = None, progress: bool = True
) -> Searched:
    """Resume a search that was interrupted, or give a finished one more trials.

    Args, returns and raises: as `search`. A search of data from Python needs the same `data` again;
    it is refused if an image or a label differs.
    """
    with _watching(progress) as observer:
        return resume_search(request, observer, data)


def export_model(
    request: ExportRequest, *, data: PythonData | None = None, progress: bool = True
) -> Exported:
    """Write a search's saved model into a folder that works without tune_mnist, and check it.

    Args:
        request: whose model, where to, and in which form.
        data: the search's images, where they came from Python.
        progress: whether to show a progress bar while images are read.

    Returns: the folder, the trial, and how many predictions were checked in a fresh process.
    Raises: InputError: what is asked for cannot be done, or the check fails; nothing is left then.
    """
    with _watching(progress) as observer:
        return export(request, observer, data)


@contextmanager
def _watching(progress: bool) -> Iterator[Observer]:
    if not progress:
        yield Observer()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as bar:
        yield _Bar(bar)


class _Bar(Observer):
    """Counts finished trials, and shows the best validation accuracy so far."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("preparing", total=None)
        self._best: Row | None = None

    def reading(self, done: int, total: int) -> None:
        self._bar.update(self._task, description="decoding images", completed=done, total=total)

    def started(self, search: str, trials: int | None, finished: Sequence[Row]) -> None:
        self._bar.update(self._task, description=search, completed=0, total=trials)
        for row in finished:
            self.trial_finished(row)

    def trial_finished(self, row: Row) -> None:
        best = better(row, self._best, ACCURACY)
        if best is row:
            self._best = row
            text = f"best {percent(row['val_accuracy'])}"
            self._bar.update(self._task, description=text)
        self._bar.advance(self._task)
