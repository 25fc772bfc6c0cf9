"""Parquet files with an image column, as Hugging Face's `datasets` writes them.

Images are whole image files in a column `struct<bytes, path>` (or `binary`), decoded like those of
a folder. The schema's metadata names the classes. Shards of a part are read in their order.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tune_mnist.datasets.cache import cached
from tune_mnist.datasets.dataset import PARTS, PartName, Unsplit
from tune_mnist.datasets.formats.arrays import Part, unsplit
from tune_mnist.datasets.formats.file_sets import FileSet, part_of
from tune_mnist.datasets.formats.image_column import Decoding, Embedded, decode
from tune_mnist.datasets.memory import check_fits
from tune_mnist.errors import InputError, input_error

SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
IMAGES = ("image", "img", "images", "picture")
LABELS = ("label", "labels", "class", "target")
BATCH_ROWS = 256
AGAIN = "copy or download the file again"
NEEDED = "needs a column of images (struct<bytes, path> or binary) and one of labels"
VERSION = 1  # of the reading; a new number makes every cached result invalid


@dataclass(frozen=True)
class _Columns:
    """The columns of a file that make a data set.

    Args:
        image: the column's name.
        label: the column's name; None if the file has no labels.
        classes: the names of labels 0..k-1, if the file has them.
    """

    image: str
    label: str | None
    classes: tuple[str, ...]


def find(files: Sequence[Path]) -> list[FileSet]:
    """Return the data sets among these files."""
    groups = defaultdict[tuple[str, bool], dict[PartName, list[Path]]](dict)
    for path in files:
        if path.suffix.lower() == ".parquet" and path.stem.lower() != "metadata":
            shard = SHARD.fullmatch(path.stem)
            name, part = part_of(shard["stem"] if shard else path.stem)
            same = groups[name, part is None].setdefault(part or "train", [])
            if path.name not in [other.name for other in same]:
                same.append(path)
    return [
        FileSet(
            name,
            tuple(path for paths in parts.values() for path in paths),
            partial(_cached, parts),
        )
        for (name, _), parts in groups.items()
    ]


def _cached(parts: Mapping[PartName, list[Path]], how: Decoding) -> Unsplit:
    """Read the files, or take what was decoded before from the cache."""
    import PIL

    read_as = (VERSION, PIL.__version__, how.side, how.skip_bad_images)
    digest = hashlib.sha256(repr(read_as).encode())
    for name, paths in sorted(parts.items()):
        for path in paths:
            state = path.stat()
            about = (name, path.name, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            digest.update(repr((*about, state.st_ino)).encode())
    first = next(iter(parts.values()))[0].absolute()
    return cached(f"{first}\0{how.side}", digest.hexdigest(), lambda: _read(parts, how))


def _read(parts: Mapping[PartName, list[Path]], how: Decoding) -> Unsplit:
    if "train" not in parts:
        path = next(iter(parts.values()))[0]
        raise input_error(path, "has no training images beside it", "add train.parquet")
    notes: list[str] = []
    images: list[Embedded] = []
    labels: dict[PartName, list[Any]] = {}
    names: tuple[str, ...] = ()
    for part in PARTS:
        for path in _in_order(parts.get(part, [])):
            columns = _columns(path)
            found = _rows(path, columns)
            if part == "train" and columns.label is None:
                raise input_error(path, "has no column of labels", "name the column label")
            if part == "train":
                names = _same(path, names or columns.classes, columns.classes)
            elif columns.label is None or all(label == -1 for label in found[1]):
                notes.append(f"{path.name} has no labels: not used")
                continue
            images += found[0]
            labels.setdefault(part, []).extend(found[1])
            size = sum(len(image.contents) for image in images)
            check_fits(path, size)
    decoded = decode(images, how)
    ends = np.cumsum([len(labels[part]) for part in labels])
    part_of = np.searchsorted(ends, decoded.good, side="right")
    every = np.array([label for part in labels for label in labels[part]], dtype=object)
    made = {}
    for number, part in enumerate(labels):
        rows, file = part_of == number, str(parts[part][0])
        made[part] = Part(decoded.pixels[rows], every[decoded.good][rows], file, file)
    data = unsplit(made, names, (*notes, *decoded.notes))
    return replace(data, files_hash=_files_hash(data, decoded.hashes))


def _files_hash(data: Unsplit, hashes: Sequence[bytes]) -> str:
    """Return the hash of classes, labels and image files, whatever size these are decoded to."""
    digest = hashlib.sha256(repr((VERSION, data.classes)).encode())
    for part in (data.train, data.val, data.test):
        digest.update(repr(None if part is None else part.labels.tolist()).encode())
    for content in hashes:
        digest.update(content)
    return digest.hexdigest()


def _same(path: Path, before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    if before != now:
        raise input_error(path, "its classes are not those of the other files", AGAIN)
    return before


def _in_order(paths: Sequence[Path]) -> list[Path]:
    """Return shards by their number; refuse the part if one is missing."""
    shards = {path: SHARD.fullmatch(path.stem) for path in paths}
    for path, shard in shards.items():
        if shard and len(paths) != int(shard["count"]):
            have = {int(one["number"]) for one in shards.values() if one}
            lost = next((n for n in range(int(shard["count"])) if n not in have), None)
            missing = f"{shard['stem']}-{lost:05d}-of-{shard['count']}.parquet"
            problem = f"{missing} is missing" if lost is not None else "there are other shards too"
            raise input_error(path, problem, "download all files of one version")
    return sorted(paths)


def _columns(path: Path) -> _Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = dict(features.get("info", {}).get("features", {}))
        types = {name: dict(one).get("_type") for name, one in features.items()}
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, error) from None
    except Exception as error:  # a damaged footer may raise anything
        raise _damaged(path, error) from None
    binary = [
        name
        for name, type_ in zip(schema.names, schema.types, strict=True)
        if pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or (pa.types.is_struct(type_) and type_.get_field_index("bytes") >= 0)
    ]
    declared = [name for name in binary if types.get(name) == "Image"]
    image = _only(path, "image", declared or _named(binary, IMAGES))
    if image is None:
        raise input_error(path, f"has the columns {', '.join(schema.names)}", NEEDED)
    classes = [name for name in schema.names if types.get(name) == "ClassLabel"]
    usual = [name for name in schema.names if name.lower() in LABELS]
    label = _only(path, "label", _named(classes, LABELS) or usual)
    return _Columns(image, label, _class_names(path, features, label, classes))


def _class_names(
    path: Path, features: Mapping[str, Any], label: str | None, classes: Sequence[str]
) -> tuple[str, ...]:
    if label is None or label not in classes:
        return ()
    names = features[label].get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise input_error(path, f"the classes of {label} are not a list of names", AGAIN)
    return tuple(names)


def _named(columns: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the only column, or those of usual names."""
    return list(columns) if len(columns) == 1 else [n for n in columns if n.lower() in usual]


def _only(path: Path, what: str, columns: Sequence[str]) -> str | None:
    if len(columns) > 1:
        raise input_error(
            path, f"has several columns of {what}s: {', '.join(columns)}", "keep one of them"
        )
    return columns[0] if columns else None


def _rows(path: Path, columns: _Columns) -> tuple[list[Embedded], list[Any]]:
    """Return the image files and labels in a file, after checking that each row has both."""
    import pyarrow.parquet as pq

    wanted = [columns.image] if columns.label is None else [columns.image, columns.label]
    images: list[Embedded] = []
    labels: list[Any] = []
    size = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                size += batch.nbytes
                check_fits(path, size)
                for image in batch.column(columns.image).to_pylist():
                    images.append(_embedded(path, len(images), image))
                if columns.label is not None:
                    labels += batch.column(columns.label).to_pylist()
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise _damaged(path, error) from None
    if not images:
        raise input_error(path, "has no rows", "add images, or remove it")
    if None in labels:
        raise input_error(path, f"row {labels.index(None)} has no label", "add it, or drop the row")
    return images, labels


def _embedded(path: Path, row: int, image: Any) -> Embedded:
    contents = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(contents, bytes):
        where = image.get("path") if isinstance(image, dict) else None
        held = f"only the path {where}" if where else "no image"
        raise input_error(path, f"row {row} holds {held}", "write the images' bytes into the file")
    return Embedded(f"{path}: row {row}", contents)


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error) or type(error).__name__
    return input_error(path, f"cannot be read as Parquet ({reason})", AGAIN)
