"""`python -m tune_mnist` and the console script `tune-mnist`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from tune_mnist.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
