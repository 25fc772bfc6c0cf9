"""What a search with several objectives or a tolerance prints at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.spaces import Space


def print_goals(
    results: Path, search: str, space: Space, within: float | None, console: Console
) -> None:
    """Print the Pareto set of several objectives, and the cheapest almost as good as the best.

    Trials that were stopped early do not count, because they only seem cheap.

    Args:
        results: the store. At least one completed trial of the search must satisfy the space's
            constraints.
        search: the search's name.
        space: the space that was searched.
        within: how much worse than the best an accuracy may be, a fraction; None does not ask.
        console: where to print.
    """
    import pyarrow.compute as pc

    from tune_mnist.analysis.constraints import read_selected
    from tune_mnist.analysis.pareto import pareto_sets, set_sentence
    from tune_mnist.analysis.within import cheapest_within, sentence
    from tune_mnist.cli.leaderboard import print_table
    from tune_mnist.store.selection import Selection

    trials = read_selected(results, Selection(search, where=space.constraints))
    trials = trials.filter(pc.equal(trials["status"], "completed"))
    if len(space.objectives) > 1:
        metrics = tuple(objective.metric for objective in space.objectives)
        for found in pareto_sets(trials, metrics, at_least=1):
            print_table(found.trials)
            console.print(set_sentence(found), markup=False, highlight=False, soft_wrap=True)
    for answer in cheapest_within(trials, within) if within is not None else ():
        console.print(sentence(answer), markup=False, highlight=False, soft_wrap=True)
