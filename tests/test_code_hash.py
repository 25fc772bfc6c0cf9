"""The code hash: what can change a result changes it, and nothing else does."""

from __future__ import annotations

import ast
import gc
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tune_mnist
from tune_mnist.code_hash import code_hash, hash_of, reached, roots_of
from tune_mnist.datasets import Dataset, load_dataset
from tune_mnist.models.registry import Definition, find_model, model_names
from tune_mnist.provenance import versions
from tune_mnist.training import model as training
from tune_mnist.training.options import TrainOptions

MODELS = model_names()
PACKAGE = Path(tune_mnist.__file__).parent
SMO = "training/svm/smo.py"
NO_ARITHMETIC = {"filelock", "threadpoolctl"}
PACKAGE_OF = {"sklearn": "scikit-learn", "sklearnex": "scikit-learn-intelex"}


def hashes(package: Path) -> dict[str, str]:
    return {model: hash_of(package, roots_of(model)) for model in MODELS}


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
    assert len(set(BEFORE.values())) == len(MODELS)  # without the versions of libraries


def test_comments_docstrings_layout_and_annotations_leave_it(copy: Path) -> None:
    for file in sorted((copy / "training").rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                if not node.decorator_list:  # a decorator may read them
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


def test_a_renamed_folder_leaves_it(copy: Path) -> None:
    (copy / "training/resnet").rename(copy / "training/convolutional")
    old, new = "tune_mnist.training.resnet", "tune_mnist.training.convolutional"
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    assert hashes(copy) == BEFORE


def test_a_changed_constant_of_the_solver_changes_the_svms_alone(copy: Path) -> None:
    change(copy / SMO, "TAU = ", "TAU = 2 * ")
    after = hashes(copy)
    assert after["svm"] != BEFORE["svm"]
    assert after["resnet"] == BEFORE["resnet"]


def test_a_changed_step_of_the_network_changes_the_resnets_alone(copy: Path) -> None:
    change(copy / "training/resnet/config.py", "INPUT_SIZE = ", "INPUT_SIZE = 1 + ")
    after = hashes(copy)
    assert after["resnet"] != BEFORE["resnet"]
    assert after["svm"] == BEFORE["svm"]


def test_a_changed_function_some_calls_away_changes_it(copy: Path) -> None:
    change(copy / "datasets/fraction.py", "np.rint", "np.floor")
    after = hashes(copy)
    assert all(after[model] != BEFORE[model] for model in MODELS)


def test_what_a_trainer_receives_counts(copy: Path) -> None:
    change(copy / "training/options.py", "seed: int = 0", "seed: int = 1")
    after = hashes(copy)
    assert all(after[model] != BEFORE[model] for model in MODELS)


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
    change(copy / "training/resnet/config.py", '"use 0.001"', '"use 0.01"')
    assert hashes(copy) == BEFORE


@pytest.mark.parametrize(
    ("model", "library"), [(model, one) for model in MODELS for one in find_model(model).libraries]
)
def test_another_version_of_a_library_changes_it(
    model: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version
    before = code_hash(model)  # not from the cache
    monkeypatch.setattr(metadata, "version", lambda n: "0" if n == library else version(n))
    assert code_hash(model) != before


@pytest.mark.parametrize("model", MODELS)
def test_the_table_of_libraries_has_all_that_a_training_names(model: str) -> None:
    named = reached(model).libraries - sys.stdlib_module_names - NO_ARITHMETIC
    assert named
    assert {PACKAGE_OF.get(name, name) for name in named} <= set(find_model(model).libraries)


@pytest.mark.parametrize("model", MODELS)
def test_a_row_names_the_versions_that_are_hashed(model: str) -> None:
    installed = {one.metadata["Name"] for one in metadata.distributions()}
    assert installed & set(find_model(model).libraries) <= set(versions())


def test_a_root_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="defines no trian"):
        hash_of(PACKAGE, [("tune_mnist.training.svm.train", "trian")])


# What a training calls is reached: seen by watching trainings, not by reading them.

SVM = {"kernel": "rbf", "C": 1.0}
RESNET = {
    "architecture": "resnet18",
    "batch_size": 32,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 1,
    "train_fraction": 0.05,
}


@contextmanager
def watched() -> Iterator[set[tuple[str, int]]]:
    """Collect the files of ours, and the first lines of their functions, that the block calls."""
    called: set[tuple[str, int]] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)):
            called.add((code.co_filename, code.co_firstlineno))

    gc.collect()  # or the block would be seen to close other tests' generators
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def definitions(called: set[tuple[str, int]]) -> set[Definition]:
    """Return the top-level functions and classes that hold these lines."""
    found = set()
    for name in {name for name, _ in called}:
        path = Path(name).relative_to(PACKAGE.parent).with_suffix("")
        dotted = ".".join(path.parts).removesuffix(".__init__")
        for node in ast.parse(Path(name).read_text("utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                lines = range(first, (node.end_lineno or 0) + 1)
                if any(name == file and line in lines for file, line in called):
                    found.add((dotted, node.name))
    return found


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.mark.parametrize(
    ("model", "config", "shares"),
    [
        ("svm", SVM, False),
        ("svm", SVM, True),
        ("svm", {**SVM, "kernel": "sigmoid", "train_fraction": 0.5}, False),
        ("resnet", RESNET, False),
    ],
)
def test_every_function_that_a_training_calls_is_reached(
    model: str, config: Mapping[str, Any], shares: bool, digits: Dataset, tmp_path: Path
) -> None:
    options = TrainOptions(threads=1, gram_dir=tmp_path if shares else None)
    train = training.find_model(model).train
    with watched() as called:
        train(config, digits, lambda *_: None, options)
    ours = {one for one in definitions(called) if one[0] != "tune_mnist.errors"}
    assert len(ours) > 5
    assert ours <= reached(model).definitions


# Small packages. In each, "@" stands for what changes.

F = "def f(): return @\n"
CALLS_F = "from tune_mnist.b import f\ndef train(): return f()\n"
S_AND_T = "from tune_mnist.b import S\nfrom tune_mnist.c import S as T\n"
Files = Mapping[str, str]

COUNTS: dict[str, tuple[Files, str, str]] = {
    "a function": ({"a": CALLS_F, "b": F}, "1", "2"),
    "a type of number": ({"a": CALLS_F, "b": F}, "1", "1.0"),
    "which of two same names": (
        {"a": S_AND_T + "def train(): return S - T, @\n", "b": "S = 1", "c": "S = 2"},
        "S",
        "T",
    ),
    "a module's attribute": (
        {"a": "import tune_mnist.b as m\ndef train(): return m.f()\n", "b": F},
        "1",
        "2",
    ),
    "a module passed around": (
        {"a": "from tune_mnist import b\ndef train(k): return getattr(b, k)()\n", "b": F},
        "1",
        "2",
    ),
    "a module imported by its name": (
        {"a": "def train(): return import_module('tune_mnist.b').f()\n", "b": F},
        "1",
        "2",
    ),
    "a relative import": (
        {"a": "from .b import f as g\ndef train(): return g()\n", "b": F},
        "1",
        "2",
    ),
    "a re-export": (
        {"a": "from tune_mnist.p import g\ndef train(): return g()\n", "b": F}
        | {"p/__init__": "from tune_mnist.b import f as g\n"},
        "1",
        "2",
    ),
    "an import inside a function": (
        {"a": "def train():\n    from tune_mnist.b import f\n    return f()\n", "b": F},
        "1",
        "2",
    ),
    "an import that may fail": (
        {
            "a": "try:\n    from tune_mnist.b import f\nexcept ImportError:\n"
            "    from other import f\ndef train(): return f()\n",
            "b": F,
        },
        "1",
        "2",
    ),
    "a function in a branch": ({"a": CALLS_F, "b": f"if sys:\n    {F}"}, "1", "2"),
    "what runs, type checkers aside": (
        {"a": "if not TYPE_CHECKING:\n    X = @\ndef train(): return X\n"},
        "1",
        "2",
    ),
    "a method": (
        {"a": "class K:\n    def size(self): return @\ndef train(): return K()\n"},
        "1",
        "2",
    ),
    "an attribute of a class": (
        {"a": "S = @\nclass K:\n    x = S\ndef train(): return K.x\n"},
        "1",
        "2",
    ),
    "a base class": (
        {"a": "from tune_mnist import b\nclass K(b.B): pass\ndef train(): return K()\n"}
        | {"b": "class B:\n    x = @\n"},
        "1",
        "2",
    ),
    "a field": ({"a": "@dataclass\nclass K:\n    x: @\ndef train(): K()\n"}, "int", "str"),
    "a decorator": (
        {"a": "from tune_mnist.b import f\n@f\ndef train(): pass\n", "b": "def f(g): return @"},
        "g",
        "g()",
    ),
    "a default argument": ({"a": "S = @\ndef train(x=S): return x\n"}, "1", "2"),
    "no default": ({"a": "def train(*, a@): return a\n"}, "", "=None"),
    "an entry in a table": (
        {"a": "import tune_mnist.c\nfrom tune_mnist.b import T\ndef train(): return T\n"}
        | {"b": "T = {}", "c": "from tune_mnist.b import T\nT['x'] = @\n"},
        "1",
        "2",
    ),
    "a decorator's entry in a table": (
        {"a": "def train(): return T\nT = []\ndef enter(f): T.append(f)\n@enter\ndef g(): @\n"},
        "f(1)",
        "f(2)",
    ),
    "what a package does when imported": (
        {"a": "from tune_mnist.p.b import f\ndef train(): return f()\n", "p/b": "def f(): pass"}
        | {"p/__init__": "os.environ['X'] = '@'\n"},
        "1",
        "2",
    ),
    "the kind of an error": ({"a": "def train(): raise @('no')\n"}, "ValueError", "KeyError"),
}

LEAVES: dict[str, tuple[Files, str, str]] = {
    "another way to write a number": ({"a": "def train(): return @\n"}, "0.001", "1e-3"),
    "a docstring": ({"a": "def train():\n    @\n    return 1\n"}, "'one'", "'another'"),
    "an annotation": ({"a": "def train(x@):\n    return x\n"}, "", ": int"),
    "a variable's annotation": ({"a": "def train():\n    x@ = 1\n    return x\n"}, "", ": int"),
    "a library's alias": (
        {"a": "import numpy@\ndef train(): return numpy.zeros(1) + np.zeros(1)\n"},
        "\nimport numpy as np",
        ", numpy as np",
    ),
    "a definition of other models": ({"a": "def train(): pass\ndef g(): return @\n"}, "1", "2"),
    "the rest of a module": (
        {"a": "from tune_mnist import b\ndef train(): return b.f()\n"}
        | {"b": "def f(): pass\ndef g(): return @\n"},
        "1",
        "2",
    ),
    "an import for type checkers": (
        {"a": "if TYPE_CHECKING:\n    from tune_mnist.b import @\ndef train(): pass\n"}
        | {"b": "f = g = 1"},
        "f",
        "g",
    ),
    "the words of an error": ({"a": "def train(x): raise KeyError(f'@')\n"}, "{x}", "no {x}"),
}


def small(folder: Path, files: Files, text: str) -> str:
    for name, content in {"__init__": "", **files}.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        # "@" begins a line only as a decorator.
        lines = [x if x.startswith("@") else x.replace("@", text) for x in content.split("\n")]
        file.write_text("\n".join(lines))
    return hash_of(folder, [("tune_mnist.a", "train")])


@pytest.mark.parametrize("what", COUNTS)
def test_it_counts(what: str, tmp_path: Path) -> None:
    files, one, another = COUNTS[what]
    assert small(tmp_path / "one", files, one) != small(tmp_path / "another", files, another)


@pytest.mark.parametrize("what", LEAVES)
def test_it_does_not_count(what: str, tmp_path: Path) -> None:
    files, one, another = LEAVES[what]
    assert small(tmp_path / "one", files, one) == small(tmp_path / "another", files, another)
