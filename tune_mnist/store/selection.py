"""Which trials of a store a table, figure or page is about."""

from __future__ import annotations

from dataclasses import dataclass

from tune_mnist.metrics import Constraint


@dataclass(frozen=True)
class Selection:
    """Trials of a store; None selects all.

    Args:
        search: only of this search.
        dataset: only on this data set.
        model: only of this model.
        where: only those that satisfy every one of these constraints.
    """

    search: str | None = None
    dataset: str | None = None
    model: str | None = None
    where: tuple[Constraint, ...] = ()

    def __str__(self) -> str:
        """Return "search a, model svm"; empty where it selects all."""
        parts = {"search": self.search, "data set": self.dataset, "model": self.model}
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


EVERYTHING = Selection()
