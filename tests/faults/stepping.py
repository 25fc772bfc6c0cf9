"""Kill a child before its n-th system call: Linux's ptrace, through ctypes.

The child prepares its work and asks to be traced. From then on, each system call of its main thread
stops it twice: on the way in and on the way out.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_TRACEME, _SYSCALL = 0, 24
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request: int, process: int) -> None:
    if _libc.ptrace(request, process, None, None) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def killed_before_call(number: int, prepare: Callable[[], Callable[[], object]]) -> bool:
    """Run in a fork what `prepare` returns; kill it before its system call `number` (0, 1, ...).

    Returns: whether it was killed; False if it made fewer calls and succeeded.
    Raises: RuntimeError: the child failed.
    """
    child = os.fork()
    if child == 0:
        try:
            work = prepare()
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    stops = 0
    _, status = os.waitpid(child, 0)
    while os.WIFSTOPPED(status):
        if stops == 2 * number + 1:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return True
        _ptrace(_SYSCALL, child)
        _, status = os.waitpid(child, 0)
        stops += 1
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"the child ended with status {status}")
    return False
