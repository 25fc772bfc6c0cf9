"""The saved states of trials on a cluster: written on their nodes, brought to the driver.

A trial writes into a private folder of its process and says so with its measurement (`NodeStates`).
The driver fetches the newest state of each trial, one after the other, in a thread of its own
(`StatesFromNodes`), so no trial waits for the network. A state that is newer by the time its
trial's turn comes is fetched instead. They lie then where Tune keeps those of a search on one
machine, below `.checkpoints/<search>/` of the store, two a trial; a store in a bucket gets them
from there.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.saving.carrying import carry, sender_on
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.store.files.sealing import LIST
from tune_mnist.training.measurement import Save
from tune_mnist.training.saved_state import is_whole
from tune_mnist.wording import error_text

KEPT = 2
"""States of a trial, here and on its node."""

LAST_WITHIN_S = 60.0
"""When a search ends early, the states that are on their way have so many seconds to arrive."""

State = dict[str, str]
"""Where a state is: Ray's id of the "node", and the "folder" there."""


def this_node() -> str:
    """Return Ray's id of the node that this process is on."""
    node: str = ray.get_runtime_context().get_node_id()
    return node


class NodeStates:
    """In the process of a trial: its states, in a folder that goes with the process."""

    def __init__(self) -> None:
        self._until_the_process_ends = ExitStack()
        self._folder: Path | None = None
        self._saved: list[Path] = []

    def forget(self) -> None:
        """Remove what the last trial of this process wrote."""
        for old in self._saved:
            shutil.rmtree(old, ignore_errors=True)
        self._saved = []

    def write(self, save: Save) -> State:
        """Write a state, remove all but the last two, and return where it is.

        The driver seals what it fetches; that stays too, however long it takes to arrive.
        """
        if self._folder is None:
            self._folder = self._until_the_process_ends.enter_context(scratch_folder())
        folder = self._folder / secrets.token_hex(8)
        save(folder)
        self._saved.append(folder)
        fetched = [one for one in self._saved if (one / LIST).exists()][-1:]
        kept = [one for one in self._saved if one in (*fetched, *self._saved[-KEPT:])]
        for old in set(self._saved) - set(kept):
            shutil.rmtree(old, ignore_errors=True)
        self._saved = kept
        return {"node": this_node(), "folder": str(folder)}


class StatesFromNodes:
    """In the driver: fetches states, of each trial in turn.

    Args:
        folder: of the search's states.
        run: the name of this run's folder in it.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self._folder, self._run = folder, folder / run
        self._wanted: dict[str, State] = {}  # by the name of the trial's folder
        self._senders: dict[str, Any] = {}  # by node; of this thread alone
        self._ended: set[int] = set()
        self._problems: list[tuple[str, str]] = []
        self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fetch_all, daemon=True, name="states")
        self._thread.start()

    def offer(self, trial: str, state: State) -> None:
        """Fetch this state when its turn comes, unless a newer one is offered until then.

        Args:
            trial: the name of the trial's folder; each attempt has another.
            state: where it is.
        """
        with self._changed:
            self._wanted[trial] = state
            self._changed.notify()

    def drop(self, number: int) -> None:
        """Remove the states of a trial that has ended, and fetch no more of them."""
        with self._changed:
            self._ended.add(number)
            for trial in [one for one in self._wanted if _number(one) == number]:
                del self._wanted[trial]
            for name in (f"{number:05d}", f"{number:05d}.*"):
                for trial_folder in self._folder.glob(f"*/{name}"):
                    shutil.rmtree(trial_folder, ignore_errors=True)

    def problems(self) -> list[tuple[str, str]]:
        """Return, once, which states could not be fetched, each by its trial's folder, and why.

        A node's death is none: what ran there runs again elsewhere, and that is said.
        """
        with self._changed:
            found, self._problems = self._problems, []
        return found

    def stop(self, within_s: float) -> None:
        """Fetch what is still wanted, and end; give up after so many seconds."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(within_s)

    def _fetch_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._over)
                if not self._wanted:
                    return
                trial, state = next(iter(self._wanted.items()))
            self._fetch(trial, state["node"])

    def _fetch(self, trial: str, node: str) -> None:
        sender = self._sender(node)
        with self._changed:
            state = self._wanted.pop(trial, None)  # perhaps newer now; None if its trial has ended
        if state is None or sender is None:
            return
        aside = self._run / trial / f".arriving-{secrets.token_hex(4)}"
        try:
            carry(Path(state["folder"]), sender, aside, "saved state")
            with self._changed:
                if _number(trial) not in self._ended and is_whole(aside):
                    _keep(aside)
        except (RayTaskError, OSError, InputError) as error:
            self._say(trial, getattr(error, "cause", error))
        except RayError:  # the node has died, or our process there: the next state gets another
            del self._senders[node]
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _sender(self, node: str) -> Any:
        """Return what sends files from a node; None if it has died, or takes too long."""
        if node not in self._senders:
            try:
                self._senders[node] = sender_on(node)
            except RayError:
                return None
        return self._senders[node]

    def _say(self, trial: str, error: BaseException) -> None:
        with self._changed:
            # Its trial may have ended, or replaced the state by a newer one.
            if _number(trial) not in self._ended and trial not in self._wanted:
                self._problems.append((trial, error_text(error)))


def _keep(arrived: Path) -> None:
    """Give a state its name, at once and whole, and remove all but the last two."""
    known = sorted(arrived.parent.glob("checkpoint_*"))
    following = int(known[-1].name.rpartition("_")[2]) + 1 if known else 0
    arrived.rename(arrived.with_name(f"checkpoint_{following:06d}"))
    for old in known[: 1 - KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _number(trial: str) -> int:
    return int(trial.partition(".")[0])
