"""Write a space as text and read it as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tune_mnist.errors import InputError
from tune_mnist.spaces import Space, read_space

Read = Callable[[str], Space]
Refuse = Callable[[str], list[str]]

SVM = "model: svm\ndataset: digits\nparameters:\n"
RESNET = "model: resnet\ndataset: digits\nparameters:\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a space from a file mine.yaml with this text."""

    def read_text(text: str) -> Space:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return read_space(path)

    return read_text


@pytest.fixture
def refuse(read: Read, tmp_path: Path) -> Refuse:
    """Return the lines with which such a file is refused, without its folder."""

    def refused(text: str) -> list[str]:
        with pytest.raises(InputError) as caught:
            read(text)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return refused
