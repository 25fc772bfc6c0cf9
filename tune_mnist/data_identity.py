"""Which data set a trial ran on: a data set is its content, not its name.

The content is the column `data_hash`, the SHA-256 of images, labels and split. Two folders called
`images` are two data sets, and `mnist` with another test set is another one. Rows of old stores
have no hash, so their name stands for the data. To group trials by data set, use the column
`dataset` of what `named_by_content` returns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

DataName = tuple[str, str | None]
"""A data set's name and its data hash; None where an old row has none."""

_SHORT = 6  # digits of a hash that are shown, unless two data sets share them
_PREFIX = re.compile(rf"[0-9a-f]{{{_SHORT},64}}")
_WITH_HASH = (re.compile(r"(.+)@([0-9a-f]{1,64})"), re.compile(r"(.+) \(([0-9a-f]{1,64})\)"))


def named_by_content(trials: pa.Table) -> pa.Table:
    """Return the trials with a `dataset` that is the same where, and only where, the data is.

    A name stays as it is unless two data sets among these trials share it: then each has the first
    digits of its hash behind it, "images (3f9a1c)". One data set under two names has both.

    Args:
        trials: rows with `dataset` and `data_hash`.
    """
    pairs = data_names(trials)
    shown = _shown(pairs)
    if all(shown[pair] == pair[0] for pair in pairs):
        return trials
    known = pa.array([_joined(pair) for pair in pairs])
    hashes = pc.fill_null(trials["data_hash"], "")
    rows = pc.binary_join_element_wise(trials["dataset"], hashes, "\n")
    names = pa.array([shown[pair] for pair in pairs], pa.string())
    named = names.take(pc.index_in(rows, known).combine_chunks())
    place = trials.column_names.index("dataset")
    return trials.set_column(place, trials.schema.field("dataset"), named)


def data_names(trials: pa.Table) -> list[DataName]:
    """Return the names and hashes of the data sets that trials ran on, sorted."""
    pairs = trials.group_by(["dataset", "data_hash"]).aggregate([]).to_pylist()
    found = {(row["dataset"], row["data_hash"] or None) for row in pairs if row["dataset"]}
    return sorted(found, key=lambda pair: (pair[0], pair[1] or ""))


def matching(wanted: str, known: Iterable[DataName]) -> list[DataName]:
    """Return the data sets that a person means: by name, by name and hash, or by hash.

    Args:
        wanted: "images"; "images@3f9a1c" or "images (3f9a1c)", with the first digits of the hash;
            or at least six digits of the hash alone.
        known: the data sets there are.
    """
    known = list(known)
    if by_name := [pair for pair in known if pair[0] == wanted]:
        return by_name
    for form in _WITH_HASH:
        if split := form.fullmatch(wanted):
            name, prefix = split.groups()
            return [pair for pair in known if pair[0] == name and _begins(pair, prefix)]
    if _PREFIX.fullmatch(wanted):
        return [pair for pair in known if _begins(pair, wanted)]
    return []


def is_plain_name(wanted: str) -> bool:
    """Return whether a text can only be the name of a data set: it has no hash in it."""
    return not _PREFIX.fullmatch(wanted) and not any(form.fullmatch(wanted) for form in _WITH_HASH)


def written(pairs: Collection[DataName]) -> list[str]:
    """Return the form of each data set that `matching` finds alone: "mnist", "images@3f9a1c"."""
    shown = _shown(pairs)
    short = _digits(pairs)
    return sorted(
        {
            pair[0] if shown[pair] == pair[0] or pair[1] is None else f"{pair[0]}@{pair[1][:short]}"
            for pair in pairs
        }
    )


def ambiguity(wanted: str, known: Iterable[DataName]) -> str:
    """Return a line if a name stands for several data sets; "" if it does not."""
    found = matching(wanted, known)
    if not are_several(found):
        return ""
    return f"{wanted!r} is {len(found)} data sets: {', '.join(written(found))}"


def are_several(pairs: Iterable[DataName]) -> bool:
    """Return whether these are several data sets, and not one under several names."""
    return len({data_hash or name for name, data_hash in pairs}) > 1


def _shown(pairs: Collection[DataName]) -> dict[DataName, str]:
    """Return what each data set is called among these."""
    hashes: dict[str, set[str | None]] = defaultdict(set)
    names: dict[str, list[str]] = defaultdict(list)
    for name, data_hash in pairs:
        hashes[name].add(data_hash)
        if data_hash is not None:
            names[data_hash].append(name)
    short = _digits(pairs)

    def of(name: str, data_hash: str | None) -> str:
        if data_hash is None:
            return name if len(hashes[name]) == 1 else f"{name} (no hash)"
        shared = any(len(hashes[other]) > 1 for other in names[data_hash])
        all_names = " = ".join(names[data_hash])
        return f"{all_names} ({data_hash[:short]})" if shared else all_names

    return {pair: of(*pair) for pair in pairs}


def _digits(pairs: Iterable[DataName]) -> int:
    """Return how many first digits tell all hashes apart."""
    hashes = {data_hash for _, data_hash in pairs if data_hash is not None}
    lengths = range(_SHORT, 65)
    return next((n for n in lengths if len({text[:n] for text in hashes}) == len(hashes)), 64)


def _begins(pair: DataName, prefix: str) -> bool:
    return pair[1] is not None and pair[1].startswith(prefix)


def _joined(pair: DataName) -> str:
    return f"{pair[0]}\n{pair[1] or ''}"
