"""The number format of a network's matrix products.

What: in bfloat16, matrix products read and write numbers of 8 significant bits and sum them in
float32. Weights, their updates, BatchNorm's statistics and the loss stay in float32 (torch's
autocast). A GPU uses bfloat16, or float16 if it is too old for bfloat16, unless a configuration
says float32. A CPU uses float32 unless a configuration says bfloat16.

Why not exact: it is a different training, whose accuracies scatter like those of another seed.

What it buys: on an AMD EPYC with AVX512_BF16 a ResNet-18 trains 1.29x as fast at batch 16, 1.37x at
batch 32 and 1.57x at batch 64 (benchmarks/bfloat16.py).
"""

from __future__ import annotations

import torch

from tune_mnist.errors import input_error
from tune_mnist.training.resnet.config import Precision


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(bool(can.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def product_dtype(precision: Precision | None, device: torch.device) -> torch.dtype:
    """Return the type of matrix products; for None, the one that the device does best.

    Raises: InputError: bfloat16 on a device that could only emulate it.
    """
    if precision is None:
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if has_bfloat16(device) else torch.float16
    if precision == "bfloat16" and not has_bfloat16(device):
        problem = f"bfloat16, but torch finds no instructions for it on this {device.type}"
        raise input_error("resnet", problem, "use float32, or leave it out", "precision")
    return torch.float32 if precision == "float32" else torch.bfloat16


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context in which matrix products run in this type.

    It does not cache cast weights: a step uses each weight once, and a CUDA graph cannot keep them.
    """
    enabled = dtype != torch.float32
    return torch.autocast(device.type, dtype, enabled=enabled, cache_enabled=False)
