"""`python -m tune_mnist` and the console script `tune-mnist`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = number


def main() -> None:
    """Run the command line and exit with its code.

    Without taking the interpreter apart: after a search that would be half a second.
    """
    _occupy_closed()
    _end_in_order()
    from tune_mnist.cli import run

    os._exit(run(sys.argv[1:]))


def _end_in_order() -> None:
    """Let SIGTERM and SIGHUP interrupt a command, unless whoever started it ignores them."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


def _terminate(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


def _occupy_closed() -> None:
    """Open what was closed of stdin, stdout and stderr, or the next file would take its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _forget_the_working_directory() -> None:
    """Undo that `python -m` looks for modules in the working directory first.

    A file `random.py` or `yaml.py` there would be run in place of the library. Python itself has
    read a few modules by then, so `tune-mnist`, which never looks there, is the safer form.
    """
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    chosen = getattr(sys.flags, "safe_path", False)  # since 3.11: then nothing was put there
    if not chosen and sys.path[:1] == [os.getcwd()] and sys.path[0] != here:  # noqa: PTH109
        del sys.path[0]


if __name__ == "__main__":
    _forget_the_working_directory()
    main()
