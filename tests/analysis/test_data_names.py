"""A data set is its content: how it is named where names meet, and how a person asks for it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.store.example_trials import trial, write
from tune_mnist.data_identity import ambiguity, matching, named_by_content, written
from tune_mnist.errors import InputError
from tune_mnist.store.reader import read_data_names, read_trials, top_trials
from tune_mnist.store.selection import Selection

ONE, TWO = "3f9a1c" + "0" * 58, "77bb2e" + "0" * 58


def shown(*pairs: tuple[str | None, str | None]) -> list[str | None]:
    """Return what trials with these names and hashes are called."""
    names, hashes = zip(*pairs, strict=True)
    columns = {"dataset": pa.array(names, pa.string()), "data_hash": pa.array(hashes, pa.string())}
    found: list[str | None] = named_by_content(pa.table(columns))["dataset"].to_pylist()
    return found


def test_a_hash_is_shown_only_where_two_of_one_name_meet() -> None:
    assert shown(("images", ONE), ("digits", TWO)) == ["images", "digits"]
    assert shown(("images", ONE), ("images", TWO), ("digits", "d" * 64)) == [
        "images (3f9a1c)",
        "images (77bb2e)",
        "digits",
    ]


def test_as_many_digits_are_shown_as_tell_them_apart() -> None:
    near = ONE[:7] + "1" + ONE[8:]
    assert shown(("images", ONE), ("images", near)) == [
        "images (3f9a1c00)",
        "images (3f9a1c01)",
    ]


def test_one_data_set_under_two_names_is_one() -> None:
    assert set(shown(("images", ONE), ("pets", ONE))) == {"images = pets"}


def test_rows_without_a_hash_keep_their_name() -> None:
    assert shown(("images", None), (None, None)) == ["images", None]
    assert shown(("images", None), ("images", ONE)) == ["images (no hash)", "images (3f9a1c)"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("images", [ONE, TWO]),
        ("images@3f9", [ONE]),
        ("images (3f9a1c)", [ONE]),
        ("77bb2e", [TWO]),
        ("77bb", []),
        ("pets@3f9a1c", []),
        ("a@b", ["e" * 64]),
        ("decade", ["f" * 64]),
    ],
)
def test_a_data_set_is_found_by_name_or_hash(wanted: str, found: list[str]) -> None:
    known = [("images", ONE), ("images", TWO), ("a@b", "e" * 64), ("decade", "f" * 64)]
    assert [data_hash for _, data_hash in matching(wanted, known)] == found


def test_an_ambiguous_name_is_said_with_the_names_that_are_not() -> None:
    known = [("images", ONE), ("images", TWO)]
    assert ambiguity("images", known) == "'images' is 2 data sets: images@3f9a1c, images@77bb2e"
    assert ambiguity("images@3f9a1c", known) == ""
    assert [matching(text, known) for text in written(known)] == [[known[0]], [known[1]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two data sets of one name."""
    write(tmp_path, "a", [trial("0", 0.9, dataset="images", data_hash=ONE)])
    write(tmp_path, "b", [trial("0", 0.6, dataset="images", data_hash=TWO)])
    return tmp_path


def test_the_store_is_read_by_name_and_by_hash(root: Path) -> None:
    assert read_data_names(root) == [("images", ONE), ("images", TWO)]
    assert len(read_trials(root, dataset="images")) == 2
    for wanted, search in (("images@3f9a1c", "a"), ("77bb2e", "b")):
        assert read_trials(root, dataset=wanted)["search"].to_pylist() == [search]
        selection = Selection(dataset=wanted)
        assert top_trials(root, top=5, selection=selection)["search"].to_pylist() == [search]


def test_digits_that_stand_for_two_data_sets_are_refused(root: Path) -> None:
    write(root, "c", [trial("0", 0.9, dataset="images", data_hash=ONE[:-1] + "1")])
    with pytest.raises(InputError, match=r"'images@3f' is 2 data sets: .*; give more digits"):
        read_trials(root, dataset="images@3f")


def test_a_hash_that_is_not_there_is_refused_with_what_is(root: Path) -> None:
    with pytest.raises(InputError, match="images@0000"):
        read_trials(root, dataset="images@0000")
