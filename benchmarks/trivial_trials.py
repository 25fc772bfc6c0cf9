"""Our whole search on trials that train nothing: what remains is the cost of running trials."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import timed
from tune_mnist.searching.planning.machine import Machine


def seconds_of_trivial_trials(
    trials: int, machine: Machine, *, trial_s: float = 0.0, at_once: int | None = None
) -> float:
    """Return the wall seconds of a search without its start: sampler, Ray Tune and store work.

    Args:
        trials: how many.
        machine: what the search uses, this machine or a cluster.
        trial_s: seconds that each trial sleeps.
        at_once: trials at once; None for one per CPU.
    """
    from tune_mnist.datasets import load_dataset
    from tune_mnist.models.registry import parameter_types
    from tune_mnist.searching.history.known import Known
    from tune_mnist.searching.observer import Observer
    from tune_mnist.searching.on_ray import tuner
    from tune_mnist.searching.on_ray.run import SearchRun
    from tune_mnist.searching.on_ray.session.ray_session import ray_session
    from tune_mnist.searching.planning.plan import plan_search
    from tune_mnist.spaces import read_space
    from tune_mnist.store.writer import Writer

    def trivial(trial: dict[str, Any], shared: object) -> None:  # noqa: ARG001  # as run_trial's
        from ray import tune

        time.sleep(trial_s)
        value = float(trial["hyperparameters"]["C"])
        tune.report({"step": 1, "val_accuracy": value, "test_accuracy": value, "wall_time_s": 0.0})

    setattr(tuner, "run_trial", trivial)  # the trial alone is replaced  # noqa: B010
    with tempfile.TemporaryDirectory() as folder:
        space_file = Path(folder) / "trivial.yaml"
        values = ", ".join(f"{(number + 1) / 10000}" for number in range(trials))
        limit = f", max_concurrent: {at_once}" if at_once else ""
        space_file.write_text(
            f"model: svm\ndataset: digits\nparameters:\n  kernel: linear\n"
            f"  C: {{choice: [{values}]}}\nsearch: {{sampler: grid{limit}}}\n"
        )
        data = load_dataset("digits")
        plan = plan_search(read_space(space_file), cpus=machine.cpus, gpus=0, machine=machine)
        writer = Writer(Path(folder) / "results", "trivial", parameter_types())
        with writer, ray_session(plan, data):
            run = SearchRun(plan, data, writer, Observer())
            return timed(lambda: run.search(Known()))
