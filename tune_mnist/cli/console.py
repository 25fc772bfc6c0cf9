"""Rich's console as commands use it, and the progress bar while image files are decoded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.segment import Segment
from rich.text import Text

from tune_mnist.searching.observer import Observer
from tune_mnist.wording import clean

_WIDTH = 160
"""Columns where nobody's terminal limits them."""


class CleanConsole(Console):
    """A console that prints text as it is: no markup, and control characters escaped."""

    def __init__(self, **how: Any) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        """Return the text as Rich measures and prints it."""
        return super().render_str(clean(text), **how)

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Clean the text that comes in Rich's own objects too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=clean(segment.text))


def console(*, error: bool = False, **how: Any) -> CleanConsole:
    """Return the console that commands print on: wide where nobody's terminal limits it.

    Args:
        error: print on stderr.
        how: as `rich.console.Console`.
    """
    stream = sys.stderr if error else sys.stdout
    return CleanConsole(stderr=error, width=None if stream.isatty() else _WIDTH, **how)


class ReadingBar(Observer):
    """Shows on stderr how many files are decoded; nothing where that is not a terminal."""

    def __init__(self) -> None:
        to = console(error=True)
        self._bar = Progress(console=to, transient=True, disable=not to.is_terminal)
        self._task = self._bar.add_task("decoding images")

    def __enter__(self) -> ReadingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def reading(self, done: int, total: int) -> None:
        """Show how many of all the files are decoded."""
        self._bar.start()
        self._bar.update(self._task, completed=done, total=total)
