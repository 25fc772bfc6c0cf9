"""The code hash of a model of your own: your code counts, what is installed counts by version."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tests.models.written import MEANS, write_model
from tune_mnist.code_hash import code_hash, libraries_of, own_modules, reached
from tune_mnist.errors import InputError
from tune_mnist.models import own
from tune_mnist.searching.on_ray.own_code import arrive, own_code
from tune_mnist.spaces import read_space

LAYERS = "from deeper.sums import add\n\ndef unused():\n    return 1\n"
TEXT = MEANS.replace("import numpy as np", "import numpy as np\nfrom layers import add").replace(
    "np.add.at(sums,", "add(sums,"
)


def write(folder: Path) -> Path:
    """Write a model of three modules of its own; return its space."""
    space = write_model(folder, TEXT)
    (folder / "layers.py").write_text(LAYERS)
    (folder / "deeper").mkdir(exist_ok=True)
    (folder / "deeper" / "__init__.py").touch()
    (folder / "deeper" / "sums.py").write_text("import numpy as np\n\nadd = np.add.at\n")
    return space


def changed(folder: Path, file: str, old: str, new: str) -> bool:
    """Return whether a change in one of the model's files changes its hash."""
    space = write(folder)
    read_space(space)
    before = code_hash("means:train")
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    read_space(space)
    return code_hash("means:train") != before


COUNTS = {
    "the function": ("means.py", "// 2 + 1", "// 3 + 1"),
    "a default": ("means.py", "= 1.0", "= 2.0"),
    "a module beside it": ("layers.py", "deeper.sums import add", "numpy import multiply as add"),
    "a module of its package": ("deeper/sums.py", "np.add.at", "np.subtract.at"),
}
LEAVES = {
    "a comment": ("means.py", "    def predict", "    # nearest mean\n    def predict"),
    "what it does not use": ("layers.py", "return 1", "return 2"),
}


@pytest.mark.parametrize("what", COUNTS)
def test_it_counts(what: str, tmp_path: Path) -> None:
    assert changed(tmp_path, *COUNTS[what])


@pytest.mark.parametrize("what", LEAVES)
def test_it_does_not_count(what: str, tmp_path: Path) -> None:
    assert not changed(tmp_path, *LEAVES[what])


def test_our_own_code_that_calls_it_counts_and_our_list_of_names_does_not(tmp_path: Path) -> None:
    read_space(write(tmp_path))
    found = reached("means:train").definitions
    assert ("tune_mnist.training.own.reporter", "Reporter") in found
    assert ("deeper.sums", "add") in found
    assert not [name for module, name in found if module == "tune_mnist"]


def test_the_libraries_that_it_names_count_by_their_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.replace("import numpy as np", "import numpy as np\nfrom sklearn.base import clone")
    space = write(tmp_path)
    (tmp_path / "means.py").write_text(text.replace("report(predict)", "report(clone(predict))"))
    read_space(space)
    assert {"numpy", "scikit-learn", "torch"} <= libraries_of("means:train").keys()
    before, version = code_hash("means:train"), metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: "0" if n == "scikit-learn" else version(n))
    assert code_hash("means:train") != before


def test_all_its_modules_are_sent_to_other_machines(tmp_path: Path) -> None:
    read_space(write(tmp_path))
    names = ("deeper", "layers.py", "means.py")
    assert own_modules("means:train") == tuple(tmp_path / name for name in names)
    assert own_modules("svm") == ()


def test_a_process_that_finds_other_code_than_the_driver_does_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_space(write(tmp_path))
    code = own_code("means:train")
    assert [one.model for one in code] == ["means:train"]
    monkeypatch.setattr(own, "_LOADED", {})  # as in a process that has just started
    arrive(code)
    monkeypatch.setattr(own, "_LOADED", {})
    (tmp_path / "layers.py").write_text(LAYERS.replace("import add", "import np as add"))
    with pytest.raises(ValueError, match="means:train has changed since the search began"):
        arrive(code)


def test_what_its_source_does_not_show_is_refused(tmp_path: Path) -> None:
    text = MEANS.replace("def train(", "def _train(") + "\nglobals()['train'] = _train\n"
    read_space(write_model(tmp_path, text, "hidden"))
    with pytest.raises(InputError, match="its code cannot be read, so no result could be trusted"):
        code_hash("hidden:train")
