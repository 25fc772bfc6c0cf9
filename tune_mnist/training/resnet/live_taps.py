"""Train only those taps of a convolution's kernel that can matter at this input size.

What: a tap is one position of a kernel. On small maps some taps only ever meet the padding. At
32×32 input layer4 of a ResNet works on 1×1 maps: one tap in nine of its 3×3 kernels meets data, and
four in the strided one. The other, dead taps are cut off, and the padding shrinks with the kernel.
One forward pass shows which taps are dead, for any input size.

Why exact: a dead tap is only ever multiplied by zeros. It adds nothing to the output and its
gradient is zero, so neither SGD with momentum nor Adam ever moves it: it keeps its initial value,
which is stored. Weight decay would shrink it in torchvision's network, and still it would meet only
zeros: the outputs are equal, the stored dead taps are not. The whole kernel is drawn before the
cut, so the random numbers are torchvision's. `state_dict()` joins the taps again and fits
torchvision's network; `load_state_dict()` accepts a state of that network.

What it buys: at 32×32 input, 4.23 of ResNet-18's 11.18 million weights (18.0 of 23.5 in ResNet-50)
are left to multiply and to update; the others belong to layer4 and were the slowest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tune_mnist.training.resnet.matrix_conv import convolve
from tune_mnist.training.resnet.small_map_conv import Pair


def live_range(size: int, kernel: int, stride: int, padding: int) -> range:
    """Return the shortest range of taps, along one side, that holds all live taps.

    Args:
        size: pixels of the input along that side.
        kernel, stride, padding: of the convolution along that side; without dilation.
    """
    outputs = (size + 2 * padding - kernel) // stride + 1
    live = [
        tap
        for tap in range(kernel)
        if any(0 <= out * stride - padding + tap < size for out in range(outputs))
    ]
    return range(live[0], live[-1] + 1)


class LiveConv2d(nn.Module):
    """A Conv2d without bias, dilation or groups that trains only the live part of its kernel.

    Args:
        conv: the convolution to replace; its weight, drawn already, is copied.
        rows: live taps along the height.
        columns: live taps along the width.
    """

    def __init__(self, conv: nn.Conv2d, rows: range, columns: range) -> None:
        super().__init__()
        self.live = (..., slice(rows.start, rows.stop), slice(columns.start, columns.stop))
        whole = conv.weight.detach()
        self.weight = nn.Parameter(whole[self.live].clone(memory_format=torch.channels_last))
        self.whole = whole if self.weight.shape != whole.shape else None
        self.stride: Pair = (conv.stride[0], conv.stride[1])
        padding = [int(pixels) for pixels in conv.padding]
        self.padding: Pair = (padding[0] - rows.start, padding[1] - columns.start)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (n, i, h, w) with the whole kernel: (n, o, oh, ow)."""
        return convolve(x, self.weight, self.stride, self.padding)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.whole is not None:
            whole = self.whole.to(self.weight, copy=True)
            whole[self.live] = self.weight.detach()
            destination[prefix + "weight"] = whole

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        key = prefix + "weight"
        if self.whole is not None and key in state_dict:
            self.whole = state_dict[key].detach().to(self.whole, copy=True)
            state_dict = {**state_dict, key: state_dict[key][self.live]}
        super()._load_from_state_dict(state_dict, prefix, *rest)


def keep_live_taps(network: nn.Module, height: int, width: int) -> None:
    """Replace each plain convolution of a network, in place, by a `LiveConv2d`.

    Args:
        network: takes (n, 3, height, width); its weights are drawn, nothing is trained yet.
        height, width: size of every image that the network will see. For images of another size
            its output would be wrong.
    """
    sizes: dict[nn.Module, torch.Size] = {}

    def note(conv: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        sizes[conv] = inputs[0].shape[2:]

    plain = {name: m for name, m in network.named_modules() if _is_plain_convolution(m)}
    hooks = [conv.register_forward_hook(note) for conv in plain.values()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, height, width))
    network.train()
    for hook in hooks:
        hook.remove()
    for name, conv in plain.items():
        rows, columns = (
            live_range(size, conv.kernel_size[side], conv.stride[side], int(conv.padding[side]))
            for side, size in enumerate(sizes[conv])
        )
        network.set_submodule(name, LiveConv2d(conv, rows, columns))


def _is_plain_convolution(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and (module.bias, module.groups, module.dilation) == (None, 1, (1, 1))
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and all(p < k for p, k in zip(module.padding, module.kernel_size, strict=True))
    )
