"""Sequential minimal optimisation of one two-class problem on precomputed inner products.

What: LIBSVM's dual of the C-SVC, its second-order choice of the pair to move (Fan, Chen and Lin,
JMLR 6, 2005), its stopping rule and its shrinking (Chang and Lin, LIBSVM, 2011, section 5.1), with
the gradient in float64. In the code u = y alpha, and the residual f_t = y_t - sum_j u_j K_tj is
LIBSVM's -y_t G_t.

Why the answer is LIBSVM's: the stopping rule, max f over I_up - min f over I_low < eps, is checked
on all rows, with f recomputed after shrinking. Only the *choice* of the second index is made in
float32, and any pair that gains is a valid step.

What it buys: a pass over n rows is one vectorised loop (about 0.5 ns per row). A kernel row is
computed from two contiguous stretches of the products, and cached. Shrinking packs the rows still
in play together, so the many last iterations run inside the processor's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.compiled import compiled, larger, smaller
from tune_mnist.training.svm.kernel_rows import Float32, Kernel, fill_kernel_row, kernel_with_itself

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Costs = tuple[float, float]  # C of the +1 class, and of the other

BARRED = 1e30  # -BARRED keeps a row out of a maximum, BARRED out of a minimum
TAU = 1e-12  # what LIBSVM uses in place of a curvature <= 0
BLOCK = 256  # rows; the index of an extreme value is searched only in the block that holds it
SHRINK_EVERY = 200  # iterations
SHRINK_TO = 0.8  # rows are packed if at most this fraction of them stays in play


class Pair(NamedTuple):
    """Two classes among rows sorted by class: start:stop is +1, other_start:other_stop is -1."""

    products: Float32  # (N, N) inner products of all rows, C-contiguous
    norms: Float32  # (N,) their squared norms
    start: int
    stop: int
    other_start: int
    other_stop: int


class Rows(NamedTuple):
    """The rows in play: the first m entries of each array. All arrays are (n,)."""

    place: Int64  # positions of the rows in the problem, ascending
    residual: Float64  # f
    up: Float32  # 0 where u may grow, else -BARRED
    low: Float32  # 0 where u may fall, else BARRED
    diagonal: Float32  # K_tt


class Cache(NamedTuple):
    """Kernel rows, whole and packed to the rows in play; the least recently used is replaced."""

    whole: Float32  # (capacity, >= n)
    packed: Float32  # (capacity, >= n)
    slot: Int64  # (n,) the slot that holds a row's kernel row, or -1
    owner: Int64  # (capacity,) the row whose kernel row a slot holds, or -1
    used_at: Int64  # (capacity,) the iteration that last used a slot
    filled: Int64  # (1,) how many slots are in use


@compiled
def solve_pair(
    pair: Pair,
    kernel: Kernel,
    costs: Costs,
    eps: float,
    max_iterations: int,
    whole: Float32,
    packed: Float32,
    dual: Float64,
    residual: Float64,
) -> tuple[float, float, int]:
    """Solve one problem of n rows, the +1 class first.

    Args:
        pair: the two classes.
        kernel: the kernel.
        costs: > 0, the penalty for a training error of the +1 class, and of the other.
        eps: > 0; stop when the KKT conditions are violated by less.
        max_iterations: stop after this many iterations in any case.
        whole, packed: (capacity >= 2, >= n) float32, memory for the cache of kernel rows.
        dual: (n,), filled with y_t alpha_t.
        residual: (n,), filled with f_t; y_t - f_t + bias is the decision value of row t.
    Returns: the bias (LIBSVM's -rho), the KKT violation that is left, and the iterations taken.
    """
    n = dual.size
    first = pair.stop - pair.start
    cache = _empty_cache(whole, packed, n)
    rows = Rows(
        np.empty(n, np.int64), residual, np.empty(n, np.float32), np.empty(n, np.float32),
        np.empty(n, np.float32),
    )  # fmt: skip
    peaks = np.empty((n + BLOCK - 1) // BLOCK)
    still = np.zeros(n, np.float32)
    dual[:] = 0.0
    iterations = 0
    m = 0
    while True:
        if m == 0:  # at the start, and to undo shrinking: bring all rows into play
            m = n
            _enter_all(pair, kernel, cache, rows, dual, first, costs)
            top, floor = _move(rows, n, still, still, 0.0, peaks)
        if top - floor < eps or iterations >= max_iterations:
            if m == n:
                return _bias(rows, n, top, floor), top - floor, iterations
            m = 0
            continue
        i = _highest(rows, peaks, top)
        row_i = _kernel_row(pair, kernel, cache, rows.place, i, m, iterations)
        j = _partner(rows, m, row_i, i)
        if j < 0:  # no step gains: kernel values beyond float32; give up
            max_iterations = iterations
            continue
        row_j = _kernel_row(pair, kernel, cache, rows.place, j, m, iterations)
        step = _step(rows, row_i, i, j, first, costs, dual)
        top, floor = _move(rows, m, row_i, row_j, step, peaks)
        iterations += 1
        if iterations % SHRINK_EVERY == 0:
            m = _shrink(rows, cache, m, top, floor)
            top, floor = _move(rows, m, still, still, 0.0, peaks)


@compiled
def _move(
    rows: Rows, m: int, row_i: Float32, row_j: Float32, step: float, peaks: Float64
) -> tuple[float, float]:
    """Update f for u_i += step, u_j -= step; return the max over I_up and the min over I_low.

    One pass, which also writes the maximum of each block into `peaks`. The loop has no branch, so
    LLVM computes 4 rows at once.
    """
    top, floor = -BARRED, BARRED
    for block in range((m + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, min(m, (block + 1) * BLOCK))
        f, up, low = rows.residual[here], rows.up[here], rows.low[here]
        k_i, k_j = row_i[here], row_j[here]
        peak, bottom = -BARRED, BARRED
        for t in range(f.size):
            value = f[t] - step * (k_i[t] - k_j[t])
            f[t] = value
            peak = larger(peak, value + up[t])
            bottom = smaller(bottom, value + low[t])
        peaks[block] = peak
        top, floor = larger(top, peak), smaller(floor, bottom)
    return top, floor


@compiled
def _highest(rows: Rows, peaks: Float64, top: float) -> int:
    """Return the first position in I_up with f == top."""
    block = 0
    while peaks[block] != top:
        block += 1
    t = block * BLOCK
    while rows.residual[t] + rows.up[t] != top:
        t += 1
    return t


@compiled
def _partner(rows: Rows, m: int, row_i: Float32, i: int) -> int:
    """Return the j in I_low with the largest gain, (f_i - f_j)^2 / curvature; -1 if none gains."""
    f_i, k_ii, two, tau = rows.residual[i], rows.diagonal[i], np.float32(2), np.float32(TAU)
    best, best_block = np.float32(0), -1
    for block in range((m + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, min(m, (block + 1) * BLOCK))
        f, low, k_tt, k_i = rows.residual[here], rows.low[here], rows.diagonal[here], row_i[here]
        gain = np.float32(0)
        for t in range(f.size):
            rise = larger(np.float32(f_i - (f[t] + low[t])), np.float32(0))
            gain = larger(gain, rise * rise / larger(k_ii + k_tt[t] - two * k_i[t], tau))
        if gain > best:
            best, best_block = gain, block
    if best_block < 0:
        return -1
    best, j = np.float32(-1), -1
    for t in range(best_block * BLOCK, min(m, (best_block + 1) * BLOCK)):
        rise = larger(np.float32(f_i - (rows.residual[t] + rows.low[t])), np.float32(0))
        gain = rise * rise / larger(k_ii + rows.diagonal[t] - two * row_i[t], tau)
        if gain > best:
            best, j = gain, t
    return j


@compiled
def _step(
    rows: Rows, row_i: Float32, i: int, j: int, first: int, costs: Costs, dual: Float64
) -> float:
    """Move u_i up and u_j down by one step, to the optimum or to a bound; return the step."""
    ti, tj = rows.place[i], rows.place[j]
    lowest_i, highest_i = _bounds(ti, first, costs)
    lowest_j, highest_j = _bounds(tj, first, costs)
    curvature = max(float(rows.diagonal[i]) + rows.diagonal[j] - 2.0 * row_i[j], TAU)
    room_i, room_j = highest_i - dual[ti], dual[tj] - lowest_j
    step = min((rows.residual[i] - rows.residual[j]) / curvature, min(room_i, room_j))
    dual[ti] = highest_i if step == room_i else dual[ti] + step
    dual[tj] = lowest_j if step == room_j else dual[tj] - step
    _set_bounds(rows, i, dual[ti], lowest_i, highest_i)
    _set_bounds(rows, j, dual[tj], lowest_j, highest_j)
    return float(step)


@compiled
def _bounds(t: int, first: int, costs: Costs) -> tuple[float, float]:
    """Return the lowest and highest u of a row of the problem."""
    return (0.0, costs[0]) if t < first else (-costs[1], 0.0)


@compiled
def _set_bounds(rows: Rows, t: int, u: float, lowest: float, highest: float) -> None:
    rows.up[t] = 0.0 if u < highest else -BARRED
    rows.low[t] = 0.0 if u > lowest else BARRED


@compiled
def _shrink(rows: Rows, cache: Cache, m: int, top: float, floor: float) -> int:
    """Drop rows that are at a bound and would only be pushed beyond it; return how many stay."""
    keep = np.empty(m, np.int64)
    kept = 0
    for t in range(m):
        f = rows.residual[t]
        if not (rows.up[t] != 0 and f > top) and not (rows.low[t] != 0 and f < floor):
            keep[kept] = t
            kept += 1
    if kept > SHRINK_TO * m:
        return m
    in_play = np.zeros(cache.slot.size, np.bool_)
    for k in range(kept):
        t = keep[k]  # t >= k, so packing in place is safe
        rows.place[k] = rows.place[t]
        rows.residual[k] = rows.residual[t]
        rows.up[k] = rows.up[t]
        rows.low[k] = rows.low[t]
        rows.diagonal[k] = rows.diagonal[t]
        in_play[rows.place[k]] = True
    source = cache.whole if m == cache.slot.size else cache.packed
    for s in range(cache.filled[0]):
        if in_play[cache.owner[s]]:
            for k in range(kept):
                cache.packed[s, k] = source[s, keep[k]]
    return kept


@compiled
def _enter_all(
    pair: Pair, kernel: Kernel, cache: Cache, rows: Rows, dual: Float64, first: int,
    costs: Costs,
) -> None:  # fmt: skip
    """Bring all rows into play, with residuals recomputed from the dual variables."""
    n = dual.size
    for t in range(n):
        norm = pair.norms[pair.start + t if t < first else pair.other_start + t - first]
        rows.diagonal[t] = kernel_with_itself(norm, kernel)
        lowest, highest = _bounds(t, first, costs)
        rows.place[t] = t
        rows.residual[t] = 1.0 if t < first else -1.0
        _set_bounds(rows, t, dual[t], lowest, highest)
    for t in range(n):
        u = dual[t]
        if u != 0.0:
            row = cache.packed[0, :n]  # with all rows in play no packed row is needed
            if cache.slot[t] >= 0:
                row = cache.whole[cache.slot[t], :n]
            else:
                _fill(pair, kernel, t, row)
            for k in range(n):
                rows.residual[k] -= u * row[k]


@compiled
def _bias(rows: Rows, n: int, top: float, floor: float) -> float:
    """Return the mean residual of the rows off both bounds, or (top + floor) / 2 if none is."""
    total, free = 0.0, 0
    for t in range(n):
        if rows.up[t] == 0 and rows.low[t] == 0:
            total += rows.residual[t]
            free += 1
    return total / free if free else (top + floor) / 2


@compiled
def _kernel_row(
    pair: Pair, kernel: Kernel, cache: Cache, places: Int64, position: int, m: int, now: int
) -> Float32:
    """Return the kernel row of the row at `position`, over the m rows in play."""
    n = cache.slot.size
    t = places[position]
    s = cache.slot[t]
    if s < 0:
        s = _free_slot(cache)
        cache.slot[t], cache.owner[s] = s, t
        _fill(pair, kernel, t, cache.whole[s, :n])
        if m < n:
            for k in range(m):
                cache.packed[s, k] = cache.whole[s, places[k]]
    cache.used_at[s] = now
    return cache.whole[s, :n] if m == n else cache.packed[s, :m]


@compiled
def _free_slot(cache: Cache) -> int:
    if cache.filled[0] < cache.owner.size:
        cache.filled[0] += 1
        return int(cache.filled[0] - 1)
    s = np.argmin(cache.used_at)
    cache.slot[cache.owner[s]] = -1
    return int(s)


@compiled
def _fill(pair: Pair, kernel: Kernel, t: int, out: Float32) -> None:
    """Fill `out` with kernel row t of the problem, from two stretches of one row of products."""
    first = pair.stop - pair.start
    row = pair.start + t if t < first else pair.other_start + t - first
    products, norm = pair.products[row], pair.norms[row]
    mine, other = slice(pair.start, pair.stop), slice(pair.other_start, pair.other_stop)
    fill_kernel_row(products[mine], pair.norms[mine], norm, kernel, out[:first])
    fill_kernel_row(products[other], pair.norms[other], norm, kernel, out[first:])


@compiled
def _empty_cache(whole: Float32, packed: Float32, n: int) -> Cache:
    capacity = len(whole)
    slot, owner = np.full(n, -1), np.full(capacity, -1)
    return Cache(whole, packed, slot, owner, np.full(capacity, -1), np.zeros(1, np.int64))
