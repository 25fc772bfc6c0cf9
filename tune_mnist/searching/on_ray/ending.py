"""How Ray Tune ends a search when `Ending` says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Stopper

from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.session.watching import check_alive
from tune_mnist.searching.stopping.ending import Ending

LOOK_EVERY_S = 3.0
"""Between two looks at whether Ray has a node left."""


class StopAll(Stopper):
    """Asks `Ending` at every step of Tune's loop, and checks every few seconds that Ray lives.

    If a trial's node has died and there is no other, Tune would wait for ever.

    Args:
        ending: decides.
        kill_running: ends the processes of the running trials.
        look: looks whether trials start.
    """

    def __init__(
        self, ending: Ending, kill_running: Callable[[], None], look: Callable[[], None]
    ) -> None:
        self._ending, self._kill_running, self._look = ending, kill_running, look
        self._looked = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # see TrialEvents

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False: this ends whole searches, not single trials."""
        return False

    def stop_all(self) -> bool:
        """Return whether the search is over; its running trials are ended then."""
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self._looked = time.monotonic()
            try:
                check_alive()
                self._look()
            except InputError as error:
                self._ending.lose(error)
        if self._ending.reached():
            self._kill_running()
            return True
        return False
