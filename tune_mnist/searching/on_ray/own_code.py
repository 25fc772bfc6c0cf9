"""The code of models of your own on its way to the processes that run trials."""

from __future__ import annotations

from collections.abc import Iterable
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
        folders: in which the modules lie. On a cluster, Ray sends the modules themselves.
        digest: of the code.
    """

    model: str
    path: str
    folders: tuple[Path, ...]
    digest: str


def arrive(codes: Iterable[OwnCode]) -> None:
    """Import models in this process, those that it has not imported yet.

    Raises: InputError: one cannot be imported. ValueError: it is not the code of the driver.
    """
    for code in codes:
        if own.is_loaded(code.model):
            continue
        own.load(code.model, code.folders, code.path)
        if reached(code.model).digest != code.digest:
            problem = f"the code of {code.model} has changed since the search began"
            raise ValueError(f"{problem}; start another search")


def own_code(*models: str) -> tuple[OwnCode, ...]:
    """Return the code of each of a search's models, but for those that ship."""
    folders = tuple(sorted({path.parent for path in own_modules(*models)}))
    return tuple(
        OwnCode(model, own.path_of(model) or model, folders, reached(model).digest)
        for model in models
        if find_model(model).file
    )
