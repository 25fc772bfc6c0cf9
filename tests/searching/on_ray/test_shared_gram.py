"""The matrix that the driver builds for its trials: beside their start, and on nobody's clock."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.searching.conftest import SVM, TWO_CPUS, Searched, plan_text
from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.shared_gram import shared_gram
from tune_mnist.searching.planning.plan import with_engine
from tune_mnist.training.images import AS_STORED
from tune_mnist.training.svm import gram
from tune_mnist.training.svm.train import load_engine

MAPS = Path("/proc/self/maps")
SLOW_S = 6.0


def never() -> bool:
    return False


@pytest.fixture
def slow_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the driver's building take longer than a trial's process takes to start.

    Numba's cache is filled first: in a new checkout the first process would compile for seconds.
    """
    load_engine()
    build = gram._build

    def slowly(data: Dataset, part: Path, threads: int, over: Callable[[], bool]) -> None:
        end = time.monotonic() + SLOW_S
        while time.monotonic() < end and not over():
            time.sleep(0.05)
        time.sleep(0.3)  # what the driver must wait for before it removes the files
        build(data, part, threads, over)

    monkeypatch.setattr(gram, "_build", slowly)


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux lists what a process maps")
def test_the_driver_maps_nothing_of_the_matrix_so_removing_it_frees_it(few_digits: Dataset) -> None:
    with shared_gram(few_digits, AS_STORED, 1, never) as shared:
        shared.seconds.result()
        assert isinstance(shared.place, Path)
        assert list(shared.place.glob("gram-*/products.npy"))
        assert str(shared.place) not in MAPS.read_text()
        shared.remove()
        assert not shared.place.exists()


def test_a_search_that_is_over_builds_no_further(few_digits: Dataset) -> None:
    with shared_gram(few_digits, AS_STORED, 1, lambda: True) as shared:
        with pytest.raises(CancelledError):
            shared.seconds.result()
        assert isinstance(shared.place, Path)
        assert not list(shared.place.glob("gram-*/products.npy"))


@pytest.mark.usefixtures("slow_build")
def test_waiting_for_the_matrix_is_in_no_trials_time(search: Callable[..., Searched]) -> None:
    outcome, rows = search(SVM, engine="shared-gram", trial_timeout_s=SLOW_S / 2)
    assert outcome.gram_s > SLOW_S
    assert {row["status"] for row in rows} == {"completed"}
    held = [(row["finished"] - row["started"]).total_seconds() for row in rows]
    assert max(held) < SLOW_S / 2


@pytest.mark.usefixtures("slow_build")
def test_a_time_budget_ends_the_building_too(search: Callable[..., Searched]) -> None:
    began = time.monotonic()
    outcome, rows = search(SVM, engine="shared-gram", time_budget_s=1.0)
    assert (outcome.reason, rows, outcome.gram_s) == ("time budget", [], 0)
    assert time.monotonic() - began < 30


def test_no_room_for_the_matrix_is_one_error_and_no_failed_trial(
    search: Callable[..., Searched], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gram, "new_array", full)
    with pytest.raises(InputError, match=r"no room for the Gram matrix, which needs 0\.0 GB"):
        search(SVM, engine="shared-gram")
    assert not list(tmp_path.glob("results/trials/**/*.parquet"))


def test_a_space_of_one_size_shares_a_matrix_of_images_of_that_size(
    search: Callable[..., Searched],
) -> None:
    text = SVM.replace("search:", "  image_size: 12\nsearch:").replace("[0.1, 1.0, 10.0]", "[1.0]")
    _, shared = search(text, "shared", engine="shared-gram")
    _, alone = search(text, "alone", engine="scikit-learn")
    engines = {row["engine"] for row in shared}, {row["engine"] for row in alone}
    assert engines[0] == {"shared-gram"} != engines[1]
    by_kernel = [
        {row["config.kernel"]: (row["confusion"], row["config.image_size"]) for row in rows}
        for rows in (shared, alone)
    ]
    assert by_kernel[0] == by_kernel[1]


def test_several_sizes_are_never_on_one_matrix(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    text = SVM.replace("search:", "  image_size: {choice: [8, 12]}\nsearch:")
    plan = plan_text(tmp_path, text.replace("[0.1, 1.0, 10.0]", "[1.0]"))
    many = Images(
        np.tile(few_digits.train.images, (20, 1, 1)), np.tile(few_digits.train.labels, 20)
    )
    engine = with_engine(plan, replace(few_digits, train=many), TWO_CPUS).engine
    assert engine is not None
    assert engine[0] != "shared-gram"
    assert "2 sizes and colours of the images would need a matrix each" in engine[1]
    _, rows = search(text.replace("[0.1, 1.0, 10.0]", "[1.0]"))
    assert sorted(row["config.image_size"] for row in rows) == [8, 8, 12, 12]
    assert len({row["data_hash"] for row in rows}) == 1
