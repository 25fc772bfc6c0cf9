"""The rungs of `searching/stopping/rungs.py` as a scheduler of Ray Tune."""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_mnist.searching.on_ray.recorder import trial_name
from tune_mnist.searching.stopping.rungs import Rungs


class RungScheduler(FIFOScheduler):
    """Stops a trial at a rung where it lags.

    Attributes:
        rungs: which decide.
    """

    def __init__(self, rungs: Rungs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self.rungs = rungs

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Compare the trial at the highest rung that it has reached."""
        whole = result.get("test_accuracy") is not None
        on = self.rungs.goes_on(trial_name(trial), trial.config["number"], result)
        return str(TrialScheduler.CONTINUE if on or whole else TrialScheduler.STOP)
