"""What the store knows of a search that is about to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from tune_mnist.searching.history.memory import Memory
from tune_mnist.searching.history.resume import Earlier
from tune_mnist.searching.history.warm_start import WarmStart
from tune_mnist.spaces import Config


@dataclass(frozen=True)
class Known:
    """Earlier trials that a search uses.

    Args:
        memory: finished trials that need not run again; None runs every trial.
        warm: past trials that the sampler learns from; None for none.
        earlier: what earlier runs of this same search have done; None for a new search.
    """

    memory: Memory | None = None
    warm: WarmStart | None = None
    earlier: Earlier | None = None

    @property
    def first(self) -> list[Config]:
        """Configurations that a sampler which learns tries before its own proposals."""
        if self.earlier:  # as it was then, or the replay would go another way
            return self.earlier.first
        warm = self.warm.first if self.warm else ()
        return [*warm, *(self.memory.order if self.memory else ())]

    @property
    def observed(self) -> Sequence[FrozenTrial]:
        """Finished trials of other searches, for the sampler."""
        if self.earlier:
            return self.earlier.observed
        return self.warm.observations if self.warm else ()
