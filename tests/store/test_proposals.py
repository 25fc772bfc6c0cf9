"""The proposals of a sampler are kept line by line, the end of a search in its record."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime, timezone
from errno import ENOSPC
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, proposal, read_proposals
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.store import proposals
from tune_mnist.store.layout import (
    file_name,
    live_files,
    proposals_file,
    proposals_folder,
    quarantine_folder,
    record_file,
)
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.proposals import Proposal, line_of, read_list
from tune_mnist.store.reader import list_searches
from tune_mnist.store.writer import StoreError, Writer

ONE, TWO = proposal(0), Proposal(1, {"kernel": "ü\n", "C": 1e-05}, 1)
OLD = b'{"number": 0, "config": {"kernel": "rbf", "C": 1.0}, "seen": 0}\n'
"""A line as versions wrote it that knew no checksum."""


def test_proposals_are_read_back_in_order_while_the_search_runs(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        assert read_proposals(tmp_path, "svm") == []
        writer.append_proposal(ONE)
        writer.append_proposal(TWO)
        assert read_proposals(tmp_path, "svm") == [ONE, TWO]
        writer.write_search(SearchRecord())
    assert list_searches(tmp_path) == ["svm"]


@pytest.mark.parametrize("torn", ['{"number": 1, "con', "x", "{}"])
def test_a_torn_last_line_is_ignored_and_cut_off_by_the_next_writer(
    tmp_path: Path, torn: str
) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(ONE)
    with proposals_file(tmp_path, "svm").open("a") as file:
        file.write(torn)
    assert read_proposals(tmp_path, "svm") == [ONE]
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.append_proposal(TWO)
    assert read_proposals(tmp_path, "svm") == [ONE, TWO]


@pytest.mark.parametrize("line", ["", "[1]", "half a li", "[" * 100_000, '{"a": \udcff}'])
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path, line: str) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(ONE)
        with proposals_file(tmp_path, "svm").open("ab") as file:
            file.write(line.encode(errors="surrogateescape") + b"\n")
        writer.append_proposal(TWO)
    with pytest.warns(SkippedWarning, match=r"svm\.proposals\.jsonl: line 2 is not a JSON object"):
        assert read_proposals(tmp_path, "svm") == [ONE, TWO]


def test_a_list_too_large_to_be_one_is_named_and_not_read(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(ONE)
    with proposals_file(tmp_path, "svm").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match=r"svm\.proposals\.jsonl: is larger than 256 MiB"):
        read_list(tmp_path, "svm")


def test_a_number_that_no_search_reaches_is_damage(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(ONE)
        writer.append_proposal(Proposal(10**12, {"kernel": "rbf"}, 0))
    listed = read_list(tmp_path, "svm")
    assert (listed.proposals, listed.damaged) == ((ONE,), ("line 2 is not a proposal",))


def test_whatever_bit_flips_each_line_is_read_as_written_or_named(tmp_path: Path) -> None:
    written = [proposal(number, C=10.0 ** (number - 3)) for number in range(4)]
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        for one in written:
            writer.append_proposal(one)
    file = proposals_file(tmp_path, "svm")
    content = file.read_bytes()
    for place in range(0, len(content) - 1, 3):  # without its last newline, a line is torn
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        file.write_bytes(flipped)
        listed = read_list(tmp_path, "svm")
        assert all(one in written for one in listed.proposals), flipped
        assert listed.damaged or list(listed.proposals) == written, flipped
        assert len(listed.proposals) >= 2, flipped


def test_a_line_of_an_earlier_version_is_read_without_a_checksum(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        proposals_file(tmp_path, "svm").write_bytes(OLD)
        writer.append_proposal(TWO)
    assert read_list(tmp_path, "svm").unsealed == {0}
    assert read_proposals(tmp_path, "svm") == [ONE, TWO]


@pytest.mark.parametrize(
    "change", [(b": 0, ", b": 3, "), (b"number", b"numbes"), (b"}\n", b", 1}\n")]
)
def test_a_changed_line_of_an_earlier_version_is_named(
    tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        proposals_file(tmp_path, "svm").write_bytes(OLD.replace(*change, 1))
        writer.append_proposal(TWO)
    with pytest.warns(SkippedWarning, match=r"svm\.proposals\.jsonl: line 1 is not"):
        assert read_proposals(tmp_path, "svm") == [TWO]


def test_a_repaired_list_is_whole_and_the_damaged_one_is_kept(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(TWO)
        with proposals_file(tmp_path, "svm").open("ab") as file:
            file.write(b"damaged\n")
        damaged = proposals_file(tmp_path, "svm").read_bytes()
        writer.repair_proposals([ONE, TWO])
        writer.repair_proposals([ONE, TWO])
    assert read_proposals(tmp_path, "svm") == [ONE, TWO]
    first, second = sorted(quarantine_folder(tmp_path, "svm").iterdir())
    assert first.read_bytes() == damaged
    assert second.read_bytes() == proposals_file(tmp_path, "svm").read_bytes()


def test_whatever_bit_flips_in_a_record_it_is_read_as_written_or_refused(tmp_path: Path) -> None:
    record = SearchRecord(search="svm", seed=7, request={"space": "svm", "target": 1e-05})
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.write_search(record)
    file = record_file(tmp_path, "svm")
    content = file.read_bytes()
    key = content.index(b'"checksum"')
    for place in {*range(0, len(content), 3)} - {*range(key, key + 10)}:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        file.write_bytes(flipped)
        with suppress(InputError):
            assert read_search(tmp_path, "svm") == record, flipped


def test_a_damaged_record_is_named_with_the_fix(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(seed=7))
    file = record_file(tmp_path, "svm")
    file.write_text(file.read_text().replace('"seed": 7', '"seed": 5'))
    with pytest.raises(
        InputError, match=r"svm\.json: is damaged: it differs from its checksum; re"
    ):
        read_search(tmp_path, "svm")
    file.write_text(
        "".join(line for line in file.read_text().splitlines() if "checksum" not in line)
    )
    file.write_text(file.read_text().replace(",}", "}"))
    assert read_search(tmp_path, "svm").seed == 5


def test_a_proposal_that_is_not_json_is_refused_whole(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        with pytest.raises(ValueError, match="JSON"):
            writer.append_proposal(Proposal(0, {"C": float("nan")}, 0))
        assert read_proposals(tmp_path, "svm") == []


def test_the_record_says_how_and_when_the_search_ended(tmp_path: Path) -> None:
    before = datetime.now(timezone.utc)
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(seed=7))
        writer.end_search("done")
    record = read_search(tmp_path, "svm")
    assert record.ended is not None
    assert before <= datetime.fromisoformat(record.ended.at) <= datetime.now(timezone.utc)
    assert (record.seed, record.ended.reason) == (7, "done")


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_proposal_that_the_disk_takes_only_in_part_is_taken_back_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    write, refused = os.write, False

    def nearly(descriptor: int, line: bytes) -> int:
        nonlocal refused
        if refused:
            raise OSError(ENOSPC, "No space left on device")
        refused = True
        return write(descriptor, line[:-missing])

    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_proposal(ONE)
        before = proposals_file(tmp_path, "svm").read_bytes()
        with monkeypatch.context() as full:
            full.setattr(os, "write", nearly)
            with pytest.raises(StoreError, match="No space left"):
                writer.append_proposal(TWO)
        assert proposals_file(tmp_path, "svm").read_bytes() == before
        writer.append_proposal(TWO)
    assert read_proposals(tmp_path, "svm") == [ONE, TWO]


def test_pieces_that_are_merged_while_they_are_read_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = proposals_folder(tmp_path, "svm")
    folder.mkdir(parents=True)
    (folder / file_name(0, 1)).with_suffix(".jsonl").write_bytes(line_of(ONE) + line_of(TWO))
    listings = [[folder / "00000000-00000000.jsonl"], live_files(folder, ".jsonl")]
    monkeypatch.setattr(proposals, "live_files", lambda *_: listings.pop(0))
    assert read_proposals(tmp_path, "svm") == [ONE, TWO]
