"""What the tests of training share: compiled code that is never out of date, and the digits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import tune_mnist.training
from tune_mnist.datasets import Dataset, LoadOptions, load_dataset

# Numba's cache notices a change in a function's own file, but not in the file of a function that it
# calls. So the tests' cache folder is named after all sources; it is set before numba is imported.
_sources = sorted(Path(tune_mnist.training.__file__).parent.rglob("*.py"))
_digest = hashlib.sha256(b"".join(path.read_bytes() for path in _sources)).hexdigest()[:16]
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(__file__).parents[2] / ".pytest_cache" / f"numba-{_digest}")
)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """1,257 training, 179 validation and 361 test images; read-only, like arrays shared by Ray."""
    return load_dataset("digits", LoadOptions(download=False))
