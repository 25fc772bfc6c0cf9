"""How often each verdict is wrong: measured in simulated worlds where the truth is known.

`python -m tests.reproduction.worlds 100` measures the rates and writes `error_rates.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

FILE = Path(__file__).with_name("error_rates.csv")
COLUMNS = ["claim", "truth", "world", "worlds", "holds", "fails", "first"]


@dataclass(frozen=True)
class Rate:
    """What a check found in one kind of world.

    Args:
        truth: whether the claim is true there.
        world: what is so there, for people.
        worlds: how many were drawn.
        holds, fails: in how many the verdict was "holds" and "does not hold".
        first: the verdicts in the first worlds, a letter each, which show whether the rates are
            those of today's checks.
    """

    truth: bool
    world: str
    worlds: int
    holds: int
    fails: int
    first: str

    def __str__(self) -> str:
        held, failed = (f"{count / self.worlds:.0%}" for count in (self.holds, self.fails))
        sort = "true" if self.truth else "false"
        return f"where it is {sort} ({self.world}): holds {held}, does not hold {failed}"


def error_rates() -> dict[str, tuple[Rate, ...]]:
    """Return the rates of each claim, by its name."""
    table = pd.read_csv(FILE)
    return {
        str(claim): tuple(Rate(**row) for row in rows.drop(columns="claim").to_dict("records"))
        for claim, rows in table.groupby("claim", sort=False)
    }
