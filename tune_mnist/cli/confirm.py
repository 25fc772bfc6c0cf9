"""`confirm`: run the best trials of a finished search again on fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from tune_mnist.cli.words import command

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.actions.requests import ConfirmRequest
    from tune_mnist.analysis.confirmation import Standing, Standings
    from tune_mnist.searching.history.confirmation import Confirmation


_ASSUMED = (
    "95 % holds if accuracies scatter alike above and below their mean. If a configuration loses"
    " 5 points on one seed in ten,\none search in three names a false winner within 20 seeds:"
    " docs/decisions/004-confirmation.md"
)


def confirm(context: typer.Context) -> None:
    """Run the best trials of a search again on fresh seeds: is its winner really the best?"""
    from tune_mnist.actions.requests import ConfirmRequest
    from tune_mnist.cli.options import asked_for

    show_confirmation(asked_for(context, ConfirmRequest))


def show_confirmation(request: ConfirmRequest) -> None:
    """Run a confirmation and print how the configurations stand.

    Raises: InputError: it cannot be made. typer.Exit: it was interrupted.
    """
    from tune_mnist.actions.confirm import prepare_confirmation, run_confirmation
    from tune_mnist.cli.console import ReadingBar, console
    from tune_mnist.cli.live import LiveView
    from tune_mnist.cli.shown import exit_if_interrupted

    with ReadingBar() as bar:
        prepared = prepare_confirmation(request, bar)
    with LiveView(prepared, console()) as view:
        confirmed = run_confirmation(prepared, view)
    _print_standings(confirmed.standings, confirmed.confirmation, console())
    exit_if_interrupted(confirmed.outcome)


def _print_standings(now: Standings, confirmation: Confirmation, to: Console) -> None:
    from rich.table import Table

    from tune_mnist.spaces import config_key
    from tune_mnist.wording import config_text

    names = [config_text(config_key(config)) for config in confirmation.configs]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("configuration", overflow="fold")
    table.add_column("seeds", justify="right")
    table.add_column("mean ± sd", no_wrap=True)
    table.add_column("mean within", no_wrap=True)
    table.add_column("behind the leader, within", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for index in sorted(range(len(names)), key=lambda index: _rank(now, index)):
        one = now.of_each[index]
        difference = "–" if one.difference is None else _points(one.difference, signed=True)
        interval = "" if one.difference is None else f" {_interval(one.difference_interval)}"
        table.add_row(
            names[index],
            str(one.seeds),
            _mean(one),
            "–" if one.mean is None else _interval(one.mean_interval, signed=False),
            difference + interval,
            verdict(now, index),
        )
    to.print(table, soft_wrap=True)
    to.print(_conclusion(now, names, confirmation), soft_wrap=True)


def _rank(now: Standings, index: int) -> tuple[bool, bool, float]:
    one = now.of_each[index]
    return index != now.leader, one.error is not None, -(one.mean or 0.0)


def verdict(now: Standings, index: int) -> str:
    """Return what is known of a configuration, in words."""
    one = now.of_each[index]
    if one.error is not None:
        return f"failed on a fresh seed: {one.error}"
    said = "leads" if index == now.leader else "separable"
    if index != now.leader and not one.separable:
        said = "equal" if one.difference_interval == (0, 0) else _open(one)
    return f"{said}; deterministic: equal for every seed" if one.deterministic else said


def _open(one: Standing) -> str:
    return f"not separable after {one.seeds} seeds"


def _conclusion(now: Standings, names: Sequence[str], confirmation: Confirmation) -> str:
    from tune_mnist.analysis.confirmation import ALPHA

    stored = f"stored as {confirmation.name}, seeds {', '.join(map(str, confirmation.seeds))}"
    if now.leader is None:
        return f"nothing to compare; {stored}"
    exact = all(one.deterministic for one in now.of_each)
    sure = "exactly" if exact else f"at {1 - ALPHA:.0%} over all looks"
    if len(names) == 1:
        said = "one configuration: nothing to compare it with"
    elif now.winner is not None:
        said = f"confirmed: {names[now.winner]} is the best of {len(names)}, {sure}"
    elif exact:
        said = "no winner: the best are equal on every seed"
    else:
        more = command("confirm", confirmation.search, "--seeds", str(2 * len(confirmation.seeds)))
        said = f"the order is open; {more} would continue"
    return f"{said}\n{stored}" if exact else f"{said}\n{stored}\n{_ASSUMED}"


def _mean(one: Standing) -> str:
    if one.mean is None:
        return "–"
    mean = f"{one.mean:.2%}"
    return mean if one.deviation is None else f"{mean} ± {_points(one.deviation)}"


def _points(fraction: float, *, signed: bool = False) -> str:
    return f"{100 * fraction:+.2f}" if signed else f"{100 * fraction:.2f}"


def _interval(ends: tuple[float, float], *, signed: bool = True) -> str:
    low, high = (_points(end, signed=signed) for end in ends)
    return f"[{low}, {high}]"
