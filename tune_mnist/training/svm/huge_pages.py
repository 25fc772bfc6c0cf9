"""Large arrays in a memory file system (tmpfs), in pages of 2 MiB instead of 4 KiB.

What: by default Linux gives tmpfs small pages, but since 6.1 a process may ask for huge ones:
MADV_COLLAPSE (madvise(2)) turns 2 MiB whose first small page exists into one huge page, if the
mapping's address and the file's offset agree modulo 2 MiB. Where the system refuses (on a disk, or
outside Linux), the file is allocated and mapped in ordinary pages.

Why exact: the same bytes at the same places.

What it buys: the first use of 7 GB takes 2.6 s of processor time instead of 9 to 13, and giving
them back takes none instead of 1.2 s. Strided access misses the processor's address cache less.
Threads share the first use; it takes a single thread 15 s if the host of a virtual machine has
reclaimed the memory.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.threads import Over, in_threads, never

Float32 = npt.NDArray[np.float32]

_HUGE = 2 << 20
_SMALL = mmap.PAGESIZE
_MADV_COLLAPSE = 25
_MAP_SHARED_FIXED = 0x11
_PROT = {"r": 0x1, "r+": 0x3}


def new_array(path: Path, shape: tuple[int, int], threads: int, over: Over = never) -> Float32:
    """Return a new .npy file of float32, mapped for writing, with all of its space allocated.

    Without the allocation, a write to a memory file system that is full would kill the process,
    with no error to catch.

    Raises:
        OSError: there is no room for the file.
        CancelledError: `over` returned True during the allocation.
    """
    created = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    if sys.platform != "linux":
        return created
    del created
    array = map_array(path, "r+")
    _allocate(path, array, threads, over)
    return array


def map_array(path: Path, mode: Literal["r", "r+"]) -> Float32:
    """Map a .npy file of float32, "r" or "r+", at an address where its huge pages count as such."""
    array = np.load(path, mmap_mode=mode)
    if sys.platform != "linux":
        return np.asarray(array)
    size = path.stat().st_size
    # Python's anonymous mapping reserves the addresses, and frees them when the last array on it is
    # gone. The file is mapped over it, from the first address that is a multiple of 2 MiB.
    room = mmap.mmap(-1, size + _HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = -_address(room) % _HUGE
    with path.open(f"{mode}b") as file:
        where = _address(room) + start
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.mmap.restype = ctypes.c_void_p
        mapped = libc.mmap(where, size, _PROT[mode], _MAP_SHARED_FIXED, file.fileno(), 0)
    if mapped != where:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    placed = np.frombuffer(room, np.float32, array.size, start + array.offset)
    placed.flags.writeable = mode == "r+"
    shaped: Float32 = placed.reshape(array.shape)
    return shaped


def _address(room: mmap.mmap) -> int:
    address: int = np.frombuffer(room, np.uint8).ctypes.data
    return address


def _allocate(path: Path, array: Float32, threads: int, over: Over) -> None:
    """Allocate the whole file, in huge pages until the system refuses one, then in small ones."""
    size = path.stat().st_size
    begin = array.ctypes.data // _HUGE * _HUGE
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    refused = threading.Event()

    def make_huge(offset: int) -> None:
        if not refused.is_set():
            os.posix_fallocate(file.fileno(), offset, _SMALL)
            if libc.madvise(begin + offset, _HUGE, _MADV_COLLAPSE) != 0:
                refused.set()

    with path.open("r+b") as file:
        in_threads(range(0, size - _HUGE, _HUGE), make_huge, threads, over)
        os.posix_fallocate(file.fileno(), 0, size)
