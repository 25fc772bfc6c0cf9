"""A progress bar while a data set's image files are decoded."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress

from tune_mnist.searching.observer import Observer


class ReadingBar(Observer):
    """Shows on stderr how many files are decoded; nothing where that is not a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("decoding images")

    def __enter__(self) -> ReadingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def reading(self, done: int, total: int) -> None:
        """Show how many of all the files are decoded."""
        self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
