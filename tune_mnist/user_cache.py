"""Where this user's cache of ours is: decoded images, and copies of stores that are far away."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return $XDG_CACHE_HOME/tune_mnist or ~/.cache/tune_mnist; None if the user has no home."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return root / "tune_mnist"
