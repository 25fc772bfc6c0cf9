"""What a search runs on: the machine, the library versions, the commit and the code that counts."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import tune_mnist

_LIBRARIES = ("torch", "torchvision", "scikit-learn", "scikit-learn-intelex", "numpy", "numba")
_SEARCH_LIBRARIES = ("ray", "optuna", "pyarrow")


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

    from tune_mnist.training.precision import has_bfloat16

    return has_bfloat16(torch.device("cpu"))


@cache
def cpu_name() -> str:
    """Return the processor's name as the system has it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no such file outside Linux
    return platform.processor() or platform.machine()


@cache
def gpu_name() -> str:
    """Return the name of the GPU that this process computes on."""
    import torch

    return str(torch.cuda.get_device_name())


@cache
def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


@cache
def versions() -> dict[str, str]:
    """Return the version of Python and of each library that a search uses, where installed."""
    found = {"python": platform.python_version(), "tune_mnist": tune_mnist.__version__}
    for name in (*_LIBRARIES, *_SEARCH_LIBRARIES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str:
    """Return the commit of tune_mnist's checkout, with "+" if modified; "" outside a checkout."""
    package = Path(tune_mnist.__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A virtualenv inside somebody else's repository would report that one's commit.
        if not git("ls-files", "--", str(package / "__init__.py")):
            return ""
        modified = git("status", "--porcelain", "--untracked-files=no", "--", str(package))
        return git("rev-parse", "HEAD") + ("+" if modified else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def code_hash() -> str:
    """Return a hash of what can change a trial's result: our training code and its libraries.

    The git commit is not it: most commits change no result.
    """
    package = Path(tune_mnist.__file__).parent
    digest = hashlib.sha256()
    for room in ("datasets", "training"):
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    for name, version in versions().items():
        if name in _LIBRARIES:
            digest.update(f"{name}={version}\0".encode())
    return digest.hexdigest()[:16]
