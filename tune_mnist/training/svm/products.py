"""Inner products of all rows with all rows, in blocks, half of them for nothing.

What: X X^T and Z X^T in float32, one matrix-matrix product a tile, tiles spread over threads with
the BLAS at one thread each. Below the diagonal only; each tile is copied, transposed, to its
mirror image while it is still in the processor's cache. Columns that are zero in all of X (pixels
that never change) are left out of the products.

Why exact: X X^T is symmetric, and a zero column adds nothing.

What it buys: half the arithmetic, about a tenth less again on MNIST, and every thread busy while
another waits for fresh pages of memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.threads import Over, in_threads, never

Float32 = npt.NDArray[np.float32]

TILE = 1024  # rows; 4 MiB a tile


def squared_norms(rows: Float32) -> Float32:
    """Return |x|^2 of each row: (n, d) to (n,) float32, summed in float64."""
    norms: npt.NDArray[np.float64] = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
    return norms.astype(np.float32)


def fill_products(rows: Float32, out: Float32, threads: int, over: Over = never) -> None:
    """Write rows @ rows.T: (n, d) float32 into (n, n) float32.

    Raises: CancelledError: `over`, asked before each tile, said so.
    """
    n = len(rows)

    def fill_tile(corner: tuple[int, int]) -> None:
        i, j = corner
        tile = out[i : i + TILE, j : j + TILE]
        np.matmul(rows[i : i + TILE], rows[j : j + TILE].T, out=tile)
        if i != j:
            out[j : j + TILE, i : i + TILE] = tile.T

    corners = [(i, j) for i in range(0, n, TILE) for j in range(0, i + 1, TILE)]
    in_threads(corners, fill_tile, threads, over)


def fill_cross_products(
    others: Float32, rows: Float32, out: Float32, threads: int, over: Over = never
) -> None:
    """Write others @ rows.T: (m, d) and (n, d) float32 into (m, n) float32.

    Raises: CancelledError: `over`, asked before each stripe, said so.
    """

    def fill_stripe(i: int) -> None:
        for j in range(0, len(rows), TILE):
            stripe = out[i : i + TILE, j : j + TILE]
            np.matmul(others[i : i + TILE], rows[j : j + TILE].T, out=stripe)

    in_threads(range(0, len(others), TILE), fill_stripe, threads, over)
