"""Which process a trial gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.tune.execution.tune_controller import TuneController

from tune_mnist.searching.on_ray.session.ray_start import replaced


@contextmanager
def starting_processes_kept() -> Iterator[None]:
    """Inside the block, let Tune kill no process that still starts, if another trial can be run.

    When a trial ends while another one's process starts, Tune (Ray 2.60) gives the free process to
    that other trial, and kills the one that starts. Where trials are shorter than the seconds of a
    start, it starts and kills process after process, and a few do all the work
    (`benchmarks/concurrency.py`). So the free process goes to a trial that has none, if there is
    one. If there is none, Tune does as it always does: the process that starts may wait for the
    very cores that the free one holds.
    """
    original = TuneController._maybe_reuse_cached_actor

    def reused(controller: Any, trial: Any) -> bool:
        having = controller._trial_to_actor
        starts = trial in having and trial not in controller._resetting_trials
        if starts and any(other not in having for other in controller._pending_trials):
            return False
        return original(controller, trial)

    with replaced(TuneController, {"_maybe_reuse_cached_actor": reused}):
        yield
