"""What this machine has for a search: cores, GPUs, memory, number formats."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """What this machine has for a search.

    Args:
        cpus: cores that this process may run on.
        gpus: CUDA devices that torch can see.
        memory_bytes: physical memory not in use.
        bfloat16: whether the processor has instructions for it; None if nobody has looked.
    """

    cpus: int
    gpus: int
    memory_bytes: int
    bfloat16: bool | None = None


def this_machine(*, ask_torch: bool) -> Machine:
    """Look at the machine.

    Args:
        ask_torch: whether to ask it of GPUs and bfloat16, which takes its import (seconds).
    """
    import psutil

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        cpus=cpus or 1,
        gpus=_gpus() if ask_torch else 0,
        memory_bytes=psutil.virtual_memory().available,
        bfloat16=_bfloat16() if ask_torch else None,
    )


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _bfloat16() -> bool:
    import torch

    from tune_mnist.training.resnet.precision import has_bfloat16

    return has_bfloat16(torch.device("cpu"))
