"""A `Dataset` is identified by its content, and is shared without copies."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.written import small_images, write_idx
from tune_mnist.datasets import Dataset, Images, LoadOptions, load_dataset
from tune_mnist.datasets.dataset import content_hash
from tune_mnist.datasets.idx import FILES


def part(seed: int = 0) -> Images:
    return Images(small_images(6, seed), np.arange(6))


def test_hash_does_not_depend_on_packing_or_layout(tmp_path: Path) -> None:
    hashes = set()
    for packed in (True, False):
        for layout in (".", "raw", "MNIST/raw"):
            root = tmp_path / str(packed) / layout.replace("/", "-")
            write_idx(root / layout, packed=packed)
            hashes.add(load_dataset(str(root)).content_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("name", FILES)
def test_hash_changes_with_any_byte_of_any_file(tmp_path: Path, name: str) -> None:
    before = load_dataset(str(write_idx(tmp_path / "a", packed=False)))
    path = write_idx(tmp_path / "b", packed=False) / name
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)
    assert load_dataset(str(tmp_path / "b")).content_hash != before.content_hash


def test_hash_changes_with_the_test_set(idx_folder: Path) -> None:
    standard = load_dataset(str(idx_folder), LoadOptions(test_set="standard"))
    assert (
        standard.content_hash
        != load_dataset(str(idx_folder), LoadOptions(test_set="holdout")).content_hash
    )


def test_hash_distinguishes_shapes_of_equal_bytes() -> None:
    tall = Images(part().images.reshape(6, 4, 5), part().labels)
    assert content_hash((part(),), "s") != content_hash((tall,), "s")


def test_hash_of_mnist_has_not_changed(real_data: Path) -> None:
    data = load_dataset("mnist", LoadOptions(real_data, download=False))
    assert data.content_hash == "38051034048df2461483b12f0d60616fd90d198c591305e32b33bf2f3f94dda7"


def test_pickled_out_of_band_the_arrays_share_the_buffers(idx_folder: Path) -> None:
    data = load_dataset(str(idx_folder))
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    shared = [memoryview(bytes(buffer.raw())) for buffer in buffers]
    copy: Dataset = pickle.loads(stream, buffers=shared)
    assert len(stream) < 2_000
    for array in (copy.train.images, copy.val.labels, copy.test.images):
        assert any(np.shares_memory(array, np.frombuffer(buffer, np.uint8)) for buffer in shared)
        assert not array.flags.writeable
    np.testing.assert_array_equal(copy.test.images, data.test.images)


def test_importing_the_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, tune_mnist.datasets; "
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'PIL', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
