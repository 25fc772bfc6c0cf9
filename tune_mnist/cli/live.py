"""The live view of a search: what runs, what is done, the best so far, the time left."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tune_mnist.actions.confirm import PreparedConfirmation
from tune_mnist.actions.preparing import Prepared
from tune_mnist.cli.shown import print_notes
from tune_mnist.metrics import LATENCIES
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.session.ray_start import token_file
from tune_mnist.winner import better, winner
from tune_mnist.wording import config_text, duration, milliseconds, model_text, percent

_SHOWN = 12
"""Running trials shown at most: the rest is counted in one line."""


class LiveView(Observer):
    """Watches a run: a live table in a terminal, elsewhere a line a finished trial.

    Args:
        prepared: what runs; its notes are printed when it starts.
        console: where to print.

    Attributes:
        addresses: of Ray's dashboard.
    """

    def __init__(self, prepared: Prepared | PreparedConfirmation, console: Console) -> None:
        plan = prepared.plan
        self._plan = plan
        self._notes = prepared.notes
        self.addresses: list[str] = []
        self._console = console
        self._metric = plan.space.objective.metric
        self._running: dict[str, tuple[str, float, dict[str, Any]]] = {}
        self._finished: deque[float] = deque(maxlen=50)  # wall time of the last trials, s
        self._counts: dict[str, int] = {}
        self._best: dict[str, Any] | None = None
        self._best_text = ""
        self._said: set[str] = set()  # why models could not be saved
        self._began = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> LiveView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def started(self, search: str, trials: int | None, finished: Sequence[dict[str, Any]]) -> None:
        """Print what a person should know, and begin the live table with what has finished."""
        print_notes(self._notes)
        for row in finished:
            self._count(row)
        self._show_best(winner(finished, self._plan.space.goal))
        if self._console.is_terminal:
            self._live.start()
        elif finished:
            said = f"so far: {self._summary(time.monotonic())}"
            self._console.print(said, highlight=False, markup=False, soft_wrap=True)

    def dashboard(self, address: str, dashboard: str) -> None:
        """Say what opens Ray's dashboard."""
        self.addresses.append(dashboard)
        self._console.print(f"dashboard: {address}", soft_wrap=True)
        if address != dashboard:
            token = "its token" if self._plan.cluster else f"the token in {token_file()}"
            to = f"signs your browser in to {dashboard}, which asks for {token}"
            self._console.print(f"           keep it to yourself: it {to}", soft_wrap=True)

    def preparing(self, what: str) -> None:
        """Print what all trials are waiting for."""
        self._console.print(f"preparing: {what}", soft_wrap=True)

    def stalled(self, seconds: float, logs: Path) -> None:
        """Say that no trial starts."""
        self._console.print(
            f"no trial has started for {seconds:.0f} s: the machine is overloaded, or Ray cannot"
            f" start a process; its logs are in {logs}",
            soft_wrap=True,
        )

    def waiting(self, reason: str) -> None:
        """Say what the search waits for."""
        self._console.print(reason, soft_wrap=True)

    def trial_moved(self, trial: str, host: str | None) -> None:
        """Say that the trial runs again."""
        self._running.pop(trial, None)
        why = f"its node died ({host})" if host else "its process died before it began"
        text = f"{trial} runs again: {why}"
        self._console.print(text, style="yellow", soft_wrap=True)

    def model_not_kept(self, trial: str, problem: str) -> None:
        """Say once for each reason that a model could not be saved."""
        self._say_once(trial, "its model could not be saved", problem)

    def not_timed(self, trial: str, problem: str) -> None:
        """Say once for each reason that a latency could not be measured."""
        self._say_once(trial, "its latency could not be measured", problem)

    def _say_once(self, trial: str, what: str, problem: str) -> None:
        if (said := f"{what}, the trial counts: {problem}") not in self._said:
            self._said.add(said)
            text = f"{trial}: {said}"
            self._console.print(text, style="yellow", soft_wrap=True, markup=False)

    def state_not_kept(self, trial: str, problem: str) -> None:
        """Say once for each reason that a saved state could not be brought from its node."""
        if problem not in self._said:
            self._said.add(problem)
            text = f"{trial}: a saved state could not be brought here, the trial runs on: {problem}"
            self._console.print(text, style="yellow", soft_wrap=True, markup=False)

    def trial_started(self, trial: str, config: dict[str, Any]) -> None:
        """Show the trial as running."""
        self._running[trial] = (config_text(json.dumps(config)), time.monotonic(), {})

    def trial_reported(self, trial: str, measurement: dict[str, Any]) -> None:
        """Show the trial's newest measurement."""
        text, began, _ = self._running[trial]
        self._running[trial] = (text, began, measurement)

    def trial_finished(self, row: dict[str, Any]) -> None:
        """Count the trial; show it as the best if it is; say why if it failed."""
        trial, status = row["trial"], row["status"]
        never_ran = self._text(row), time.monotonic(), dict[str, Any]()
        text, _, _ = self._running.pop(trial, never_ran)
        self._count(row)
        self._show_best(better(row, self._best, self._plan.space.goal))
        if status == "failed":
            self._console.print(Text(f"{trial} failed  {text}: {row['error']}", style="red"))
        elif not self._console.is_terminal:
            self._console.print(
                f"{trial} {status}  {text}  {_value(self._metric, row[self._metric])}"
                f"  {duration(row['wall_time_s'])}",
                soft_wrap=True,
            )

    def _count(self, row: dict[str, Any]) -> None:
        if row["started"] and row["finished"]:
            self._finished.append((row["finished"] - row["started"]).total_seconds())
        self._counts[row["status"]] = self._counts.get(row["status"], 0) + 1

    def _show_best(self, best: dict[str, Any] | None) -> None:
        if best is not None and best is not self._best:
            self._best, self._best_text = best, self._text(best)

    def _text(self, row: dict[str, Any]) -> str:
        config = json.dumps(row["config"])
        several = self._plan.space.several
        return model_text(row["model"], config) if several else config_text(config)

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("trial", "configuration", "step", self._metric.replace("_", " "), "time"):
            table.add_column(heading, no_wrap=True)
        now = time.monotonic()
        for trial, (text, began, measured) in list(self._running.items())[:_SHOWN]:
            value = measured.get(self._metric)
            table.add_row(
                trial,
                text,
                str(measured.get("step", "–")),
                "–" if value is None else _value(self._metric, value),
                duration(now - began),
            )
        return Group(table, Text(self._summary(now), style="bold"))

    def _summary(self, now: float) -> str:
        done = sum(self._counts.values())
        of = f" of {self._plan.trials}" if self._plan.trials is not None else ""
        failed = self._counts.get("failed", 0)
        parts = [f"{len(self._running)} running", f"{done}{of} done"]
        if failed:
            parts.append(f"{failed} failed")
        if self._best:
            parts.append(f"best {_value(self._metric, self._best[self._metric])}")
            parts.append(self._best_text)
        left = self._seconds_left(now)
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return " · ".join(parts)

    def _seconds_left(self, now: float) -> float | None:
        """Return the time to the budget's end: of seconds, or by the last trials' mean time."""
        left: list[float] = []
        budget = self._plan.space.search.time_budget_s
        if budget is not None:
            left.append(max(0.0, budget - (now - self._began)))
        if self._plan.trials is not None and self._finished:
            mean = sum(self._finished) / len(self._finished)
            trials = self._plan.trials - sum(self._counts.values())
            left.append(mean * trials / self._plan.concurrency)
        return min(left) if left else None


def _value(metric: str, value: float) -> str:
    if metric in LATENCIES:
        return milliseconds(value)
    return percent(value) if metric.endswith("accuracy") else f"{value:.4g}"
