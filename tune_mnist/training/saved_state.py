"""A saved state: written whole or not at all, and checked before anything is built on it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "state.pt"


def write_state(content: Mapping[str, Any], folder: Path) -> None:
    """Write tensors and plain values into a folder, whole or not at all.

    Args:
        content: what `torch.load` can read without running code from the file.
        folder: created if it is missing; a state that it holds is replaced.
    """
    import torch  # here, because `is_whole` does without it

    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f"{FILE}.{os.getpid()}.part"
    try:
        with aside.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / FILE)
    finally:
        aside.unlink(missing_ok=True)


def is_whole(folder: Path) -> bool:
    """Return whether a folder holds a state whose every byte is as it was written.

    `torch.save` writes a zip archive, which has a CRC-32 of each of its parts. A state that was
    being copied when its process was killed, or that lost a bit since, does not pass.
    """
    try:
        with zipfile.ZipFile(folder / FILE) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return False
