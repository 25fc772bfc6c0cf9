"""Claim: our default finds the grid's best in a third of the grid's cost, and no peer is better.

    python -m benchmarks.search_efficiency [--short] [--record] [--html FILE] [--peers PYTHON]
        [--tables NAME ...] [--seeds N]

Replays recorded grids (`replay.py`) on a simulated clock with two workers: our samplers through
`Proposals`, our schedulers through `RungScheduler`, and each peer through its own ask and tell.
"Best" is the highest validation accuracy in the table, less one standard deviation of a run's seed
noise (SVMs have none). Regret is that of the best trial that ran to its end; a rival is better
where its mean over the seeds is lower by more than two standard errors. What proposing takes is not
counted. `--peers` is the python of a virtualenv with the peers (`efficiency_peers.py`);
without it ours run alone. A ResNet's trial under a scheduler goes on at a rung; an SVM's begins
anew and pays for every rung.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, record
from benchmarks.replay import (
    NAMES,
    Config,
    Parameter,
    Table,
    Trace,
    load,
    regret_at,
    replay,
    time_to,
)
from tune_mnist.searching.on_ray.scheduling.rung_scheduler import RungScheduler
from tune_mnist.searching.on_ray.scheduling.schedulers import SCHEDULERS
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import Device, Space

CLAIM = (
    "our default reaches the grid's best in at most a third of its cost, "
    "no peer is better at equal cost"
)
SEEDS = 30
SLOW_SEEDS = 5  # these take up to a second a proposal
SLOW = ("gp", "SMAC3", "Syne Tune CQR")
HORIZON = 0.34  # of the grid's cost, after which a run is given up
PARTS = (1 / 9, 1 / 3)  # of the grid's cost, where regret is looked at
OURS = ("tpe", "tpe asha", "tpe hyperband", "random", "random asha", "qmc", "gp", "cmaes", "nsga2")
DEFAULT = "tpe"  # what search_spaces/*.yaml say, without a scheduler
SHORT = ("svm_digits",)
PEERS = {
    "Optuna TPE": False,
    "Optuna TPE + SuccessiveHalving": True,
    "Optuna TPE + Hyperband": True,
    "Syne Tune CQR": False,
    "Syne Tune ASHA": True,
    "SMAC3": False,
    "FLAML BlendSearch": False,
    "FLAML CFO": False,
    "HalvingGridSearchCV": True,
}
"""Whether each needs rungs, which the technical report's tables have not."""


class Ours:
    """Our proposals and our scheduler, as a search uses them."""

    def __init__(self, table: Table, sampler: str, scheduler: str, seed: int) -> None:
        self._space = space_of(table, sampler, scheduler, seed)
        device: Device = "gpu" if "pin_memory" in table.parameters else "cpu"
        self._proposals = Proposals(self._space, device)
        made = SCHEDULERS[self._space.search.scheduler](self._space, device)
        self._scheduler = made if isinstance(made, RungScheduler) else None
        self._metric = self._space.objective.metric

    def ask(self) -> tuple[int, Config] | None:
        proposal = self._proposals.next()
        return None if proposal is None else (proposal.number, dict(proposal.config))

    def report(self, trial: int, rung: int, fidelity: float, accuracy: float) -> bool:
        measured = {self._metric: accuracy, "fidelity": fidelity, "step": rung + 1}
        self._proposals.report(trial, measured)
        return self._scheduler is None or self._scheduler.rungs.goes_on(str(trial), trial, measured)

    def tell(self, trial: int, accuracy: float, *, stopped: bool) -> None:
        status = "stopped" if stopped else "completed"
        self._proposals.tell(trial, {"status": status, self._metric: accuracy})


def space_of(table: Table, sampler: str, scheduler: str, seed: int) -> Space:
    """Return the space whose configurations are the table's."""
    if table.model == "svm":
        fidelity: dict[str, Any] = {"parameter": "train_fraction", "rungs": list(table.rungs)}
    else:
        fidelity = {"parameter": "epochs"}
    parameters = {name: domain(one) for name, one in table.parameters.items()}
    if table.model == "resnet" and "epochs" not in parameters:
        parameters["epochs"] = {"choice": [int(table.rungs[-1])]}
    search = {"sampler": sampler, "scheduler": scheduler, "seed": seed, "trials": len(table.points)}
    described: dict[str, Any] = {
        "name": table.name,
        "model": table.model,
        "dataset": table.name,
        "parameters": parameters,
        "search": search,
    }
    if scheduler != "none":
        described["fidelity"] = fidelity
    return Space.model_validate(described)


def domain(one: Parameter) -> dict[str, Any]:
    when = {one.when[0]: list(one.when[1])} if one.when else {}
    return {"choice": list(one.values), "when": when}


def our_traces(table: Table, rival: str, seeds: int, horizon: float) -> list[Trace]:
    sampler, _, scheduler = rival.partition(" ")
    return [
        replay(
            Ours(table, sampler, scheduler or "none", seed), table, horizon, rungs=bool(scheduler)
        )
        for seed in range(seeds)
    ]


def peer_traces(
    python: str, table: Table, rival: str, seeds: int, horizon: float
) -> list[Trace] | None:
    command = [python, "-m", "benchmarks.efficiency_peers", rival, table.name, str(seeds)]
    done = subprocess.run([*command, str(horizon)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        print(f"  {rival} cannot be driven on {table.name}: {lines[-1]}", flush=True)
        return None
    traces: list[Trace] = [[(at, low) for at, low in one] for one in json.loads(done.stdout)]
    return traces


def raced(
    table: Table, seeds: int, python: str | None, horizon: float
) -> Iterator[tuple[str, list[Trace]]]:
    """Yield the traces of each rival that can run on the table."""
    ordered = [one for one in OURS if len(table.rungs) > 1 or " " not in one]
    for rival in ordered:
        if rival == "cmaes":  # these grids are choices, of which it proposes none
            continue
        count = min(seeds, SLOW_SEEDS) if rival in SLOW else seeds
        yield rival, our_traces(table, rival, count, horizon)
    for rival, needs_rungs in PEERS.items():
        if python is None or (needs_rungs and len(table.rungs) == 1):
            continue
        count = min(seeds, SLOW_SEEDS) if rival in SLOW else seeds
        traces = peer_traces(python, table, rival, count, horizon)
        if traces is not None:
            yield rival, traces


def figure(table: Table, rival: str, traces: list[Trace]) -> Figure:
    """Return a rival's line: time to target and regrets, as parts of the grid's cost."""
    cost = table.grid_seconds()
    times = [time_to(trace, table.noise) / cost for trace in traces]
    reached = sum(math.isfinite(one) for one in times)
    regrets = [
        f"{quartiles([100 * regret_at(trace, part * cost) for trace in traces])} at {part:.2f}"
        for part in PARTS
    ]
    mark = " (default)" if rival == DEFAULT else ""
    what = f"{table.name}, {rival}{mark}, {len(traces)} seeds: part of the grid's cost to its best"
    points = f"regret in points {', '.join(regrets)}"
    return Figure(what, f"{quartiles(times)}; reached by {reached}/{len(times)}; {points}")


def quartiles(values: list[float]) -> str:
    """Return "median (lower–upper quartile)"; a run that never got there counts as infinite."""
    ordered = sorted(values)
    low, high = (ordered[round(part * (len(ordered) - 1))] for part in (0.25, 0.75))
    return f"{ordered[(len(ordered) - 1) // 2]:.3g} ({low:.3g}–{high:.3g})"


def verdict(table: Table, all_traces: dict[str, list[Trace]]) -> Figure:
    """Return whether the claim holds on the table, and who is better at equal cost."""
    cost, own = table.grid_seconds(), DEFAULT
    times = [time_to(trace, table.noise) / cost for trace in all_traces[own]]
    share = sum(one <= 1 / 3 for one in times) / len(times)

    def regrets(rival: str, part: float) -> list[float]:
        return [100 * regret_at(one, part * cost) for one in all_traces[rival]]

    ahead: dict[bool, list[str]] = {True: [], False: []}  # beyond what chance explains, within it
    for part in PARTS:
        mine = regrets(own, part)
        for rival in all_traces:
            theirs = regrets(rival, part)
            less = statistics.fmean(mine) - statistics.fmean(theirs)
            if less > 1e-9:
                error = math.hypot(
                    *(statistics.stdev(of) / len(of) ** 0.5 for of in (mine, theirs))
                )
                means = f"{statistics.fmean(theirs):.3g} to {statistics.fmean(mine):.3g}"
                ahead[less > 2 * error].append(f"{rival} at {part:.2f} ({means})")
    median = sorted(times)[(len(times) - 1) // 2]
    said = f"{own} there at {median:.3g} of the grid's cost, {share:.0%} of seeds within a third"
    said += f"; lower mean regret in points: {', '.join(ahead[True]) or 'nobody'}"
    said += f"; by less than two standard errors: {', '.join(ahead[False]) or 'nobody'}"
    third = "yes" if median <= 1 / 3 else "NO"
    what = f"{table.name}: within a third of the grid's cost: {third}"
    return Figure(f"{what}; nobody better at equal cost: {'NO' if ahead[True] else 'yes'}", said)


def chart(results: dict[str, dict[str, list[Trace]]], file: Path) -> None:
    """Write the regret curves: median, and the band between the quartiles."""
    import numpy as np
    import plotly.graph_objects as go
    from plotly.colors import qualitative
    from plotly.subplots import make_subplots

    page = make_subplots(rows=len(results), cols=1, subplot_titles=list(results))
    parts = np.linspace(0.005, HORIZON, 100)
    rivals = list(dict.fromkeys(rival for one in results.values() for rival in one))
    for row, (name, traces_of) in enumerate(results.items(), 1):
        cost = load(name).grid_seconds()
        for rival, traces in traces_of.items():
            color = qualitative.Dark24[rivals.index(rival) % 24]
            values = [[100 * regret_at(one, part * cost) for part in parts] for one in traces]
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
            common = {"legendgroup": rival, "line": {"color": color, "shape": "hv"}}
            band = go.Scatter(
                x=[*parts, *parts[::-1]], y=[*high, *low[::-1]], fill="toself", opacity=0.15,
                legendgroup=rival, showlegend=False, line={"width": 0}, fillcolor=color,
                hoverinfo="skip",
            )  # fmt: skip
            shown = rivals.index(rival) == len(rivals) or row == 1
            line = go.Scatter(x=parts, y=middle, name=rival, showlegend=shown, **common)
            page.add_traces([band, line], rows=row, cols=1)
        page.update_xaxes(title_text="part of the grid's cost", row=row, col=1)
        page.update_yaxes(title_text="regret, points", range=[0, 5], row=row, col=1)
    page.update_layout(height=450 * len(results), title="Regret of the best finished trial")
    page.write_html(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="SVMs on digits, five seeds")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/RESULTS.md")
    parser.add_argument("--html", type=Path, help="write the regret curves there")
    parser.add_argument("--peers", help="python of a virtualenv with the peers")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    names = list(SHORT) if arguments.short else arguments.tables
    seeds = min(5, arguments.seeds) if arguments.short else arguments.seeds
    print(f"Claim: {CLAIM}", flush=True)
    results: dict[str, dict[str, list[Trace]]] = {}
    figures: list[Figure] = []
    for name in names:
        table = load(name)
        results[name] = {}
        horizon = HORIZON * table.grid_seconds()
        for rival, traces in raced(table, seeds, arguments.peers, horizon):
            results[name][rival] = traces
            figures.append(figure(table, rival, traces))
            print(figures[-1], flush=True)
        figures.append(verdict(table, results[name]))
        print(figures[-1], flush=True)
    if arguments.html:
        chart(results, arguments.html)
    if arguments.record:
        given = " --short" if arguments.short else f" --seeds {seeds} --tables {' '.join(names)}"
        peers = " --peers PYTHON" if arguments.peers else ""
        record(CLAIM, f"python -m benchmarks.search_efficiency{given}{peers}", figures)


if __name__ == "__main__":
    main()
