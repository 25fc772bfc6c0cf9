"""The spaces that ship can be read, and have the sizes that the technical report gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tune_mnist.errors import InputError
from tune_mnist.spaces import configurations, find_space, read_space, shipped_spaces, size

SIZES: dict[str, tuple[int | None, int | None]] = {  # on a CPU, on a GPU
    "logistic": (None, None),
    "report/devices": (8, 8),
    "report/resnet": (32, 64),
    "report/svm": (20, 20),
    "resnet-wide": (None, None),
    "resnet": (None, None),
    "svm": (None, None),
    "which": (None, None),
}


def test_exactly_these_spaces_ship() -> None:
    assert list(shipped_spaces()) == list(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_a_shipped_space_loads_under_its_name_with_its_size(name: str) -> None:
    space = read_space(find_space(name))
    assert space.name == name
    assert (size(space, "cpu"), size(space, "gpu")) == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
def test_a_shipped_space_opens_with_the_command_that_runs_it(name: str) -> None:
    text = find_space(name).read_text(encoding="utf-8")
    assert f"#   python -m tune_mnist search {name}" in text


def test_the_svm_grid_is_the_reports() -> None:
    found = list(configurations(read_space(find_space("report/svm")), "cpu"))
    expected = [("rbf", c, g, None) for c in (0.1, 1.0, 10.0, 100.0) for g in ("scale", 0.001)] + [
        ("poly", c, g, d) for c in (0.1, 1.0, 10.0) for g in ("scale", 0.01) for d in (2, 3)
    ]
    assert [(c["kernel"], c["C"], c["gamma"], c.get("degree")) for c in found] == expected


def test_the_device_comparison_is_the_reports() -> None:
    found: list[Any] = list(configurations(read_space(find_space("report/devices")), "gpu"))
    assert {(c["device"], c["architecture"], c["optimizer"]) for c in found} == {
        (device, network, optimizer)
        for device in ("cpu", "gpu")
        for network in ("resnet18", "resnet50")
        for optimizer in ("sgd", "adam")
    }
    assert {(c["batch_size"], c["learning_rate"], c["epochs"]) for c in found} == {(16, 1e-3, 10)}
    assert all(c.get("pin_memory") == (True if c["device"] == "gpu" else None) for c in found)


def test_an_unknown_space_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"report/svn: no such space; did you mean report/svm\?"):
        find_space("report/svn")


def test_your_own_file_is_found_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / "svm.yaml"
    own.write_text("model: svm\ndataset: digits\nparameters: {C: 1.0}\n")
    assert find_space(str(own)) == own
    assert read_space(own).name == "svm"


def test_reading_a_space_imports_nothing_heavy() -> None:
    """`--help` and `spaces` stay fast."""
    code = (
        "import sys; from tune_mnist.spaces import *;"
        "space = read_space(find_space('report/svm')); size(space, 'cpu');"
        "print({'torch', 'ray', 'pandas', 'optuna', 'numpy', 'sklearn'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
