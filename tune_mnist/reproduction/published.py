"""The figures that the technical report published, unchanged: one CSV file for each table.

`results/reference/published/SOURCE.md` says where each comes from and what is wrong with it. As in
the store, accuracies are fractions and times are in seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

PublishedTable = Literal["resnet", "devices", "svm", "curves", "winners", "methods"]

_PACKAGE = Path(__file__).parents[1]


def published_folder() -> Path:
    """Return the folder of the published figures, in the installed package or in the checkout."""
    installed = _PACKAGE / "published"
    checkout = _PACKAGE.parent / "results" / "reference" / "published"
    return installed if installed.is_dir() else checkout


def published(table: PublishedTable) -> pd.DataFrame:
    """Return one published table.

    Args:
        table: "resnet", the 64 configurations of both networks and their rerun; "devices", CPU
            against GPU; "svm", the 20 configurations, with accuracies if they were printed;
            "curves", the logs, one row for each epoch; "winners", Table 1; "methods", Table 5.
    """
    return pd.read_csv(published_folder() / f"{table}.csv", dtype={"gamma": "string"})
