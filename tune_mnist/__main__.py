"""`python -m tune_mnist` and the console script `tune-mnist`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code.

    Without taking the interpreter apart: after a search that would be half a second.
    """
    from tune_mnist.cli import run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):  # its reader is gone; closed where `run` saw that
        code = code or 1
    os._exit(code)


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
