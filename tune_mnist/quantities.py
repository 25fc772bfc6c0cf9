"""The numbers a person may set, each with its bounds, declared once for files and requests.

None is "no limit", or whatever the field says.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int | None, Field(ge=1)]
"""A whole number of at least 1."""

Times = Annotated[int | None, Field(ge=0)]
"""A whole number, 0 or more."""

Seconds = Annotated[float | None, Field(gt=0)]
"""A number of seconds above 0."""

Cores = Annotated[float | None, Field(gt=0)]
"""Cores of one trial; below 1, trials share one."""

Gpus = Annotated[float | None, Field(gt=0)]
"""GPUs of one trial on a GPU; below 1, trials share one."""

Fraction = Annotated[float | None, Field(gt=0, le=1)]
"""A fraction above 0, at most 1."""

Seed = Annotated[int | None, Field(ge=0, lt=2**32)]
"""A whole number from 0 to 2^32 - 1."""
