"""CSV files of pixels: one row an image, one column the label (Kaggle's digits, Sign-MNIST).

The label is the column of that name, or the first one if there is no header. The other columns are
the pixels of a square image, row by row, grey or RGB.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import PARTS, PartName, Unsplit
from tune_mnist.datasets.formats.arrays import Part, image_shape, unsplit
from tune_mnist.datasets.formats.file_sets import FileSet, part_of, quick
from tune_mnist.datasets.memory import check_fits
from tune_mnist.errors import InputError, input_error

LABELS = ("label", "labels", "class", "target", "y")
FEWEST_COLUMNS = 17  # a label and 4 by 4 pixels; a table with fewer is something else
LONGEST_LINE = 1 << 22
AGAIN = "repair the row, or copy the file again"
FAULT = re.compile(r"In CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
WIDTH = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class _Head:
    """The first line of a file.

    Args:
        columns: their names, or "column 1" … if the file has no header.
        label: the position of the label; None if there is none.
        named: whether the first line is a header.
    """

    columns: tuple[str, ...]
    label: int | None
    named: bool


def find(files: Sequence[Path]) -> list[FileSet]:
    """Return the data sets among these files; a CSV file of few columns is none."""
    groups = defaultdict[tuple[str, bool], dict[PartName, Path]](dict)
    for path in files:
        if path.suffix.lower() == ".csv" and len(_first_row(path)) >= FEWEST_COLUMNS:
            name, part = part_of(path.stem)
            groups[name, part is None].setdefault(part or "train", path)
    return [
        FileSet(name, tuple(tables.values()), quick(partial(_read, tables)))
        for (name, _), tables in groups.items()
    ]


def _read(tables: dict[PartName, Path]) -> Unsplit:
    if "train" not in tables:
        first = next(iter(tables.values()))
        raise input_error(first, "has no training images beside it", "add train.csv")
    parts: dict[PartName, Part] = {}
    notes = []
    for name in PARTS:
        if (path := tables.get(name)) is None:
            continue
        head = _head(path)
        if head.label is None and name != "train":
            notes.append(f"{path.name} has no column of labels: not used")
            continue
        parts[name] = _table(path, head)
    return unsplit(parts, notes=notes)


def _table(path: Path, head: _Head) -> Part:
    if head.label is None:
        raise input_error(path, "has no column of labels", "name the column of labels label")
    shape = image_shape(len(head.columns) - 1)
    if shape is None:
        raise input_error(
            path,
            f"{len(head.columns) - 1} columns beside the labels are no square image",
            "keep one column a pixel, 784 for 28 by 28, and one of labels",
        )
    check_fits(path, path.stat().st_size)
    columns = _columns(path, head)
    labels = np.array(columns.pop(head.label), dtype=np.str_)
    if not len(labels):
        raise input_error(path, "has no rows", "add images")
    pixels = np.stack(columns, axis=1).reshape(len(labels), *shape)
    return Part(pixels, labels, str(path), str(path))


def _columns(path: Path, head: _Head) -> list[Any]:
    """Return each column: text for labels, uint8 for pixels, or float32 if any has a fraction."""
    import pyarrow as pa

    try:
        return _parsed(path, head, pa.uint8(), threads=True)
    except pa.ArrowInvalid:
        pass
    try:
        columns = _parsed(path, head, pa.float32(), threads=True)
    except pa.ArrowInvalid:
        columns = []
    pixels = [column for at, column in enumerate(columns) if at != head.label]
    if columns and all(((column >= 0) & (column <= 1)).all() for column in pixels):
        return columns
    try:  # row by row, to name the row
        return _parsed(path, head, pa.uint8(), threads=False)
    except pa.ArrowInvalid as error:
        raise _fault(path, head, str(error)) from None


def _parsed(path: Path, head: _Head, type_: Any, *, threads: bool) -> list[npt.NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(at) for at in range(len(head.columns))]
    types = {name: pa.string() if at == head.label else type_ for at, name in enumerate(names)}
    with path.open("rb") as file:
        table = arrow_csv.read_csv(
            file,
            arrow_csv.ReadOptions(
                use_threads=threads, column_names=names, skip_rows=int(head.named)
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, null_values=[], strings_can_be_null=False
            ),
        )
    return [table.column(at).to_numpy() for at in range(len(names))]


def _fault(path: Path, head: _Head, said: str) -> InputError:
    if found := FAULT.search(said):
        column, row, value = head.columns[int(found[1])], found[2], found[3]
        problem = f"{value!r} in row {row}, column {column}, is no pixel"
        return input_error(path, problem, "pixels are whole numbers from 0 to 255, or all 0 to 1")
    if found := WIDTH.search(said):
        return input_error(path, f"row {found[1]} has {found[3]} columns, not {found[2]}", AGAIN)
    return input_error(path, f"cannot be read as CSV ({said[:100]})", AGAIN)


def _head(path: Path) -> _Head:
    first = _first_row(path)
    if all(_is_number(cell) for cell in first):
        return _Head(tuple(f"column {at}" for at in range(1, len(first) + 1)), 0, named=False)
    lower = [cell.strip().lower() for cell in first]
    name = next((name for name in LABELS if name in lower), "")
    if lower.count(name) > 1:
        raise input_error(path, f"two columns are called {name}", "keep one of them")
    label = lower.index(name) if name in lower else None
    return _Head(tuple(first), label, named=True)


def _first_row(path: Path) -> list[str]:
    """Return the cells of the first line; [] if it is not text."""
    with path.open("rb") as file:
        line = file.readline(LONGEST_LINE)
    try:
        return next(csv.reader([line.decode("utf-8-sig")]), [])
    except (UnicodeDecodeError, csv.Error):
        return []


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
