"""The sampler of a search, brought to where the store says that the search is.

To bring a fresh sampler there takes longer with every trial. So each process keeps its samplers of
late, and goes on from where one is, if the store has not taken another way since. It is a saving of
time and nothing more: a sampler that is gone is made again from the store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from tune_mnist.searching.history.resume import Earlier, replay
from tune_mnist.searching.observer import Row
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import config_key
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.writer import Writer

_MOST = 16  # samplers; one that has seen 1,000 trials takes some megabytes
_KEPT: OrderedDict[tuple[Path, str], _Sampler] = OrderedDict()
_GUARD = threading.Lock()


class _Sampler:
    """A sampler, and what it has done: it goes on only from a beginning of what the store has."""

    def __init__(self, earlier: Earlier) -> None:
        space = earlier.sampled(earlier.space)
        device = earlier.record.device
        self.proposals = Proposals(space, device, earlier.first, earlier.observed)
        self._started = earlier.record.started
        self._made: list[tuple[int, str]] = []
        self._told: list[str] = []

    def fits(self, earlier: Earlier) -> bool:
        """Return whether this sampler is where the search was at some moment."""
        made = [
            (one.number, config_key(one.config or {}))
            for one in earlier.proposals[: len(self._made)]
        ]
        told = [row["trial"] for row in earlier.rows[: len(self._told)]]
        same = self._started == earlier.record.started
        return same and made == self._made and told == self._told

    def catch_up(self, earlier: Earlier) -> None:
        """Propose again what was proposed since, and learn every result."""
        for one in earlier.proposals[len(self._made) :]:
            self._learn(earlier, earlier.rows[: one.seen])
            assert one.config is not None  # else the list is not whole
            self.proposals.again(one.number, one.config)
            self._made.append((one.number, config_key(one.config)))
        self._learn(earlier, earlier.rows)

    def _learn(self, earlier: Earlier, rows: Sequence[Row]) -> None:
        for row in rows[len(self._told) :]:
            past = earlier.past(row)
            self.proposals.tell_past(int(row["trial"]), past.row, past.reports)
            self._told.append(row["trial"])

    def next(self) -> Proposal | None:
        """Return a configuration that was not proposed before; None if the space is used up."""
        proposal = self.proposals.next()
        if proposal is not None:
            self._made.append((proposal.number, config_key(proposal.config)))
        return proposal


def propose(root: Path, earlier: Earlier, count: int, writer: Writer) -> list[Proposal]:
    """Return new proposals; each is on disk.

    Args:
        root: the store's folder.
        earlier: what the search has done, all of it; its list of proposals is whole.
        count: how many at most; there are fewer if the space is used up.
        writer: of the search.
    """
    key = root.resolve(), earlier.name
    with _GUARD:
        sampler = _KEPT.pop(key, None)  # it comes back only if all goes well
    if sampler is None or not sampler.fits(earlier):
        sampler = _Sampler(earlier)
    sampler.catch_up(earlier)
    found: list[Proposal] = []
    while len(found) < count and (proposal := sampler.next()) is not None:
        writer.append_proposal(proposal)
        found.append(proposal)
    with _GUARD:
        _KEPT[key] = sampler
        while len(_KEPT) > _MOST:
            _KEPT.popitem(last=False)
    return found


def repair(earlier: Earlier, writer: Writer) -> None:
    """Write a damaged list of proposals anew, with other proposals in place of those lost."""
    space = earlier.sampled(earlier.space)
    proposals = Proposals(space, earlier.record.device, earlier.first, earlier.observed)
    writer.repair_proposals(replay(proposals, earlier)[0])
