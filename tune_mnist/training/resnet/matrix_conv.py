"""Convolution on a CPU as matrix products, where they are faster than oneDNN's convolution.

What: activations and kernels are channels-last in memory, so the patch of pixels under a kernel is
a few contiguous runs. A kernel that meets its whole input at once, or one pixel at a time, is a
plain linear layer. On a map with fewer pixels than the kernel has taps, it is a dense layer
(small_map_conv.py). For every other kernel the gradient of the weights is one matrix product of
output gradients and patches; the output and the gradient of the input stay oneDNN's.

Why exact: a convolution is that product by definition; only the order of the sums differs.

What it buys: on maps of 8×8 pixels and fewer, all there are at 32×32 input, oneDNN computes the
gradient of the weights at a half to a sixth of the speed of a matrix product (AVX2). A ResNet-18
step at batch 16 takes three quarters of the time that it takes with oneDNN's convolution only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from tune_mnist.training.resnet.matrix_product import linear, product
from tune_mnist.training.resnet.small_map_conv import Pair, convolve_small_map

_FEW_CHANNELS = 8  # with fewer, patches are short runs, and oneDNN's convolution is faster


def convolve(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Return `conv2d(x, weight, None, stride, padding)`, channels-last on a CPU.

    Args:
        x: (n, i, h, w), float.
        weight: (o, i, kh, kw), best channels-last in memory.
        stride: rows and columns that the kernel moves.
        padding: rows and columns of zeros around x.

    Returns:
        (n, o, oh, ow), in autocast's type if autocast is on.
    """
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):  # on a GPU conv2d casts
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
    if x.is_cuda or weight.shape[1] < _FEW_CHANNELS:
        return conv2d(x, weight, None, stride, padding)
    if padding == (0, 0):
        if weight.shape[2:] == x.shape[2:]:
            return linear(_rows(x), _rows(weight))[:, :, None, None]
        if weight.shape[2:] == (1, 1):
            pixels = x[:, :, :: stride[0], :: stride[1]].permute(0, 2, 3, 1)
            rows = linear(pixels.reshape(-1, x.shape[1]), _rows(weight))
            return rows.view(*pixels.shape[:3], -1).permute(0, 3, 1, 2)
    if x.shape[2] * x.shape[3] < weight.shape[2] * weight.shape[3]:
        return convolve_small_map(x, weight, stride, padding)
    y: Tensor = _Convolution.apply(x, weight, stride, padding)
    return y


def _rows(x: Tensor) -> Tensor:
    """Return (n, c, h, w) as (n, h*w*c): a view where x is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _patches(x: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Return the input pixels under the kernel at each output pixel of x (n, c, h, w).

    Returns: (n*oh*ow, kh*kw*c).
    """
    x = x.permute(0, 2, 3, 1)
    if padding != (0, 0):
        x = pad(x, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    n, h, w, c = x.shape
    out = [(size - k) // s + 1 for size, k, s in zip((h, w), kernel, stride, strict=True)]
    image, row, column, channel = x.stride()
    windows = x.as_strided(
        (n, *out, *kernel, c), (image, row * stride[0], column * stride[1], row, column, channel)
    )
    return windows.reshape(n * out[0] * out[1], kernel[0] * kernel[1] * c)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        o, i, kh, kw = weight.shape
        patches = _patches(x, (kh, kw), ctx.stride, ctx.padding)
        dy_rows = dy.permute(0, 2, 3, 1).reshape(-1, o)
        d_weight = product(dy_rows.t(), patches.t()).view(o, kh, kw, i).permute(0, 3, 1, 2)
        dx, _, _ = torch.ops.aten.convolution_backward(
            dy,
            x,
            weight,
            None,
            ctx.stride,
            ctx.padding,
            (1, 1),
            False,
            (0, 0),
            1,
            (ctx.needs_input_grad[0], False, False),
        )
        return dx, d_weight, None, None
