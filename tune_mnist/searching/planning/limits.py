"""How many trials a search has at most, and whether its grid is small enough to be listed."""

from __future__ import annotations

from tune_mnist.errors import input_error
from tune_mnist.searching.proposing.prefixes import MAX_LISTED
from tune_mnist.spaces import Space


def check_grid(space: Space, count: int | None) -> None:
    """Raise InputError if a scheduler needs a grid in random order that is too large to list."""
    search = space.search
    if (
        search.scheduler != "none"
        and search.sampler == "grid"
        and count is not None
        and count > MAX_LISTED
    ):
        raise input_error(
            space.name,
            f"a grid of {count:,} configurations is too large to shuffle for {search.scheduler}",
            "use the sampler random",
            key="search.sampler",
        )


def most_trials(space: Space, count: int | None) -> int | None:
    """Return how many trials a search has at most; None if only time or a target ends it.

    Args:
        space: what is searched.
        count: distinct configurations in it; None if it is infinite.

    Raises: InputError: nothing would ever end the search.
    """
    asked = space.search.trials
    if count is None:
        if asked is None and space.search.time_budget_s is None and space.search.target is None:
            raise input_error(
                space.name,
                "the space is infinite, and nothing ends the search",
                "set `trials`, `time_budget_s` or `target`",
                key="search.trials",
            )
        return asked
    return count if asked is None else min(asked, count)
