"""Inner products of all rows with all rows, in tiles, half of them free, by symmetry.

What: X X^T and Z X^T in float32, tile by tile. Threads share the tiles, and each tile is one BLAS
product on one thread. For X X^T only tiles on and below the diagonal are multiplied; each one is
copied, transposed, to its mirror image while it is still in the processor's cache. The caller
(gram.py) leaves out columns that are zero in all of X: pixels that never change.

Why exact: X X^T is symmetric, and a zero column adds nothing.

What it buys: half the arithmetic; on MNIST about a tenth less again without the zero columns; and
every thread stays busy while another waits for fresh pages of memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.threads import Over, in_threads, never

Float32 = npt.NDArray[np.float32]

TILE = 1024  # rows and columns of a tile: 4 MiB


def squared_norms(rows: Float32) -> Float32:
    """Return |x|^2 of each row: (n, d) to (n,) float32, summed in float64."""
    norms: npt.NDArray[np.float64] = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
    return norms.astype(np.float32)


def fill_products(rows: Float32, out: Float32, threads: int, over: Over = never) -> None:
    """Write rows @ rows.T into `out`: (n, d) float32 to (n, n) float32.

    Raises: CancelledError: `over`, called before each tile, returned True.
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
    """Write others @ rows.T into `out`: (m, d) and (n, d) float32 to (m, n) float32.

    Raises: CancelledError: `over`, called before each stripe of tiles, returned True.
    """

    def fill_stripe(i: int) -> None:
        for j in range(0, len(rows), TILE):
            stripe = out[i : i + TILE, j : j + TILE]
            np.matmul(others[i : i + TILE], rows[j : j + TILE].T, out=stripe)

    in_threads(range(0, len(others), TILE), fill_stripe, threads, over)
