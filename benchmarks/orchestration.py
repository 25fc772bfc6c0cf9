"""Claim: a trial costs our search at least 8x less than it costs bare Ray Tune, under 0.1 s each.

    python -m benchmarks.orchestration [--short] [--record] [--trials N] [--rounds N]

200 trivial trials (each reports one number) by our search on Ray Tune, with the results store and
the sampler at work; against Ray Tune as its documentation starts it, Optuna in one process with
its SQLite storage, and, where it is installed, Syne Tune with its local backend. Each rival runs in
its own process; its set-up (imports, ray.init) is not counted. Prints the driver's start and
`--help` too. Optuna runs trials inside its own process: no isolation, no resources, no parallelism;
it marks the floor. Syne Tune starts one process a trial, so it is timed on a tenth of the trials.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Figure, Timings, compare, interleave, record, timed
from benchmarks.trivial_trials import seconds_of_trivial_trials
from tune_mnist.searching.planning.machine import Machine

CLAIM = "a trivial trial costs at least 8x less than on bare Ray Tune, under 0.1 s"
SYNE_TUNE_SHARE = 10
CPUS = 2


def ours(trials: int) -> float:
    """Return the seconds that our search takes for that many trivial trials."""
    machine = Machine(cpus=CPUS, gpus=0, memory_bytes=2**33)
    return seconds_of_trivial_trials(trials, machine)


def bare_ray(trials: int) -> float:
    """Return the seconds of Ray Tune as its documentation starts it."""
    import ray
    from ray import tune

    def trivial(config: dict[str, float]) -> None:
        tune.report({"val_accuracy": config["C"]})

    ray.init(num_cpus=CPUS, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(trivial, {"cpu": 1}),
            param_space={"C": tune.grid_search([n / 1000 for n in range(trials)])},
            run_config=tune.RunConfig(storage_path=folder),
        )
        seconds = timed(tuner.fit)
    ray.shutdown()
    return seconds


def optuna_sqlite(trials: int) -> float:
    """Return the seconds of Optuna's own loop with its SQLite storage."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(storage=f"sqlite:///{folder}/study.db", sampler=sampler)
        return timed(
            lambda: study.optimize(lambda trial: trial.suggest_float("C", 0, 1), n_trials=trials)
        )


def syne_tune(trials: int) -> float:
    """Return the seconds of Syne Tune's local backend."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.baselines import RandomSearch

    with tempfile.TemporaryDirectory() as folder:
        os.environ["SYNETUNE_FOLDER"] = folder
        script = Path(folder) / "trivial.py"
        script.write_text(
            "import argparse\nfrom syne_tune import Reporter\n"
            "parser = argparse.ArgumentParser()\nparser.add_argument('--C', type=float)\n"
            "arguments, _ = parser.parse_known_args()\n"
            "Reporter()(val_accuracy=arguments.C)\n"
        )
        tuner = Tuner(
            trial_backend=LocalBackend(entry_point=str(script)),
            scheduler=RandomSearch({"C": uniform(0, 1)}, metrics=["val_accuracy"], random_seed=0),
            stop_criterion=StoppingCriterion(max_num_trials_finished=trials),
            n_workers=CPUS,
            sleep_time=0.1,
        )
        return timed(tuner.run)


RIVALS = {"ours": ours, "ray": bare_ray, "optuna": optuna_sqlite, "syne-tune": syne_tune}


def in_process(rival: str, trials: int, seconds: list[float]) -> None:
    """Run a rival in a process of its own and keep the seconds that it measured."""
    command = [sys.executable, "-m", "benchmarks.orchestration", "--rival", rival]
    output = subprocess.run(
        [*command, "--trials", str(trials)], capture_output=True, text=True, check=True
    ).stdout
    seconds.append(float(output.splitlines()[-1].removeprefix("seconds ")))


def against(rival: str, trials: int, rounds: int, share: int = 1) -> Figure:
    """Return the figure of ours against a rival that gets 1/share of the trials."""
    mine: list[float] = []
    theirs: list[float] = []
    interleave(
        lambda: in_process("ours", trials, mine),
        lambda: in_process(rival, trials // share, theirs),
        rounds,
    )
    return compare(
        f"{trials} trials vs {rival}", Timings(tuple(mine)), Timings(tuple(theirs)), share
    )


def start_up(rounds: int) -> list[Figure]:
    """Return the figures of `--help` and of a whole search of one trial."""
    program = [sys.executable, "-m", "tune_mnist"]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        one = ["search", "svm", "--dataset", "digits", "--trials", "1", "--cpus", str(CPUS)]
        for what, arguments in (
            ("--help, whole process", ["--help"]),
            ("search of one SVM trial on digits, whole process", [*one, "--results", folder]),
        ):
            command = [*program, *arguments]
            whole = partial(subprocess.run, command, check=True, capture_output=True)
            times = [timed(whole) for _ in range(rounds)]
            figures.append(Figure(what, f"{statistics.median(times):.3g} s"))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer trials, one round")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--rival", choices=RIVALS, help=argparse.SUPPRESS)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.rival:
        print(f"seconds {RIVALS[arguments.rival](arguments.trials)}")
        return
    trials, rounds = (30, 1) if arguments.short else (arguments.trials, arguments.rounds)
    figures = [against("ray", trials, rounds), against("optuna", trials, rounds)]
    if importlib.util.find_spec("syne_tune"):
        figures.append(against("syne-tune", trials, rounds, SYNE_TUNE_SHARE))
    figures += start_up(rounds)
    for figure in figures:
        print(figure)
    if arguments.record:
        options = f" --trials {trials} --rounds {rounds}"
        record(CLAIM, f"python -m benchmarks.orchestration{options}", figures)


if __name__ == "__main__":
    main()
