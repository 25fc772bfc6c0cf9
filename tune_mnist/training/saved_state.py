"""Whether a saved state is whole: checked without torch, before anything is built on it."""

from __future__ import annotations

import zipfile
from pathlib import Path

FILE = "state.pt"


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
