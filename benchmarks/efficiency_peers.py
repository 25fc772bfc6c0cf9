"""The peers of `search_efficiency.py`, each as its documentation has it, on a recorded grid.

    PEERS_PYTHON -m benchmarks.efficiency_peers PEER TABLE SEEDS HORIZON     traces as JSON

Runs in a virtualenv that need not have tune_mnist (`pip install optuna syne-tune smac flaml pandas
scikit-learn`). Each peer is told of C, the batch size and the learning rate that they are ordered,
where it can be; Syne Tune and FLAML know no conditional parameters and are asked for all of them.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.replay import WORKERS, Config, Table, Trace, load, replay

ORDERED = ("C", "batch_size", "learning_rate", "epochs", "degree")


def words(table: Table) -> dict[str, dict[str, Any]]:
    """Return each unordered parameter's values by their texts: some peers want one type."""
    return {
        name: {str(value): value for value in one.values}
        for name, one in table.parameters.items()
        if name not in ORDERED
    }


def offered(table: Table, name: str) -> list[Any]:
    by_text = words(table)
    return list(by_text[name]) if name in by_text else list(table.parameters[name].values)


def meant(table: Table, config: Config) -> Config:
    """Return the configuration with its texts as the values they stand for."""
    by_text = words(table)
    return {
        name: by_text[name][value] if name in by_text else value for name, value in config.items()
    }


class Optuna:
    """Optuna's TPE with its defaults, conditions asked for as they come."""

    def __init__(self, table: Table, seed: int, pruner: str = "") -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        most = int(table.rungs[-1]) if table.model == "resnet" else len(table.rungs)
        pruners: dict[str, Callable[[], Any]] = {
            "": optuna.pruners.NopPruner,
            "halving": optuna.pruners.SuccessiveHalvingPruner,
            "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=most),
        }
        self._table = table
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=pruners[pruner](),
            direction="maximize",
        )
        self._pruned: Any = optuna.trial.TrialState.PRUNED

    def ask(self) -> tuple[Any, Config]:
        trial, config = self._study.ask(), dict[str, Any]()
        for name, one in self._table.parameters.items():
            if one.when is None or config.get(one.when[0]) in one.when[1]:
                config[name] = trial.suggest_categorical(name, one.values)
        return trial, config

    def report(self, trial: Any, rung: int, fidelity: float, accuracy: float) -> bool:
        step = int(fidelity) if self._table.model == "resnet" else rung + 1
        trial.report(accuracy, step)
        return not trial.should_prune()

    def tell(self, trial: Any, accuracy: float, *, stopped: bool) -> None:
        if stopped:
            self._study.tell(trial, state=self._pruned)
        else:
            self._study.tell(trial, accuracy)


class SyneTune:
    """Syne Tune's CQR, or its ASHA over the table's rungs."""

    def __init__(self, table: Table, seed: int, which: str) -> None:
        from syne_tune.config_space import choice, ordinal
        from syne_tune.optimizer import baselines

        space = {
            name: (ordinal if name in ORDERED else choice)(offered(table, name))
            for name in table.parameters
        }
        common = {"metric": "accuracy", "do_minimize": False, "random_seed": seed}
        if which == "CQR":
            self._scheduler: Any = baselines.CQR(space, **common)
        else:
            self._scheduler = getattr(baselines, which)(
                space,
                time_attr="rung",
                max_t=int(table.rungs[-1]) if table.model == "resnet" else 9,
                reduction_factor=2 if table.model == "resnet" else 3,
                **common,
            )
        self._table = table
        self._asked = 0

    def ask(self) -> tuple[Any, Config]:
        from syne_tune.backend.trial_status import Trial

        suggested = self._scheduler.suggest()
        trial = Trial(self._asked, suggested.config, datetime.now())
        self._asked += 1
        self._scheduler.on_trial_add(trial)
        return trial, meant(self._table, trial.config)

    def _result(self, fidelity: float, accuracy: float) -> dict[str, Any]:
        rung = round(fidelity if self._table.model == "resnet" else 9 * fidelity)
        return {"accuracy": accuracy, "rung": rung}

    def report(self, trial: Any, rung: int, fidelity: float, accuracy: float) -> bool:
        if fidelity == self._table.rungs[-1]:
            return True
        result = self._result(fidelity, accuracy)
        return bool(self._scheduler.on_trial_result(trial, result) == "CONTINUE")

    def tell(self, trial: Any, accuracy: float, *, stopped: bool) -> None:
        if stopped:
            self._scheduler.on_trial_remove(trial)
        else:
            result = self._result(self._table.rungs[-1], accuracy)
            self._scheduler.on_trial_complete(trial, result)


def _never_called(config: Any, seed: int = 0) -> float:  # ask and tell
    raise NotImplementedError  # SMAC3 wants a function, though we ask and tell


class Smac:
    """SMAC3's facade for hyperparameter optimisation: random forest, expected improvement."""

    def __init__(self, table: Table, seed: int) -> None:
        import smac
        from ConfigSpace import (
            CategoricalHyperparameter,
            ConfigurationSpace,
            InCondition,
            OrdinalHyperparameter,
        )

        space, known = ConfigurationSpace(seed=seed), dict[str, Any]()
        self._values = {name: one.values for name, one in table.parameters.items()}
        for name, one in table.parameters.items():  # places in the list: values of mixed types
            places = list(range(len(one.values)))
            kind = OrdinalHyperparameter if name in ORDERED else CategoricalHyperparameter
            known[name] = kind(name, places)
        space.add(*known.values())
        for name, one in table.parameters.items():
            if one.when:
                parent, values = one.when
                places = [self._values[parent].index(value) for value in values]
                space.add(InCondition(known[name], known[parent], places))
        scenario = smac.Scenario(
            space, deterministic=True, n_trials=len(table.points), seed=seed,
            output_directory=Path(tempfile.mkdtemp(prefix="smac-")),
        )  # fmt: skip
        facade = smac.HyperparameterOptimizationFacade
        self._smac = facade(scenario, _never_called, overwrite=True, logging_level=False)

    def ask(self) -> tuple[Any, Config] | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        try:
            info = self._smac.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException):
            return None
        return info, {name: self._values[name][place] for name, place in dict(info.config).items()}

    def report(self, trial: Any, rung: int, fidelity: float, accuracy: float) -> bool:
        return True

    def tell(self, trial: Any, accuracy: float, *, stopped: bool) -> None:
        from smac.runhistory import TrialValue

        self._smac.tell(trial, TrialValue(cost=1 - accuracy))


class Flaml:
    """FLAML's BlendSearch, or CFO, its local search alone."""

    def __init__(self, table: Table, seed: int, which: str) -> None:
        import flaml
        from flaml import tune

        space = {name: tune.choice(offered(table, name)) for name in table.parameters}
        searcher = {"BlendSearch": flaml.BlendSearch, "CFO": flaml.CFO}[which]
        self._search = searcher(metric="accuracy", mode="max", space=space, seed=seed)
        self._table = table
        self._asked = 0

    def ask(self) -> tuple[Any, Config] | None:
        for _ in range(200):  # None: it has been proposed before
            self._asked += 1
            config = self._search.suggest(str(self._asked))
            if config is not None:
                return (str(self._asked), config), meant(self._table, config)
        return None

    def report(self, trial: Any, rung: int, fidelity: float, accuracy: float) -> bool:
        return True

    def tell(self, trial: Any, accuracy: float, *, stopped: bool) -> None:
        name, config = trial
        result = {f"config/{key}": value for key, value in config.items()}
        result |= {"accuracy": accuracy, "time_total_s": 1.0, "training_iteration": 1}
        self._search.on_trial_complete(name, result)


PEERS: dict[str, tuple[Callable[[Table, int], Any], bool]] = {
    "Optuna TPE": (Optuna, False),
    "Optuna TPE + SuccessiveHalving": (lambda t, s: Optuna(t, s, "halving"), True),
    "Optuna TPE + Hyperband": (lambda t, s: Optuna(t, s, "hyperband"), True),
    "Syne Tune CQR": (lambda t, s: SyneTune(t, s, "CQR"), False),
    "Syne Tune ASHA": (lambda t, s: SyneTune(t, s, "ASHA"), True),
    "SMAC3": (Smac, False),
    "FLAML BlendSearch": (lambda t, s: Flaml(t, s, "BlendSearch"), False),
    "FLAML CFO": (lambda t, s: Flaml(t, s, "CFO"), False),
}
"""By name: how to make one, and whether it stops trials at rungs."""


HALVING = "HalvingGridSearchCV"


def halving_grid(table: Table, horizon: float) -> Trace:
    """Return the trace of scikit-learn's own class over the whole grid, which it lists itself.

    The estimator looks accuracies up; each round waits for the last of its two workers, and
    scikit-learn fits every survivor anew.
    """
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # switches it on
    from sklearn.model_selection import HalvingGridSearchCV

    factor = round(table.rungs[-1] / table.rungs[-2])
    budgets = [factor**rung for rung in range(len(table.rungs))]

    class Recorded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped bases
        def __init__(self, config: str = "", budget: int = 1) -> None:
            self.config, self.budget = config, budget

        def fit(self, rows: Any, labels: Any) -> Recorded:
            self.classes_ = np.array([0, 1])
            return self

        def score(self, rows: Any, labels: Any) -> float:
            return table.points[self.config].accuracies[budgets.index(self.budget)]

    search = HalvingGridSearchCV(
        Recorded(), {"config": list(table.points)}, resource="budget", factor=factor,
        min_resources=1, max_resources=budgets[-1], cv=[([0, 1], [0, 1])], refit=False,
    )  # fmt: skip
    search.fit(np.zeros((2, 1)), [0, 1])
    results = search.cv_results_
    now, finished = 0.0, list[tuple[float, float]]()
    for rung, budget in enumerate(budgets):
        free = [now] * WORKERS
        for config in results["param_config"][results["n_resources"] == budget]:
            point = table.points[config]
            took = point.seconds[rung] if table.model == "svm" else sum(point.seconds[: rung + 1])
            at = heapq.heapreplace(free, free[0] + took) + took
            if rung == len(budgets) - 1 and at <= horizon:
                finished.append((at, table.best - point.accuracies[rung]))
        now = max(free)
    trace: Trace = [(0.0, table.best)]
    for at, regret in sorted(finished):
        if regret < trace[-1][1]:
            trace.append((at, regret))
    return trace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=[*PEERS, HALVING])
    parser.add_argument("table")
    parser.add_argument("seeds", type=int)
    parser.add_argument("horizon", type=float)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    table = load(arguments.table)
    if arguments.peer == HALVING:  # no chance in it: every seed is the same
        print(json.dumps([halving_grid(table, arguments.horizon)] * arguments.seeds))
        return
    make, rungs = PEERS[arguments.peer]
    output, sys.stdout = sys.stdout, sys.stderr  # what a peer prints is no result
    traces: list[Trace] = [
        replay(make(table, seed), table, arguments.horizon, rungs=rungs)
        for seed in range(arguments.seeds)
    ]
    print(json.dumps(traces), file=output)


if __name__ == "__main__":
    main()
