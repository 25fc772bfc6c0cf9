"""The order of rows in a merged file: the best first, so a leaderboard decodes one row group.

A Parquet reader decodes whole row groups, each column at about 1 µs per row. If the best hundred
of a million trials were spread over the file, fetching them would decode most of it. So the first
row group holds the trials with the highest validation accuracy, and the others follow in the
order in which they finished. From their bounds `top.py` sees that it need not read them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tune_mnist.store.catalog import readable_all
from tune_mnist.store.layout import RowKind
from tune_mnist.store.rules import check_groups

ROW_GROUP = 8192  # rows: few enough to decode quickly, enough to keep the footer of a million small


def row_groups(kind: RowKind, files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield all rows of the files as tables of about `ROW_GROUP` rows, one per row group.

    Args:
        kind: "trials" come best first; "reports" keep their order.
        files: Parquet files, oldest first; a column that a file lacks becomes null.
        schema: the schema of the tables.
    Raises: ForeignFilesError: a file is torn.
    """
    others = pc.scalar(True)
    with readable_all(kind, files, schema):
        for file in files:
            with pq.ParquetFile(file) as parquet:
                check_groups(parquet, range(parquet.num_row_groups))
        rows = ds.dataset([str(file) for file in files], schema=schema)
        if kind == "trials" and rows.count_rows() > ROW_GROUP:
            best = _are_best(rows)
            yield rows.to_table(filter=best)
            others = ~best
        waiting = schema.empty_table()
        for batch in rows.to_batches(filter=others):
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
            while len(waiting) >= ROW_GROUP:
                yield waiting.slice(0, ROW_GROUP)
                waiting = waiting.slice(ROW_GROUP)
        if len(waiting):  # an empty row group would only cost time to open
            yield waiting


def _are_best(trials: ds.Dataset) -> pc.Expression:
    """Return the condition, never null, that the best `ROW_GROUP` trials meet."""
    accuracy = pc.field("val_accuracy")
    wall_time_s = pc.coalesce(pc.field("wall_time_s"), pc.scalar(math.inf))
    keys = trials.to_table(
        {"accuracy": accuracy, "wall_time_s": wall_time_s},
        filter=accuracy.is_valid() & ~accuracy.is_nan(),
    )
    best = pc.select_k_unstable(
        keys, ROW_GROUP, [("accuracy", "descending"), ("wall_time_s", "ascending")]
    )
    if not len(best):
        return pc.scalar(False)
    worst = keys.take(best[-1:]).to_pylist()[0]
    tied = (accuracy == worst["accuracy"]) & (wall_time_s <= worst["wall_time_s"])
    return pc.coalesce((accuracy > worst["accuracy"]) | tied, pc.scalar(False))
