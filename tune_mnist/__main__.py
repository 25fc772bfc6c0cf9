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


if __name__ == "__main__":
    main()
