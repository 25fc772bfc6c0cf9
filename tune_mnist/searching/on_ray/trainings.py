"""What a search has to train: its proposals, except those that are answered without a training.

A proposal is answered by a finished trial of the store (`memory.py`), or by a longer training of
this search that contains it (`prefixes.py`; it waits while that one runs), or else by a training of
its own. A training that fails may be tried again, with twice the bundle if memory ran out. Every
proposal is on disk before anything else happens to it, and counts once in the budget of trials.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tune_mnist.searching.history.memory import Memory, Past
from tune_mnist.searching.history.resume import Earlier
from tune_mnist.searching.on_ray.failure import Failure
from tune_mnist.searching.planning.places import Room
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.searching.proposing.prefixes import length_of, prefix_key
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import config_key
from tune_mnist.store.proposals import Proposal

MOVES = 3
"""So many nodes may die under a training before it counts as failed."""


@dataclass(frozen=True)
class Training:
    """One attempt to train a proposal.

    Args:
        proposal: what is trained.
        attempt: 1 for the first.
        share: its bundle, as a multiple of the plan's.
        restore: folder of a saved state to continue from, in a resumed search; None to begin.
        moves: how often a node has died under it.
    """

    proposal: Proposal
    attempt: int = 1
    share: int = 1
    restore: str | None = None
    moves: int = 0

    def again(self, failure: Failure) -> Training:
        """Return the next attempt; after too little memory it gets twice as much."""
        share = 2 * self.share if failure.memory_ran_out else self.share
        return replace(self, attempt=self.attempt + 1, share=share, moves=0)

    def as_dict(self) -> dict[str, Any]:
        """Return it as Ray Tune hands it to a trial."""
        return {
            "number": self.proposal.number,
            "hyperparameters": dict(self.proposal.config),
            "attempt": self.attempt,
            "share": self.share,
            "seen": self.proposal.seen,
            "restore": self.restore,
            "moves": self.moves,
        }


@dataclass(frozen=True)
class Hooks:
    """What `Trainings` calls.

    Args:
        proposed: with each new proposal, before anything else happens to it.
        answered: with a proposal and the trial that answers it; puts its row into the store.
        over: returns whether the search has ended, by a reused trial for example.
        state: returns the newest state that a trial, by its number, has saved; None without one.
    """

    proposed: Callable[[Proposal], None]
    answered: Callable[[Proposal, Past], None]
    over: Callable[[], bool]
    state: Callable[[int], str | None] = lambda _: None


class Trainings:
    """The trainings of a search, in their order.

    Args:
        proposals: everything that the search tries.
        plan: how many trials there are at most, all proposals counted; how often a failed one is
            tried again; whether longer trainings answer shorter trials.
        memory: the store's finished trials; None to train everything again.
        hooks: what is called on the way.

    Attributes:
        running: the trainings that were handed out and have not ended, by number.
    """

    def __init__(
        self, proposals: Proposals, plan: Plan, memory: Memory | None, hooks: Hooks
    ) -> None:
        self._proposals = proposals
        self._retries = plan.space.search.retries
        self._trials = plan.trials
        self._shares = bool(plan.lengths)
        self._plan = plan
        # With one kind of bundle Tune itself counts; of a population all trials have begun.
        mixed = len(plan.bundles()) > 1 and plan.space.search.scheduler != "pbt"
        self._room = plan.room() if mixed else None
        self._memory = memory
        self._hooks = hooks
        self._taken = 0
        self._ready: deque[Training] = deque()  # in front of any new proposal
        self._waiting: list[Proposal] = []  # for a running training that contains them
        self._contained: dict[str, Past] = {}  # what finished trainings contain, by configuration
        self.running: dict[int, Training] = {}

    def resume(self, earlier: Earlier, proposals: Sequence[Proposal]) -> None:
        """Begin where an earlier run of this search ended.

        Args:
            earlier: what has a row counts as taken; the rest is trained before anything new, each
                from its last saved state, as far as the number of trials allows.
            proposals: what was proposed then, proposed again.
        """
        ended = {int(row["trial"]) for row in earlier.rows}
        left = [proposal for proposal in proposals if proposal.number not in ended]
        if self._trials is not None:
            left = left[: max(0, self._trials - len(earlier.rows))]
        self._taken = len(earlier.rows) + len(left)
        for proposal in left:
            state = earlier.state(proposal.number)
            attempt = 1 + earlier.attempts.get(proposal.number, 0)
            self._ready.append(Training(proposal, attempt, restore=str(state) if state else None))

    def left(self) -> bool:
        """Return whether anything is left to train; answer what needs no training until then."""
        if not self._ready and not self._hooks.over():
            training = self._new()
            if training is not None:
                self._ready.append(training)
        return bool(self._ready) and not self._hooks.over()

    def next(self) -> Training | None:
        """Return what to train next; None if there is nothing, or nothing yet while others run."""
        if not self.left():
            return None
        training = self._fitting(self._room) if self._room else self._ready[0]
        if training:
            self._ready.remove(training)
            self.running[training.proposal.number] = training
        return training

    def _fitting(self, room: Room) -> Training | None:
        """Return a ready training that has room beside the running ones, first one for a GPU.

        If no ready one has room but another kind of trial would, more is proposed, until as many
        wait as run side by side at most: so trials of one kind do not hold up the others.
        """
        running = [self._bundle(training) for training in self.running.values()]
        while True:
            for training in sorted(self._ready, key=lambda one: not self._bundle(one)["gpu"]):
                if room.places(self._bundle(training), running):
                    return training
            open_to = any(room.places(kind, running) for kind in self._plan.bundles())
            if not open_to or len(self._ready) >= self._plan.concurrency:
                return None
            if not (new := self._new()):
                return None
            self._ready.append(new)

    def _bundle(self, training: Training) -> dict[str, float]:
        return self._plan.bundle(training.proposal.config, training.share)

    def _new(self) -> Training | None:
        while self._trials is None or self._taken < self._trials:
            proposal = None if self._hooks.over() else self._proposals.next()
            if proposal is None:
                return None
            self._taken += 1
            self._hooks.proposed(proposal)
            if training := self._answered_or(proposal):
                return training
        return None

    def _answered_or(self, proposal: Proposal) -> Training | None:
        """Return the proposal's training; None if it has been answered or waits for a training."""
        past = self._memory.find(proposal.config) if self._memory else None
        past = past or self._contained.get(config_key(proposal.config))
        if past is not None:
            self._answer(proposal, past)
        elif self._shares and self._contained_in_a_running_one(proposal):
            self._waiting.append(proposal)
        else:
            return Training(proposal)
        return None

    def _contained_in_a_running_one(self, proposal: Proposal) -> bool:
        key, length = prefix_key(proposal.config), length_of(proposal.config)
        others = [training.proposal.config for training in (*self.running.values(), *self._ready)]
        return any(prefix_key(other) == key and length_of(other) > length for other in others)

    def _answer(self, proposal: Proposal, past: Past) -> None:
        self._hooks.answered(proposal, past)
        self._proposals.tell_past(proposal.number, past.row, past.reports)

    def report(self, number: int, measured: dict[str, Any]) -> None:
        """Tell the sampler what a running trial measured: an epoch or a rung."""
        self._proposals.report(number, measured)

    def finished(
        self, number: int, row: dict[str, Any], contained: Sequence[tuple[int, Past]]
    ) -> None:
        """Tell the sampler of a trial that completed or was stopped; its row is in the store.

        Args:
            number: the trial's.
            row: what it measured at last, and its status.
            contained: the shorter trials that it contains, each with its epochs.
        """
        training = self.running.pop(number)
        self._proposals.tell(number, row)
        for length, past in contained:
            config = {**training.proposal.config, "epochs": length}
            self._contained[config_key(config)] = past
        self._look_again()

    def failed(self, number: int, failure: Failure) -> None:
        """Try a failed training again, or tell the sampler; its row is in the store."""
        again = self.retries(number, failure)
        training = self.running.pop(number)
        if again:
            self._ready.append(training.again(failure))
        else:
            self._proposals.tell(number, {"status": "failed"})
        self._look_again()

    def move(self, number: int) -> bool:
        """Train a proposal again whose node has died, from its last saved state: no new attempt.

        Returns: whether it is; not if its nodes die again and again, which may be its own doing.
        """
        training = self.running[number]
        if training.moves >= MOVES:
            return False
        del self.running[number]
        restore = self._hooks.state(number) or training.restore
        self._ready.appendleft(replace(training, moves=training.moves + 1, restore=restore))
        return True

    def retries(self, number: int, failure: Failure) -> bool:
        """Return whether a running training that fails like this is tried again."""
        training = self.running[number]
        once_more = failure.memory_ran_out and training.share == 1
        return training.attempt <= self._retries or once_more

    def _look_again(self) -> None:
        """Answer or train the proposals that waited for a training that has ended."""
        waiting, self._waiting = self._waiting, []
        for proposal in waiting:
            if training := self._answered_or(proposal):
                self._ready.append(training)
