"""What reaches the terminal: cleaned text, on streams whose loss ends nothing.

A name, an error or a stored value may hold control characters, which a terminal would obey, or
Rich's markup. Every command therefore prints with `say` or on a `console`, and nothing else does
(tests/test_house.py). Light: Rich is loaded by the first console.
"""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tune_mnist.wording import clean


def say(text: object, *, end: str = "\n", error: bool = False) -> None:
    """Print a line, cleaned, on stdout or stderr."""
    print(clean(str(text)), end=end, file=sys.stderr if error else sys.stdout)


class Stream(io.RawIOBase):
    """Bytes on their way to a stream; from its first error on they are dropped.

    So a full disk or a closed terminal never ends a search.

    Args:
        to: the stream's own bytes; None if it was closed before we began.

    Attributes:
        error: why bytes were dropped; None if none were.
    """

    def __init__(self, to: IO[bytes] | None) -> None:
        self._to = to
        self.error = None if to else _closed()

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._to is not None and self._to.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor; OSError if it has none."""
        return super().fileno() if self._to is None else self._to.fileno()

    def write(self, data: Any) -> int | None:
        """Return how many bytes were written or dropped."""
        if self._to is not None and self.error is None:
            try:
                return self._to.write(data)
            except OSError as error:
                self.error = error
            except ValueError:  # its owner has closed it
                self._to, self.error = None, _closed()
        return len(data)


def _closed() -> OSError:
    return OSError(errno.EBADF, "it is closed")


@contextmanager
def streams() -> Iterator[Stream]:
    """Put streams that never fail in place of stdout and stderr; give the one of stdout.

    What an encoding lacks is printed escaped: an ASCII terminal is no reason to fail.
    """
    given = sys.stdout, sys.stderr
    out, err = map(_stream, given)
    ours = _text(out, given[0]), _text(err, given[1])
    sys.stdout, sys.stderr = ours
    try:
        yield out
    finally:
        for text in ours:
            text.flush()
        sys.stdout, sys.stderr = given


def _stream(old: Any) -> Stream:
    if old is None:
        return Stream(None)
    old.flush()
    return Stream(getattr(old.buffer, "raw", old.buffer))


def _text(stream: Stream, old: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding=old.encoding if old else "utf-8",
        errors="backslashreplace",
        line_buffering=old.line_buffering if old else False,
    )


def interrupted_code(error: BaseException) -> int:
    """Return the exit code of a command that a signal has interrupted: 128 and its number."""
    known = getattr(error, "signal", None) or getattr(error.__cause__, "signal", None)
    return 128 + (known or signal.SIGINT)
