"""Which searches begin: priority, fairness, room, and no overtaking."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tune_mnist.actions.service.queue import Capacity, Wanted, next_to_begin

BEGAN = datetime(2026, 11, 27, tzinfo=timezone.utc)


def wanted(search: str, submitter: str = "ann", priority: int = 0, **needs: int) -> Wanted:
    """A search; those with later names were submitted later."""
    moment = BEGAN + timedelta(seconds=sum(map(ord, search)))
    return Wanted(search, submitter, priority, moment, needs.get("cpus", 1), needs.get("gpus", 0))


def names(found: list[Wanted]) -> list[str]:
    return [one.search for one in found]


def test_first_come_first_served_as_far_as_there_is_room() -> None:
    waiting = [wanted(name) for name in "cab"]
    assert names(next_to_begin(waiting, [], Capacity(2, 0))) == ["a", "b"]


def test_what_runs_takes_room() -> None:
    running = [wanted("x", cpus=2)]
    assert names(next_to_begin([wanted("a"), wanted("b")], running, Capacity(3, 0))) == ["a"]


def test_a_higher_priority_goes_first() -> None:
    waiting = [wanted("a"), wanted("b", priority=5)]
    assert names(next_to_begin(waiting, [], Capacity(1, 0))) == ["b"]


def test_who_has_fewer_cores_at_work_goes_first() -> None:
    waiting = [wanted("a", "ann"), wanted("b", "ann"), wanted("c", "bob")]
    assert names(next_to_begin(waiting, [], Capacity(2, 0))) == ["a", "c"]
    running = [wanted("x", "ann")]
    assert names(next_to_begin(waiting, running, Capacity(2, 0))) == ["c"]


def test_nobody_overtakes_a_large_search_that_waits_for_room() -> None:
    waiting = [wanted("a", cpus=4), wanted("b", cpus=1)]
    assert next_to_begin(waiting, [wanted("x", "bob", cpus=2)], Capacity(4, 0)) == []


def test_a_search_that_asks_for_more_than_there_is_gets_all() -> None:
    waiting = [wanted("a", cpus=64, gpus=8)]
    assert names(next_to_begin(waiting, [], Capacity(4, 1))) == ["a"]
    assert next_to_begin(waiting, [wanted("x")], Capacity(4, 1)) == []


def test_searches_on_gpus_wait_for_gpus() -> None:
    waiting = [wanted("a", gpus=1), wanted("b", gpus=1)]
    assert names(next_to_begin(waiting, [], Capacity(8, 1))) == ["a"]


needs = st.builds(
    lambda search, submitter, priority, cpus, gpus: wanted(
        search, submitter, priority, cpus=cpus, gpus=gpus
    ),
    st.text("abcdefgh", min_size=1, max_size=6),
    st.sampled_from(["ann", "bob", "eve"]),
    st.integers(-1, 1),
    st.integers(1, 9),
    st.integers(0, 3),
)


@given(st.lists(needs, unique_by=lambda one: one.search, max_size=12), st.integers(1, 8))
def test_all_are_begun_in_the_end_and_never_beyond_the_room(waiting: list[Wanted], n: int) -> None:
    room, left, rounds = Capacity(n, 2), list(waiting), 0
    while left:
        begun = next_to_begin(left, [], room)
        assert begun
        assert sum(min(one.cpus, room.cpus) for one in begun) <= room.cpus
        assert sum(min(one.gpus, room.gpus) for one in begun) <= room.gpus
        left = [one for one in left if one not in begun]
        rounds += 1
    assert rounds <= len(waiting)
