"""A hash of the code that can change a trial's result; the store's rows carry it.

It is made of syntax trees, not of files (`reach.py`). It starts at a model's trainer, follows names
through our own modules, and hashes every function, class and constant that it reaches. A moved or
renamed file, a comment or a docstring leaves it as it is; a changed constant does not. The versions
of the libraries that compute are hashed too. A model of your own is followed through your modules,
and counts the libraries that they name (docs/decisions/021-models-of-your-own.md).

How images are read is left out: the data hash already covers the images, labels and split
themselves (docs/decisions/012-code-hash.md).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from tune_mnist.code_hash.reach import Reach, hash_of, reach
from tune_mnist.errors import input_error
from tune_mnist.models.own import is_installed, where_is
from tune_mnist.models.registry import Definition, ModelDescription, find_model

__all__ = [
    "code_hash",
    "code_hash_of",
    "hash_of",
    "libraries_of",
    "own_modules",
    "reached",
    "roots_of",
]

# A training receives a Dataset and TrainOptions, and may call their methods without naming them.
_EVERY_MODEL: tuple[Definition, ...] = (
    ("tune_mnist.training.ladder", "train_ladder"),
    ("tune_mnist.training.options", "TrainOptions"),
    ("tune_mnist.datasets.dataset", "Dataset"),
)

_PACKAGE = Path(__file__).parents[1]
_REACHED: dict[str, tuple[ModelDescription, Reach]] = {}


def code_hash(model: str) -> str:
    """Return the hash of what can change the result of a model's trials: 16 hex digits."""
    digest = hashlib.sha256(reached(model).digest.encode())
    for name, version in libraries_of(model).items():
        digest.update(f"{name}={version}\0".encode())
    return digest.hexdigest()[:16]


def code_hash_of(models: Sequence[str]) -> str:
    """Return one hash for all models of a search: that of the model, if there is one."""
    if len(models) == 1:
        return code_hash(models[0])
    text = "\0".join(f"{model}={code_hash(model)}" for model in models)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def roots_of(model: str) -> tuple[Definition, ...]:
    """Return where a model's training begins."""
    return (*find_model(model).roots, *_EVERY_MODEL)


def reached(model: str) -> Reach:
    """Return what a model's training reaches.

    Raises: InputError: the source of a model of your own does not show where it begins.
    """
    found = find_model(model)
    known = _REACHED.get(model)
    if known is None or known[0] is not found:  # it was imported again
        others = _own_code(found.roots[0][0]) if found.file else _nothing
        try:
            _REACHED[model] = found, reach(_PACKAGE, roots_of(model), others)
        except (KeyError, OSError, SyntaxError) as error:
            if not found.file:
                raise
            problem = f"its code cannot be read, so no result could be trusted: {error}"
            raise input_error(model, problem, "define it at the top of a Python file") from error
    return _REACHED[model][1]


def libraries_of(model: str) -> dict[str, str]:
    """Return the distributions that compute a model's results, each with its version."""
    found = find_model(model)
    names = found.libraries
    if found.file:
        named = reached(model).libraries - sys.stdlib_module_names
        names = tuple(sorted({*names, *map(_distribution, named)}))
    return {name: _version(name) for name in names}


def own_modules(*models: str) -> tuple[Path, ...]:
    """Return the files and folders of the top-level modules that models of your own reach."""
    places = (reached(model).places for model in models if find_model(model).file)
    return tuple(sorted(frozenset().union(*places)))


def _nothing(_top: str) -> None:
    """Count no code but ours."""


def _own_code(module: str) -> Callable[[str], Path | None]:
    """Return what finds the code of your own that counts.

    It is the top-level module that has the model, and each other one that is not installed.
    """
    own = module.partition(".")[0]

    def place(top: str) -> Path | None:
        found = None if top in sys.stdlib_module_names else where_is(top)
        return found if found and (top == own or not is_installed(found)) else None

    return place


@cache
def _distribution(module: str) -> str:
    """Return the distribution that a top-level module is from: scikit-learn for sklearn."""
    if _version(module) != "none":
        return module
    return metadata.packages_distributions().get(module, [module])[0]


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"
