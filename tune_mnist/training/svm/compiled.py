"""Numba for the SVM engine: one decorator, and a maximum and minimum that LLVM can vectorise.

Compiled code is cached on disk beside this package, so only the first run on a machine has to wait
for the compiler. If that folder is read-only, numba chooses another one; NUMBA_CACHE_DIR overrides
both. Compiled code releases the GIL, so ordinary threads solve one-vs-one problems in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numba
import numpy.typing as npt
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
Array = TypeVar("Array", bound=npt.NDArray[Any])

# LLVM may reorder sums, turn divisions into products, and assume that no infinity or NaN occurs.
FAST = {"nnan", "ninf", "nsz", "reassoc", "contract", "arcp"}


def compiled(function: F) -> F:
    """Return the function, compiled on first use, cached on disk, and run without the GIL."""
    compile_it = partial(numba.njit, nogil=True, error_model="numpy", fastmath=FAST)
    try:
        return cast(F, compile_it(cache=True)(function))
    except RuntimeError:  # numba may write to no folder: each process compiles for itself
        return cast(F, compile_it()(function))


def read_only(array: Array) -> Array:
    """Return a read-only view.

    Numba compiles separately for read-only and for writable arrays. A mapped matrix is read-only,
    so arrays in its place are passed read-only too, and the code compiles once.
    """
    view: Array = array.view()
    view.flags.writeable = False
    return view


def _picking(comparison: str) -> Callable[..., Any]:
    """Return an intrinsic: the first of two numbers if the comparison holds, else the second."""

    def typed(_context: Any, a: Any, _b: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            keep = builder.fcmp_ordered(comparison, *values, flags=list(FAST))
            return builder.select(keep, *values, flags=list(FAST))

        return a(a, a), generate

    return typed


# Numba puts its fast-math flags on the comparison in a max(), but not on the select after it.
# Without them LLVM does not vectorise the reduction; with them the solver's two passes run 3x
# faster.
larger: Callable[[float, float], float] = intrinsic(_picking(">"))
smaller: Callable[[float, float], float] = intrinsic(_picking("<"))
