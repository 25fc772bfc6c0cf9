"""Which process a trial gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune.execution.tune_controller import TuneController

from tune_mnist.searching.on_ray.session.ray_start import replaced


@contextmanager
def starting_processes_kept() -> Iterator[None]:
    """Inside the block, let Tune kill no process that still starts.

    When a trial ends while another one's process starts, Tune (Ray 2.60) gives the free process to
    that other trial, and kills the one that starts. Where trials are shorter than the seconds of a
    start, it starts and kills process after process, and a few do all the work
    (`benchmarks/concurrency.py`). So the free process takes a new trial instead, as long as there
    may be one.
    """
    original = TuneController._maybe_reuse_cached_actor

    def reused(controller: Any, trial: Any) -> bool:
        starts = trial in controller._trial_to_actor and trial not in controller._resetting_trials
        if starts and not controller._search_alg.is_finished():
            return False
        return original(controller, trial)

    with replaced(TuneController, {"_maybe_reuse_cached_actor": reused}):
        yield
