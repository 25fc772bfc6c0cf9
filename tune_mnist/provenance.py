"""Where a result comes from: host, processor, library versions and commit."""

from __future__ import annotations

import platform
import socket
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from tune_mnist.version import __version__

_PACKAGE = Path(__file__).parent
_LIBRARIES = (
    "torch",
    "torchvision",
    "scikit-learn",
    "scikit-learn-intelex",
    "daal",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
)
_SEARCH_LIBRARIES = ("ray", "optuna", "pyarrow")


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
    found = {"python": platform.python_version(), "tune_mnist": __version__}
    for name in (*_LIBRARIES, *_SEARCH_LIBRARIES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str:
    """Return the commit of tune_mnist's checkout, with "+" if modified; "" outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(_PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A virtualenv inside somebody else's repository would report that one's commit.
        if not git("ls-files", "--", str(_PACKAGE / "__init__.py")):
            return ""
        modified = git("status", "--porcelain", "--untracked-files=no", "--", str(_PACKAGE))
        return git("rev-parse", "HEAD") + ("+" if modified else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
