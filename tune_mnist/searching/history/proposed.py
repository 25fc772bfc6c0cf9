"""What a search proposed under each number, where a part of its list may have been damaged.

A damaged line loses one proposal and shifts no other. If its trial has a row, the row says what was
proposed; else the sampler proposes something under that number again (`resume.replay`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tune_mnist.searching.observer import Row
from tune_mnist.spaces import Config, config_key
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.proposals import ProposalList


@dataclass(frozen=True)
class Proposed:
    """What a search proposed under a number.

    Args:
        number: of the proposal.
        config: its hyperparameters; None if neither the list nor a row has them any more.
        seen: how many finished trials the sampler knew; where that is lost, one more than for the
            proposal before, as in a search whose trials end one by one.
    """

    number: int
    config: Config | None
    seen: int


def proposed(
    listed: ProposalList, rows: Iterable[Row], record: SearchRecord
) -> tuple[list[Proposed], tuple[str, ...]]:
    """Return what was proposed under each number, and a line on what the list has lost.

    Args:
        listed: from the store.
        rows: of the search's trials, all attempts.
        record: of the search.
    """
    known: dict[int, tuple[Config, int | None]] = {
        one.number: (one.config, one.seen) for one in listed.proposals
    }
    certain = known.keys() - listed.unsealed
    by_row: set[int] = set()
    for row in rows:
        number = int(row["trial"])
        if number in certain or row["schedule"] is not None:  # a population changes its trials
            continue
        config = record.proposed(row)
        if number not in known or config_key(known[number][0]) != config_key(config):
            known[number] = config, row["proposed_after"]
            by_row.add(number)
    found: list[Proposed] = []
    for number in range(max(known, default=-1) + 1):
        config_or_none, seen = known.get(number, (None, None))
        found.append(Proposed(number, config_or_none, _seen(seen, number, found, known)))
    lost = [one.number for one in found if one.config is None]
    notes = [
        f"proposals {', '.join(map(str, sorted(numbers)))}: damaged in the store; {done}"
        for numbers, done in ((by_row, "taken from their trials"), (lost, "proposed again"))
        if numbers
    ]
    return found, tuple(notes)


def _seen(
    seen: int | None,
    number: int,
    before: Sequence[Proposed],
    known: Mapping[int, tuple[Config, int | None]],
) -> int:
    if seen is not None:
        return seen
    one_more = before[-1].seen + 1 if before else 0
    later = (known[other][1] for other in sorted(known) if other > number)
    following = next((value for value in later if value is not None), one_more)
    return min(one_more, following)
