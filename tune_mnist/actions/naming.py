"""The name of a search that is given none."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone

from tune_mnist.spaces import Space


def new_name(space: Space, data: str) -> str:
    """Return a name that no other search has: what it searches, and when."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    # A folder may be called anything, and two searches may start in the same second.
    about = re.sub(r"[^A-Za-z0-9.]+", "-", f"{space.name}-{data}").strip("-.")[:60]
    letter = "" if about[:1].isalpha() else "search-"  # a name begins with a letter
    return f"{letter}{about}-{now}-{secrets.token_hex(2)}"
