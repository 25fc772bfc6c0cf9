"""The names of models that are trained elsewhere, by a client of the service.

Such a model is called `external`, or `external/name` with a name of your own. We know nothing of
it: a space declares its parameters by their domains (`Space.declared`).
"""

from __future__ import annotations

import re

EXTERNAL = "external"

_NAME = re.compile(rf"{EXTERNAL}(/[A-Za-z][A-Za-z0-9._-]{{0,99}})?")


def is_external(name: object) -> bool:
    """Return whether this is the name of a model that is trained elsewhere."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
