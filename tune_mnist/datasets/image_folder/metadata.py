"""Hugging Face's tables of labels: `metadata.csv` or `metadata.jsonl` beside the images.

The column `file_name` is an image's path from the table's folder, `label` its class, as text or as
a whole number. Source: Hugging Face Datasets, "Create an image dataset", ImageFolder.
"""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from collections.abc import Iterator
from typing import Any

from tune_mnist.datasets.image_folder.scan import Contents, LeftOut, walk
from tune_mnist.errors import Fault, first_faults, input_error

TABLES = ("metadata.csv", "metadata.jsonl")
COLUMNS = ("file_name", "label")
MOST_FAULTS = 20

Labelled = dict[str, list[str]]
"""Class to the paths of its images."""


def metadata_of(found: Contents) -> str | None:
    """Return the table in a folder that has the columns of labels, or None.

    Raises: InputError: the table cannot be read.
    """
    for path in found.others:
        if os.path.basename(path) in TABLES and _has_labels(path):
            return path
    return None


def labelled_images(folder: str, table: str, left_out: LeftOut) -> Labelled:
    """Return the images that a table names, by class; images without a row are left out.

    Args:
        folder: the table's folder.
        table: the table.
        left_out: receives what is not used.

    Raises: InputError: a row has no label, or names no image, or one that another row names. Each
        is a fault; the first 20 are named.
    """
    images = {}
    for _, found in walk(folder, left_out):
        images.update({_plain(os.path.relpath(path, folder)): path for path in found.images})
    left_out.others.remove(left_out.shown(table))
    labelled: Labelled = {}
    faults = []
    used: set[str] = set()
    for line, row in _rows(table):
        name, label = (row.get(column) for column in COLUMNS)
        key = _plain(os.path.normpath(name)) if isinstance(name, str) and name else ""
        problem = _fault(name, label, key in images, key in used)
        if problem:
            fix = "repair or remove the row"
            faults.append(Fault(table, f"line {line}", problem, fix))
        else:
            used.add(key)
            labelled.setdefault(_plain(_encodable(str(label))), []).append(images[key])
    if faults:
        others = Fault(table, "", "more rows cannot be used", "repair or remove them")
        raise first_faults(faults, MOST_FAULTS, others)
    left_out.add(f"no row of {left_out.shown(table)}", len(images) - len(used))
    return labelled


def _fault(name: Any, label: Any, exists: bool, used: bool) -> str:
    """Return what is wrong with a row, or ""."""
    if not isinstance(label, str | int) or isinstance(label, bool) or label == "":
        return f"label {label!r} is neither text nor a whole number"
    if not exists:
        return f"file_name {name!r} is no image of this folder"
    return f"file_name {name!r} stands in another row too" if used else ""


def _has_labels(table: str) -> bool:
    first = next(_rows(table), None)
    return first is not None and all(column in first[1] for column in COLUMNS)


def _rows(table: str) -> Iterator[tuple[int, dict[Any, Any]]]:
    """Yield the rows of a table with their line numbers, from 1."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            if table.endswith(".csv"):
                reader = csv.DictReader(file)
                for row in reader:
                    yield reader.line_num, row
            else:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, _object(line)
    except (ValueError, RecursionError, csv.Error) as error:
        fix = "write a table in UTF-8 with the columns file_name and label"
        raise input_error(table, f"cannot be read as a table ({error})", fix) from None


def _object(line: str) -> dict[Any, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"{line.strip()[:40]!r} is no object")
    return value


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _encodable(label: str) -> str:
    """Return the label with halves of surrogate pairs, which JSON may hold, written as escapes."""
    return label.encode("utf-8", "backslashreplace").decode()
