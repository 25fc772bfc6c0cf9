"""Hand out trials: a client's own again, those of lost clients, and new ones.

A proposal is on disk before its lease, and its lease before its answer. So whatever is cut off, the
proposal is suggested again, to the same client or to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune_mnist.actions.asking.asked import Asked, check_client, columns_of, read_asked, writing
from tune_mnist.actions.asking.held import Held, Lease, change_held, now, read_held, remove_held
from tune_mnist.actions.asking.sampling import propose, repair
from tune_mnist.errors import input_error
from tune_mnist.models.hyperparameters import shown
from tune_mnist.searching.history.resume import Earlier, earlier_of
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

MOST = 100
"""So many trials may be suggested to a client at once."""


@dataclass(frozen=True)
class Suggestion:
    """A trial to train.

    Args:
        trial: its id.
        config: its hyperparameters.
        seed: for its random numbers, as the search asks.
    """

    trial: str
    config: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class Suggested:
    """What a client may train.

    Args:
        trials: fewer than were asked for, or none, if there are no more at the moment.
        ended: what ended the search; None while it goes on. Without trials and without an end, the
            client asks again later: a trial that others train may come free.
    """

    trials: tuple[Suggestion, ...]
    ended: str | None = None


def suggest(root: Path, search: str, client: str, count: int = 1) -> Suggested:
    """Return trials for a client to train; the same ones until it has completed them.

    Args:
        root: the store's folder.
        search: its id.
        client: who asks: an id of its own choice, 1 to 100 characters.
        count: how many trials it wants to train at once, 1 to `MOST`.

    Raises: UnknownError: there is no such search. InputError: a value that cannot be used.
    """
    check_client(client)
    if type(count) is not int or not 1 <= count <= MOST:
        fix = f"give a whole number from 1 to {MOST}"
        raise input_error("`count`", f"{shown(count)} is not such a number", fix)
    asked = read_asked(root, search)
    if len(read_held(root, search).of(client)) >= count and not asked.ended:
        finished = set(read_trials(root, search=search, columns=["trial"])["trial"].to_pylist())
        held = change_held(root, search, lambda one: _called(one, client, finished))
        if len(held.of(client)) >= count:
            return _suggested(asked, held, client, count)
    with writing(root, search, columns_of(asked.space)) as writer:
        return _suggest(read_asked(root, search), writer, client, count)


def settle(asked: Asked, earlier: Earlier, writer: Writer) -> str | None:
    """End a search that has reached its end; return what ended it, None while it goes on."""
    if asked.record.ended:
        return asked.record.ended.reason
    reason = asked.outcome(earlier)
    if reason is not None:
        _end(asked, reason, writer)
    return reason


def _end(asked: Asked, reason: str, writer: Writer) -> None:
    writer.end_search(reason)
    writer.compact()
    if not read_held(asked.root, asked.name).leases:
        remove_held(asked.root, asked.name)


def _suggest(asked: Asked, writer: Writer, client: str, count: int) -> Suggested:
    earlier = _whole(asked, writer)
    if ended := settle(asked, earlier, writer):
        return Suggested((), ended)
    finished = {row["trial"] for row in earlier.rows}
    open_ = {
        f"{one.number:05d}": dict(one.config or {})
        for one in earlier.proposals
        if f"{one.number:05d}" not in finished
    }
    timeout_s = asked.space.search.trial_timeout_s
    held = read_held(asked.root, asked.name)
    taken = {name: one for name, one in held.leases.items() if name not in finished}
    mine = [name for name, one in taken.items() if one.client == client]
    alive = [name for name, one in taken.items() if not one.is_lost(timeout_s)]
    free = len(open_.keys() - {*mine, *alive})
    room = count - len(mine)
    if (most := asked.space.search.max_concurrent) is not None:
        room = min(room, most - len({*mine, *alive}))
    wanted = room - free
    if asked.record.trials is not None:
        wanted = min(wanted, asked.record.trials - len(earlier.proposals))
    new = propose(asked.root, earlier, wanted, writer) if wanted > 0 else []
    if not open_ and not new and wanted > 0:
        _end(asked, "done", writer)
        return Suggested((), "done")
    open_ |= {f"{one.number:05d}": dict(one.config) for one in new}

    def leased(before: Held) -> Held:
        leases = {name: one for name, one in before.leases.items() if name in open_}
        moment, left = now(), room
        for name, config in open_.items():
            there = leases.get(name)
            if there is not None and there.client == client:
                leases[name] = there.model_copy(update={"called": moment})
            elif left > 0 and (there is None or there.is_lost(timeout_s)):
                leases[name] = Lease(client=client, config=config, since=moment, called=moment)
                left -= 1
        return before.model_copy(update={"leases": leases})

    return _suggested(asked, change_held(asked.root, asked.name, leased), client, count)


def _whole(asked: Asked, writer: Writer) -> Earlier:
    """Return what the search has done, after a damaged list of proposals has been repaired."""
    earlier = earlier_of(asked.root, asked.name, asked.record)
    if not earlier.whole:
        repair(earlier, writer)
        earlier = earlier_of(asked.root, asked.name, asked.record)
    return earlier


def _called(held: Held, client: str, finished: set[str]) -> Held:
    """Note that a client has called, and drop what has a row already."""
    moment = now()
    leases: Mapping[str, Lease] = {
        name: one.model_copy(update={"called": moment}) if one.client == client else one
        for name, one in held.leases.items()
        if name not in finished
    }
    return held.model_copy(update={"leases": leases})


def _suggested(asked: Asked, held: Held, client: str, count: int) -> Suggested:
    seed = asked.record.seed
    own = list(held.of(client).items())[:count]
    return Suggested(tuple(Suggestion(name, one.config, seed) for name, one in own))
