"""The matrix that the driver builds for its trials: it keeps no part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.datasets import Dataset
from tune_mnist.search.shared_gram import shared_gram

MAPS = Path("/proc/self/maps")


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux lists what a process maps")
def test_the_driver_maps_nothing_of_the_matrix_so_removing_it_frees_it(few_digits: Dataset) -> None:
    with shared_gram(few_digits, 1, over=lambda: False) as gram:
        gram.seconds.result()
        assert list(gram.folder.glob("gram-*/products.npy"))
        assert str(gram.folder) not in MAPS.read_text()
        gram.remove()
        assert not gram.folder.exists()
