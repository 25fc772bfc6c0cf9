"""`Selection`: which trials of a store a table, figure or page is about."""

from __future__ import annotations

from dataclasses import dataclass

from tune_mnist.metrics import Constraint


@dataclass(frozen=True)
class Selection:
    """Some trials of a store. By default it selects all of them.

    Args:
        search: only trials of this search.
        dataset: only trials on this data set: its name, `name@hash`, or a hash's first digits.
        model: only trials of this model.
        where: only trials that satisfy all of these constraints.
    """

    search: str | None = None
    dataset: str | None = None
    model: str | None = None
    where: tuple[Constraint, ...] = ()

    def __str__(self) -> str:
        """Return search, data set and model: "search a, model svm"; empty if it names none."""
        parts = {"search": self.search, "data set": self.dataset, "model": self.model}
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


EVERYTHING = Selection()
