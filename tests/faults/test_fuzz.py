"""Broken input, a thousand files of each kind: refused in our words or read, never a traceback.

FUZZED_FILES=10000 FUZZED_FOLDERS=10000 python -m pytest tests/faults/test_fuzz.py    # by hand
"""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tests.datasets.formats.test_parquet import rows as parquet_rows
from tests.datasets.formats.test_parquet import write_shard
from tests.datasets.formats.test_pixel_table import write_table
from tests.datasets.written import cyclic_labels, small_images, write_idx
from tune_mnist.cli import run
from tune_mnist.datasets import LoadOptions, load_dataset
from tune_mnist.errors import InputError
from tune_mnist.spaces import Device, collapsed, read_space, size
from tune_mnist.spaces.shipped import find_space, shipped_spaces
from tune_mnist.wording import clean

FILES_OF_A_FORMAT = 100
FILES = int(os.environ.get("FUZZED_FILES", "1000"))
FOLDERS = int(os.environ.get("FUZZED_FOLDERS", "200"))  # of images
TOKENS = (
    *(b"\0", b"\xef\xbb\xbf", b"\xff", b"\t", b"\r", b"{", b"}", b"[", b"]", b":", b": ", b"- "),
    *(b"&a", b"*a", b"!!python/name:os.system", b"<<: ", b"? ", b"---\n", b"...\n", b"|", b">"),
    *(b".nan", b"-.inf", b"1e999", b"9" * 400, b"-1", b"0", b"null", b"true", b'"', b"'", b"%"),
    *(b"../../x", b"<script>", b"\xe2\x80\xae", b"choice", b"points", b"when", b"kernel", b"#"),
)


def mutated(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return the content with one to four pieces of seeded damage."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        to = min(to, at + 200)
        piece = chance.choice(others)
        start = chance.randrange(len(piece) + 1)
        content = chance.choice(
            [
                content[:at],
                content[:at] + content[to:],
                content[:to] + content[at:],
                content[:at] + chance.choice(TOKENS) + content[at:],
                content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :],
                content[:at] + piece[start : start + 100] + content[at:],
            ]
        )
    return content


def space_refusal(file: Path) -> str | None:
    try:
        space = read_space(file)
        for device in get_args(Device):
            size(space, device)
            collapsed(space, device)
    except InputError as error:
        return str(error)
    return None


def check_words(said: str, file: Path) -> None:
    assert "Traceback" not in said
    for line in said.splitlines():
        assert str(file) in line
        assert "; " in line


@pytest.fixture(scope="module")
def broken_spaces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("spaces")
    chance = random.Random(0)
    texts = [find_space(name).read_bytes() for name in shipped_spaces()]
    bare = [b"".join(part for part in t.splitlines(True) if b"#" not in part) for t in texts]
    files = [folder / f"{number}.yaml" for number in range(FILES)]
    for file in files:
        file.write_bytes(mutated(chance.choice(bare), bare, chance))
    return files


def test_a_thousand_broken_spaces_are_read_or_refused(broken_spaces: list[Path]) -> None:
    refused = 0
    for file in broken_spaces:
        said = space_refusal(file)
        if said is not None:
            check_words(said, file)
            refused += 1
    assert FILES / 2 < refused < FILES


def test_broken_spaces_end_the_command_line_with_2(
    broken_spaces: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for file in broken_spaces[:100]:
        said = space_refusal(file)
        assert run(["spaces", "check", str(file)]) == (0 if said is None else 2)
        if said is not None:
            assert capsys.readouterr().err.rstrip("\n") == clean(said)


def damaged_idx(folder: Path, number: int) -> Path:
    """Write a small data set with one damaged file, damaged as stored or before compression."""
    chance = random.Random(number)
    write_idx(folder, packed=number % 2 == 0)
    file = chance.choice(sorted(folder.iterdir()))
    content = file.read_bytes()
    if file.suffix == ".gz" and chance.random() < 0.5:
        unpacked = gzip.decompress(content)
        content = gzip.compress(mutated(unpacked[:64], [unpacked], chance) + unpacked[64:])
    else:
        content = mutated(content, [content], chance)
    file.write_bytes(content)
    return folder


def test_a_thousand_broken_idx_files_are_read_or_refused(tmp_path: Path) -> None:
    refused = 0
    for number in range(FILES):
        folder = damaged_idx(tmp_path / str(number), number)
        try:
            load_dataset(str(folder))
        except InputError as error:
            check_words(str(error), folder)
            refused += 1
        shutil.rmtree(folder)
    assert FILES / 2 < refused <= FILES


def whole_file(kind: str, folder: Path) -> Path:
    """Write a small data set that is one file of this kind."""
    labels = cyclic_labels(60, 3)
    if kind == "parquet":
        return write_shard(folder / "train.parquet", parquet_rows(small_images(60)))
    if kind == "csv":
        return write_table(folder / "own.csv", small_images(60, 0, (5, 5)), labels.tolist())
    file = folder / "own.npz"
    save = np.savez_compressed if kind == "packed npz" else np.savez
    save(file, x_train=small_images(60), y_train=labels)
    return file


@pytest.mark.parametrize("kind", ["npz", "packed npz", "csv", "parquet"])
def test_broken_files_of_every_format_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    refused, chance = 0, random.Random(0)
    file = whole_file(kind, tmp_path)
    whole = file.read_bytes()
    for _ in range(FILES_OF_A_FORMAT):
        file.write_bytes(mutated(whole, [whole], chance))
        try:
            load_dataset(str(file))
        except InputError as error:
            lines = str(error).splitlines()
            assert lines[0].startswith((str(file), f"dataset {file.parent.name}", "dataset own"))
            assert [line for line in lines if "; " not in line or "Traceback" in line] == []
            refused += 1
    assert FILES_OF_A_FORMAT / 2 < refused <= FILES_OF_A_FORMAT


KINDS = {
    "PNG": ("L", "RGB", "RGBA", "P", "I;16", "1"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P"),
    "BMP": ("L", "RGB"),
    "TIFF": ("L", "RGB", "RGBA", "I;16", "F", "CMYK"),
    "PPM": ("L", "RGB", "1"),
    "WEBP": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB"),
    "AVIF": ("RGB",),
}
LAYOUTS = ("{0}/{1}.png", "train/{0}/{1}.png", "x/{0}/{1}", "{0}/deep/{1}.jpg", "test/{0}/{1}.png")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """A small image in every format and mode that we read, and some that we do not."""
    found = []
    levels = Image.linear_gradient("L").resize((12, 10))
    for kind, modes in KINDS.items():
        for mode in modes:
            file = io.BytesIO()
            image = levels.convert("I").convert(mode) if mode == "I;16" else levels.convert(mode)
            image.save(file, kind)
            found.append(file.getvalue())
    return found


def damaged_folder(folder: Path, number: int, pictures: list[bytes]) -> Path:
    """Write a folder of twelve images, some damaged, truncated or empty, with a table or junk."""
    chance = random.Random(number)
    layout = chance.choice(LAYOUTS)
    for index in range(12):
        content = chance.choice(pictures)
        if chance.random() < 0.3:
            content = chance.choice([mutated(content, pictures, chance), content[:40], b""])
        file = folder / layout.format("ab"[index % 2], index)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    table = b"file_name,label\n" + b"".join(b"a/%d.png,x\n" % i for i in range(4))
    if chance.random() < 0.3:
        name = chance.choice(["metadata.csv", "metadata.jsonl"])
        (folder / name).write_bytes(mutated(table, [table], chance))
    return folder


def test_broken_folders_of_images_are_read_or_refused(
    tmp_path: Path, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    warnings.simplefilter("error")  # a person would read them as ours
    refused = skipped = 0
    for number in range(FOLDERS):
        folder = damaged_folder(tmp_path / str(number), number, pictures)
        for skip in (False, True):
            try:
                data = load_dataset(str(folder), LoadOptions(skip_bad_images=skip, side=8))
                data.summary().encode()
                skipped += skip and any("cannot be decoded" in note for note in data.notes)
            except InputError as error:
                said = str(error).replace(f"dataset {number}:", f"{folder}:")
                check_words(said.replace("BytesIO", "Traceback"), folder)
                refused += not skip
        shutil.rmtree(folder)
    assert FOLDERS / 2 < refused < FOLDERS
    assert skipped > FOLDERS / 10


@pytest.mark.parametrize("kind", ["space", "idx"])
def test_the_real_command_says_one_line_and_ends_with_2(
    kind: str, tmp_path: Path, broken_spaces: list[Path]
) -> None:
    command = [sys.executable, "-m", "tune_mnist"]
    if kind == "space":
        file = next(f for f in broken_spaces if len((space_refusal(f) or "").splitlines()) == 1)
        command += ["spaces", "check", str(file)]
    else:
        file = write_idx(tmp_path / "mine", packed=False) / "train-images-idx3-ubyte"
        file.write_bytes(b"\0\0\x08\x03torn")
        command += ["search", "svm", "--dataset", str(file.parent), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    check_words(line, file)


ABUSE: dict[str, bytes] = {
    "alias bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "merge key": b"model: svm\n<<: {dataset: digits}\n",
    "deep list": b"model: " + b"[" * 50_000,
    "deep mapping": b"".join(b" " * n + b"a:\n" for n in range(300)),
    "deep flow mapping": b"{a: " * 20_000,
    "huge int": b"model: svm\ndataset: digits\nparameters: {C: " + b"9" * 50_000 + b"}\n",
    "huge exponent": b"model: svm\ndataset: digits\nparameters: {C: 1e99999}\n",
    "NaN": b"model: svm\ndataset: digits\nparameters: {C: .nan}\n",
    "NUL": b"model: svm\0\n",
    "only a BOM": b"\xef\xbb\xbf",
    "UTF-16": "model: svm\n".encode("utf-16"),
    "duplicate keys": b"model: svm\nmodel: resnet\n",
    "10 MB": b"model: svm\n" + b"#" * 10_000_000,
    "python object": b"!!python/object/apply:os.system ['touch /tmp/owned']\n",
    "many keys": b"model: svm\ndataset: digits\nparameters: {"
    + b",".join(b"p%d: 1" % n for n in range(9000))
    + b"}\n",
    "binary": random.Random(0).randbytes(5000),
}


@pytest.mark.parametrize("abuse", ABUSE)
def test_an_abusive_space_is_refused_in_one_line_a_fault(tmp_path: Path, abuse: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(ABUSE[abuse])
    said = space_refusal(file)
    assert said is not None
    check_words(said, file)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for read in (lambda: read_space(loop), lambda: load_dataset(str(loop))):
        with pytest.raises(InputError, match="loop"):
            read()


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\0b", "..", "-", "~root", "x" * 5000])
def test_a_hostile_data_set_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        load_dataset(name, LoadOptions(tmp_path))


def test_a_small_gzip_that_unpacks_to_a_gigabyte_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path)
    file = tmp_path / "train-labels-idx1-ubyte.gz"
    head = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(head) + gzip.compress(bytes(10**6)) * 1000)
    with pytest.raises(InputError, match=r"[12],[0-9]{3},[0-9]{3} bytes unpacked, expected 208"):
        load_dataset(str(tmp_path))
