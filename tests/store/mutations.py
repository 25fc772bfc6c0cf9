"""Seeded damage to a store: odd values, columns, files, names and records."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.analysis.example_store import epochs, failed, trial, write_store
from tune_mnist.store.plans import Ended, Granted, Run, SearchRecord
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.writer import Writer
from tune_mnist.training.saved_state import FILE

NUMBERS: tuple[Any, ...] = (
    *(None, float("nan"), float("inf"), -float("inf"), -1.0, 1e308, -1e308, 5e-324, 1.5, 0.0),
    *(2.0**63, 1e19),
)
WHOLE: tuple[Any, ...] = (None, -1, 0, 2**63 - 1, -(2**63), 2**53 + 1, 10**12)
TEXTS: tuple[Any, ...] = (
    *(None, "", " ", "{", "[]", "null", "5", "NaN", '"x"', "{}", '{"C": NaN}', '{"C": 1e999}'),
    *('{"C": null}', '{"C": [1]}', '{"C": {"a": 1}}', '{"kernel": 5}', '{"C": "\\ud800"}'),
    *('{"": 1}', '{"C": 1, "C": 2}', '{"C": ' + "9" * 5000 + "}", '{"C": ' + "9" * 400 + "}"),
    *("[" * 5000, "completed", "failed", "running", "\0", "\n", "\x1b[31m", "[bold]", "[/x]"),
    *("a,b", "<script>", "=1+1", "\u202e", "x" * 100_000, '{"epochs": 0}', '{"python": {}}'),
    *('[[1, {"C": 2}]]', "../../x", "%s", "None", "nan", '{"C": true}', '{"kernel": "rbf"}'),
)
MOMENTS: tuple[Any, ...] = (None, 0, -(2**62), 2**62, 253402300800 * 10**6, -62135596801 * 10**6)
LISTS: tuple[Any, ...] = (None, [], [None], [-1], [1, 2], [2**62] * 4)
FRACTIONS: tuple[Any, ...] = (None, [], [None], [0.5, None], [1.5], [-0.1], [float("nan")])
PLAIN: tuple[Any, ...] = (
    *(None, {}, [], "", "x", 0, -1, 1.5, True, 10**400, [[]], {"a": {}}, [None], "\ud800", "\0"),
    *("2026-11-24", "2026-11-24T09:30:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z"),
    *("[/bold]", {"reason": "done"}, {"reason": "done", "at": "soon"}, [5], {"search": 5}),
)
NAMES = ("notes.txt", "x.parquet", "a b.parquet", "00000000-99999999.parquet")
FILE_NAMES = (
    *("00000000-00000001.best-1.2.3-in-1s.parquet", "00000005-00000001.parquet", "-.parquet"),
    *("00000000-00000000.best-9e999-in-infs.parquet", "99999999999999999999-0.parquet"),
    *("00000000-00000000.best-0.5-in-1e5.5s.parquet", "\udcff.parquet", "\n.parquet"),
)
SEARCHES = ("search=%2e%2e", "search=", "search=a b", "search=\n", "search=\udcff", "x", "search=5")

Damage = Callable[[Path, random.Random], object]


def sample(root: Path) -> Path:
    """Write a store of a merged SVM search, a loose one of ResNets, and a mixed one."""
    svms = [
        trial(
            f"{i:05d}",
            0.5 + 0.02 * (i % 20),
            config={"kernel": ("rbf", "poly")[i % 2], "C": 10.0 ** (i % 4), "gamma": "scale"},
            wall_time_s=1.0 + i % 7,
            confusion=[5, 1, 0, 6],
            recall=[5 / 6, None, 1.0],
            reports=epochs(0.5),
        )
        for i in range(24)
    ]
    nets = [
        trial(
            f"{i:05d}",
            0.9 - 0.01 * i,
            model="resnet",
            config={"architecture": "resnet18", "learning_rate": 0.1**i, "epochs": 3},
            status="stopped" if i == 2 else "completed",
            cpus=1.0,
            gpus=0.0,
            parameters=11_000_000,
            schedule='[[1, {"learning_rate": 0.1}]]' if i else None,
            reports=epochs(0.2, 0.4),
        )
        for i in range(4)
    ]
    write_store(root, svms, "svm")
    write_store(root, [*nets, failed("00004", "Traceback\nKeyError: 1")], "resnet")
    for name in ("svm", "resnet"):
        with Writer(root, name, {"C": float, "kernel": str}, resume=True) as writer:
            writer.write_search(record(name))
            for number in range(3):
                config = {"kernel": ("rbf", "poly")[number % 2], "C": 10.0**number}
                writer.append_proposal(Proposal(number, config, number))
            if name == "svm":
                writer.compact()
        left = (f".writers/{name}/lock", f".checkpoints/{name}/run/00005.0/checkpoint_0/{FILE}")
        for file in left:  # by a writer that was killed
            (root / file).parent.mkdir(parents=True)
            (root / file).write_text("process 7 on elsewhere")
    return root


def record(name: str) -> SearchRecord:
    """Return a record with something in each part."""
    moment = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc).isoformat()
    return SearchRecord(
        search=name,
        space={"name": name, "model": name, "search": {"sampler": "grid", "scheduler": "none"}},
        resources=Granted(cpus=2, bundles=({"cpu": 1.0, "gpu": 0.0},)),
        trials=24,
        dataset="digits",
        started=moment,
        resumed=(Run(at=moment, versions={"python": "3.11"}),),
        ended=Ended(reason="done", at=moment),
    )


def damaged(sound: Path, root: Path, chance: random.Random) -> str:
    """Copy a store to `root` and damage it once or twice; return how."""
    shutil.copytree(sound, root, symlinks=True)
    names: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 2))):
        damage = chance.choice(DAMAGES)
        # What was damaged once may not be fit for a second damage: it stays as it is.
        with suppress(Exception) if names else nullcontext():
            damage(root, chance)
        names.append(damage.__name__)
    return ", ".join(names)


def _a_file(root: Path, chance: random.Random) -> Path:
    kind = chance.choice(("trials", "trials", "trials", "reports"))
    return chance.choice(sorted((root / kind).rglob("*.parquet")))


def _rows(root: Path, chance: random.Random) -> tuple[Path, pa.Table]:
    file = _a_file(root, chance)
    try:
        with file.open("rb") as opened:  # Arrow opens no name that is not UTF-8
            return file, pq.ParquetFile(opened).read()
    except (pa.ArrowException, OSError):  # damaged before
        return file, pa.table({"trial": ["t"], "status": ["completed"], "wall_time_s": [1.0]})


def _write(rows: pa.Table, file: Path) -> None:
    with file.open("wb") as opened:
        pq.write_table(rows, opened)


def _odd(type_: pa.DataType, chance: random.Random) -> Any:
    if pa.types.is_floating(type_):
        return chance.choice(NUMBERS)
    if pa.types.is_integer(type_):
        return chance.choice(WHOLE)
    if pa.types.is_timestamp(type_):
        return chance.choice(MOMENTS)
    if pa.types.is_list(type_):
        whole = pa.types.is_integer(type_.value_type)
        return chance.choice(LISTS if whole else FRACTIONS)
    return chance.choice((None, True)) if pa.types.is_boolean(type_) else chance.choice(TEXTS)


def odd_values(root: Path, chance: random.Random) -> None:
    """Replace a value of one row, or of all."""
    file, rows = _rows(root, chance)
    for _ in range(chance.choice((1, 1, 3))):
        name = chance.choice(rows.column_names)
        type_ = rows.schema.field(name).type
        values = rows.column(rows.column_names.index(name)).combine_chunks().cast(_stored(type_))
        plain = values.to_pylist()
        odd = _odd(type_, chance)
        if chance.random() < 0.3:
            plain = [odd] * len(plain)
        elif plain:
            plain[chance.randrange(len(plain))] = odd
        column = pa.array(plain, _stored(type_)).cast(type_)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    _write(rows, file)


def _stored(type_: pa.DataType) -> pa.DataType:
    """Return the type in which a column's Python values are harmless to hold."""
    return pa.int64() if pa.types.is_timestamp(type_) else type_


def odd_column(root: Path, chance: random.Random) -> None:
    """Drop, rename, double or retype a column."""
    file, rows = _rows(root, chance)
    place = chance.randrange(rows.num_columns)
    name, column = rows.column_names[place], rows.column(place)
    what = chance.randrange(5)
    if what == 0:
        rows = rows.remove_column(place)
    elif what == 1:
        rows = rows.rename_columns(
            [*rows.column_names[:place], "x", *rows.column_names[place + 1 :]]
        )
    elif what == 2:
        rows = rows.append_column(name, column)
    else:
        types = (
            *(pa.float64(), pa.string(), pa.large_string(), pa.int32(), pa.null(), pa.bool_()),
            *(pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.binary(), pa.list_(pa.float64())),
            *(pa.dictionary(pa.int32(), pa.string()), pa.float32(), pa.decimal128(38, 2)),
        )
        type_ = chance.choice(types)
        try:
            values = column.cast(type_)
        except (pa.ArrowException, ValueError):
            values = pa.nulls(len(rows), type_)
        rows = rows.set_column(place, name, values)
    _write(rows, file)


def not_utf8(root: Path, chance: random.Random) -> None:
    """Put bytes that are not UTF-8 into a column of text."""
    file, rows = _rows(root, chance)
    texts = [i for i, field in enumerate(rows.schema) if field.type == pa.string()]
    if texts:
        place = chance.choice(texts)
        bad = pa.array([b"\xff\xfe"] * len(rows), pa.binary()).view(pa.string())
        _write(rows.set_column(place, rows.column_names[place], bad), file)


def by_pandas(root: Path, chance: random.Random) -> None:
    """Write a file again as pandas does."""
    file, rows = _rows(root, chance)
    with file.open("wb") as opened:
        rows.to_pandas().to_parquet(opened)


def flipped_bytes(root: Path, chance: random.Random) -> None:
    """Change some bytes of any file."""
    file = chance.choice([path for path in sorted(root.rglob("*")) if path.is_file()])
    content = bytearray(file.read_bytes())
    for _ in range(chance.choice((1, 1, 8))):
        if content:
            at = chance.randrange(len(content))
            content[at] = chance.choice((0, 255, content[at] ^ (1 << chance.randrange(8))))
    if chance.random() < 0.2:
        content = content[: chance.randrange(len(content) + 1)]
    file.write_bytes(content)


def flipped_name(root: Path, chance: random.Random) -> None:
    """Flip a bit in the name of any file or folder."""
    path = chance.choice(sorted(root.rglob("*")))
    name = bytearray(os.fsencode(path.name))
    name[chance.randrange(len(name))] ^= 1 << chance.randrange(8)
    text = os.fsdecode(bytes(name))
    if text not in (".", "..") and not {"/", "\0"} & set(text):
        new = path.with_name(text)
        if not new.exists():
            path.rename(new)


def odd_names(root: Path, chance: random.Random) -> None:
    """Rename a file or a search's folder, or add a stray one."""
    what = chance.randrange(4)
    file = _a_file(root, chance)
    if what == 0:
        file.rename(file.with_name(chance.choice(FILE_NAMES)))
    elif what == 1:
        file.parent.rename(file.parent.with_name(chance.choice(SEARCHES)))
    elif what == 2:
        file.with_name(chance.choice(NAMES)).write_bytes(file.read_bytes())
    else:
        odd = chance.choice(("a b", "5", "\udcff", "\n", "-x", "search"))
        (root / "searches" / f"{odd}.json").write_text("{}")


def odd_record(root: Path, chance: random.Random) -> None:
    """Replace or drop a value anywhere in a search's record."""
    file = chance.choice(sorted((root / "searches").glob("*.json")))
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):  # damaged before
        content = {}
    place: Any = {"": content}
    key: Any = ""
    while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
        place = place[key]
        key = chance.choice(list(place if isinstance(place, dict) else range(len(place))))
    if chance.random() < 0.2 and isinstance(place, dict):
        del place[key]
    else:
        place[key] = chance.choice(PLAIN)
    content = place.get("", content) if key == "" else content
    file.write_text(json.dumps(content))


def odd_text(root: Path, chance: random.Random) -> None:
    """Cut and paste in a record or a list of proposals."""
    files = [*(root / "searches").glob("*.json*")]
    file = chance.choice(sorted(files))
    content = file.read_bytes()
    at, to = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    piece = chance.choice((b"", b"\0", b"\xff", b"{", b"}", b"NaN", b"1e999", b"[" * 5000, b'"'))
    file.write_bytes(content[:at] + piece + content[min(to, at + 20) :])


DAMAGES: tuple[Damage, ...] = (
    *(odd_values, odd_values, odd_values, odd_column, odd_column, not_utf8, by_pandas),
    *(flipped_bytes, flipped_bytes, flipped_name, odd_names, odd_record, odd_record, odd_text),
)
