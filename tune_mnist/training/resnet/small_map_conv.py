"""Convolution on a map with fewer pixels than the kernel has taps, as one dense layer.

What: on a 2×2 map only four of the nine taps of a 3×3 kernel meet data at each output pixel; five
meet padding. The taps are copied into the dense matrix from all input pixels to all output pixels,
which leaves out the multiplications by padding.

Why exact: the same products without those by zero, summed in another order. The gradient of the
matrix is summed back onto the taps that were copied into it.

What it buys: at 32×32 input, 2.25 times fewer multiplications in most of layer3, in matrix products
at full speed: 3 % of a ResNet-18 step at batch 16, 12 % at batch 32. The copy costs the same for
every batch size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tune_mnist.training.resnet.matrix_product import linear

Pair = tuple[int, int]
Block = tuple[tuple[slice | int, ...], tuple[slice, ...]]


def convolve_small_map(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Return `conv2d(x, weight, None, stride, padding)`, channels-last.

    Args:
        x: (n, i, h, w), best channels-last in memory.
        weight: (o, i, kh, kw), best channels-last in memory.
        stride: rows and columns that the kernel moves.
        padding: rows and columns of zeros around x.

    Returns:
        (n, o, oh, ow).
    """
    matrix: Tensor = _DenseMatrix.apply(weight, x.shape[2:], stride, padding)
    oh, ow, o, h, w, i = matrix.shape
    pixels = linear(x.permute(0, 2, 3, 1).flatten(1), matrix.view(oh * ow * o, h * w * i))
    return pixels.view(len(x), oh, ow, o).permute(0, 3, 1, 2)


class _DenseMatrix(torch.autograd.Function):
    """Kernel (o, i, kh, kw) to (oh, ow, o, h, w, i): the weight from each input to each output."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, size: Pair, stride: Pair, padding: Pair) -> Tensor:
        o, i, *kernel = weight.shape
        out = [(size[s] + 2 * padding[s] - kernel[s]) // stride[s] + 1 for s in (0, 1)]
        ctx.shape = weight.shape
        ctx.blocks = list(_blocks((kernel[0], kernel[1]), size, out, stride, padding))
        taps = weight.permute(0, 2, 3, 1)
        filled = sum(taps[in_kernel].shape[1:3].numel() for _, in_kernel in ctx.blocks)
        whole = filled == math.prod((*out, *size))  # every output depends on every input pixel
        new = weight.new_empty if whole else weight.new_zeros
        matrix = new(*out, o, *size, i)
        for in_matrix, in_kernel in ctx.blocks:
            matrix[in_matrix] = taps[in_kernel]
        return matrix

    @staticmethod
    def backward(ctx: Any, d_matrix: Tensor) -> tuple[Tensor, None, None, None]:
        o, i, kh, kw = ctx.shape
        d_taps = d_matrix.new_zeros(o, kh, kw, i)
        for in_matrix, in_kernel in ctx.blocks:
            d_taps[in_kernel] += d_matrix[in_matrix]
        return d_taps.permute(0, 3, 1, 2), None, None, None


def _blocks(
    kernel: Pair, size: Pair, out: list[int], stride: Pair, padding: Pair
) -> Iterator[Block]:
    """Yield, for each output pixel, where its live taps are in the matrix and in the kernel."""
    for row in range(out[0]):
        for column in range(out[1]):
            pixels, taps = [], []
            for side, position in enumerate((row, column)):
                first = position * stride[side] - padding[side]  # the pixel under the first tap
                start, stop = max(0, first), min(size[side], first + kernel[side])
                pixels.append(slice(start, stop))
                taps.append(slice(start - first, stop - first))
            yield (row, column, slice(None), *pixels), (slice(None), *taps)
