"""What a search has to train: its proposals, less those that the store answers.

The same calls as `Proposals`, so `searcher.py` takes either. A proposal that an earlier search
has finished is told to the sampler at once and becomes a row; it counts as a trial of the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tune_mnist.search.memory import Memory, Past
from tune_mnist.search.proposals import Proposal, Proposals


class Trainings:
    """The proposals that nothing but training can answer, in their order.

    Args:
        proposals: everything that the search tries.
        trials: proposals to take at most, reused ones included; None for no limit.
        memory: the store's finished trials; None to train everything again.
        on_reuse: called with a proposal and the past trial that answers it.
        over: whether the search has ended, by a reused trial for example.
    """

    def __init__(
        self,
        proposals: Proposals,
        *,
        trials: int | None,
        memory: Memory | None,
        on_reuse: Callable[[Proposal, Past], None],
        over: Callable[[], bool],
    ) -> None:
        self._proposals = proposals
        self._trials = trials
        self._memory = memory
        self._on_reuse = on_reuse
        self._over = over
        self._taken = 0
        self._next: Proposal | None = None

    def left(self) -> bool:
        """Return whether anything is left to train; what is known on the way there is reused."""
        if self._next is None:
            self._next = self._untrained()
        return self._next is not None

    def next(self) -> Proposal | None:
        """Return what to train next, None when the budget of trials or the space is used up."""
        following = self._next if self.left() else None
        self._next = None
        return following

    def _untrained(self) -> Proposal | None:
        while self._trials is None or self._taken < self._trials:
            proposal = None if self._over() else self._proposals.next()
            if proposal is None:
                return None
            self._taken += 1
            past = self._memory.find(proposal.config) if self._memory else None
            if past is None:
                return proposal
            self._tell(proposal.number, past)
            self._on_reuse(proposal, past)
        return None

    def _tell(self, number: int, past: Past) -> None:
        for report in past.reports:
            self.report(number, report)
        self.tell(number, past.row, pruned=past.row["status"] == "stopped")

    def report(self, number: int, measured: Mapping[str, Any]) -> None:
        """See `Proposals.report`."""
        self._proposals.report(number, measured)

    def tell(self, number: int, measured: Mapping[str, Any] | None, *, pruned: bool) -> None:
        """See `Proposals.tell`."""
        self._proposals.tell(number, measured, pruned=pruned)
