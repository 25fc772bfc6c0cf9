"""Columns of the store's rows as numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]


def floats(column: pa.ChunkedArray) -> Floats:
    """Return a column as (n,) float64; a null becomes NaN."""
    return np.asarray(column.cast(pa.float64()), dtype=np.float64)
