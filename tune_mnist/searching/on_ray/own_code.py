"""The code of a model of your own on its way to the processes that run trials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tune_mnist.code_hash import own_modules, reached
from tune_mnist.models import own
from tune_mnist.models.registry import find_model


@dataclass(frozen=True)
class OwnCode:
    """What a process needs to import a model as the driver did.

    Args:
        model: its name.
        path: "package.module:name"; an entry point is known only where it is installed.
        folders: in which its modules lie. On a cluster, Ray sends the modules themselves.
        digest: of the code.
    """

    model: str
    path: str
    folders: tuple[Path, ...]
    digest: str


def arrive(code: OwnCode | None) -> None:
    """Import a model in this process, unless that has been done; None: it ships.

    Raises: InputError: it cannot be imported. ValueError: it is not the code of the driver.
    """
    if code is None or own.is_loaded(code.model):
        return
    own.load(code.model, code.folders, code.path)
    if reached(code.model).digest != code.digest:
        problem = f"the code of {code.model} has changed since the search began"
        raise ValueError(f"{problem}; start another search")


def own_code(model: str) -> OwnCode | None:
    """Return the code of a model; None for one that ships."""
    if not find_model(model).file:
        return None
    folders = tuple(sorted({path.parent for path in own_modules(model)}))
    return OwnCode(model, own.path_of(model) or model, folders, reached(model).digest)
