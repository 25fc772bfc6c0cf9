"""The code hash: what can change a result changes it, and nothing else does."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

import tune_mnist
from tune_mnist.code_hash import LIBRARIES, ROOTS, code_hash, hash_of
from tune_mnist.training.model import TRAINERS

PACKAGE = Path(tune_mnist.__file__).parent
SMO = "training/svm/smo.py"


def hashes(package: Path) -> dict[str, str]:
    return {model: hash_of(package, roots) for model, roots in ROOTS.items()}


BEFORE = hashes(PACKAGE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package's sources, to be changed."""
    ignored = shutil.ignore_patterns("__pycache__", "*.html", "*.js", "*.css")
    return Path(shutil.copytree(PACKAGE, tmp_path / "tune_mnist", ignore=ignored))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_every_model_has_a_hash_of_its_own() -> None:
    assert set(ROOTS) == set(LIBRARIES) == set(TRAINERS)
    assert len({code_hash(model) for model in ROOTS}) == len(ROOTS)


def test_comments_docstrings_layout_and_annotations_leave_it(copy: Path) -> None:
    for file in sorted((copy / "training").rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.returns = None
                if ast.get_docstring(node):
                    node.body[0] = ast.Expr(ast.Constant("Another docstring."))
        file.write_text("# another comment\n" + ast.unparse(ast.fix_missing_locations(tree)))
    assert hashes(copy) == BEFORE


def test_a_file_that_moves_leaves_it(copy: Path) -> None:
    (copy / SMO).rename(copy / "training" / "solver.py")
    old, new = "tune_mnist.training.svm.smo", "tune_mnist.training.solver"
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    assert hashes(copy) == BEFORE


def test_a_changed_constant_of_the_solver_changes_the_svms_alone(copy: Path) -> None:
    change(copy / SMO, "TAU = ", "TAU = 2 * ")
    after = hashes(copy)
    assert after["svm"] != BEFORE["svm"]
    assert after["resnet"] == BEFORE["resnet"]


def test_a_changed_function_some_calls_away_changes_it(copy: Path) -> None:
    change(copy / "datasets/fraction.py", "np.rint", "np.floor")
    after = hashes(copy)
    assert all(after[model] != BEFORE[model] for model in ROOTS)


def test_another_library_under_the_same_name_changes_it(copy: Path) -> None:
    change(copy / "training/resnet/step.py", "import torch\n", "import other as torch\n")
    assert hashes(copy)["resnet"] != BEFORE["resnet"]


def test_what_no_training_reaches_leaves_it(copy: Path) -> None:
    change(copy / "errors.py", "did you mean", "perhaps")
    with (copy / SMO).open("a") as file:
        file.write("\n\ndef never_called() -> int:\n    return 1\n")
    assert hashes(copy) == BEFORE


def test_the_words_of_an_error_leave_it(copy: Path) -> None:
    change(copy / "training/resnet/train.py", "fewer than 2 training images", "too few images")
    assert hashes(copy) == BEFORE
