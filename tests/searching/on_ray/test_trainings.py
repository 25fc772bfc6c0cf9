"""Which failed trial is tried again, and on how much of the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ray.exceptions import OutOfMemoryError

from tests.searching.conftest import SVM, plan_text
from tune_mnist.searching.on_ray.failure import Failure, memory_ran_out
from tune_mnist.searching.on_ray.trainings import MOVES, Hooks, Trainings
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.searching.planning.plan import plan_search
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import read_space


def trainings(folder: Path, **search: object) -> Trainings:
    plan = plan_text(folder, SVM, **search)
    hooks = Hooks(
        proposed=lambda _: None,
        answered=lambda *_: None,
        over=lambda: False,
        state=lambda number: f"state of {number}",
    )
    return Trainings(Proposals(plan.space, "cpu"), replace(plan, trials=2), None, hooks)


STARVED = Failure("no memory", "out of memory")
BROKEN = Failure("broken")


def test_a_trial_that_ran_out_of_memory_is_tried_once_more_on_twice_the_bundle(
    tmp_path: Path,
) -> None:
    these = trainings(tmp_path)
    first = these.next()
    assert first is not None
    assert these.retries(0, STARVED)
    these.failed(0, STARVED)
    second = these.next()
    assert second is not None
    assert (second.proposal, second.attempt, second.share) == (first.proposal, 2, 2)
    assert not these.retries(0, STARVED)


def test_a_failed_trial_is_tried_again_as_often_as_asked(tmp_path: Path) -> None:
    these = trainings(tmp_path, retries=2)
    attempts = []
    while (training := these.next()) and training.proposal.number == 0:
        attempts.append((training.attempt, training.share))
        these.failed(0, BROKEN)
    assert attempts == [(1, 1), (2, 1), (3, 1)]


def test_a_trial_whose_node_died_continues_from_its_state_and_is_no_new_attempt(
    tmp_path: Path,
) -> None:
    these = trainings(tmp_path)
    first = these.next()
    assert first is not None
    assert these.move(0)
    second = these.next()
    assert second is not None
    assert (second.proposal, second.attempt) == (first.proposal, 1)
    assert (first.restore, second.restore) == (None, "state of 0")


def test_a_trial_whose_nodes_die_again_and_again_fails(tmp_path: Path) -> None:
    these = trainings(tmp_path)
    moved: list[bool] = []
    while (training := these.next()) and training.proposal.number == 0 and len(moved) <= MOVES:
        moved.append(these.move(0))
    assert moved == [*[True] * MOVES, False]


def test_a_doubled_bundle_is_never_more_than_the_search_has(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, SVM)
    assert [plan.bundle({}, share)["cpu"] for share in (1, 2, 4)] == [1, 2, 2]


MIXED = """
model: resnet
dataset: digits
parameters:
  device: {choice: [gpu, cpu]}
  learning_rate: {choice: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]}
search: {sampler: grid}
"""


def mixed(folder: Path) -> Trainings:
    """Return 8 trials for the only GPU, then 8 for the other two cores."""
    (folder / "space.yaml").write_text(MIXED)
    machine = Machine(cpus=3, gpus=1, memory_bytes=2**30)
    space = read_space(folder / "space.yaml")
    plan = plan_search(space, cpus=None, gpus=1, machine=machine)
    hooks = Hooks(lambda _: None, lambda *_: None, lambda: False)
    return Trainings(Proposals(plan.space, plan.device), replace(plan, concurrency=8), None, hooks)


def test_trials_that_wait_for_the_gpu_hold_up_no_others(tmp_path: Path) -> None:
    these = mixed(tmp_path)
    begun = [these.next() for _ in range(4)]
    assert [one and one.proposal.number for one in begun] == [0, 8, 9, None]
    assert these.left()
    these.finished(0, {"status": "completed"}, ())
    these.finished(9, {"status": "completed"}, ())
    begun = [these.next() for _ in range(3)]
    assert [one and one.proposal.number for one in begun] == [1, 10, None]


def test_so_many_wait_at_most_as_run_side_by_side_and_each_is_trained_once(tmp_path: Path) -> None:
    these = mixed(tmp_path)
    order: list[int] = []
    while these.left():
        while training := these.next():
            order.append(training.proposal.number)
        assert len(these._ready) <= 8
        done = min(these.running)
        these.finished(done, {"status": "completed"}, ())
    assert sorted(order) == list(range(16))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("the node was running low on memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (ValueError("two classes"), False),
        (None, False),
    ],
)
def test_only_a_lack_of_memory_is_called_one(error: Exception | None, expected: bool) -> None:
    assert memory_ran_out(error) is expected
