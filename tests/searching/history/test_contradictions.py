"""A history that cannot be true is named, a line for each contradiction; a true one in one line."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.searching.history.killed import LATE, begin, plan_of
from tests.store.example_trials import trial
from tune_mnist.cli import run
from tune_mnist.datasets import Dataset
from tune_mnist.errors import SkippedWarning
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import earlier_runs
from tune_mnist.store.layout import proposals_file, record_file, rows_folder
from tune_mnist.store.proposals import Proposal, read_list
from tune_mnist.store.writer import Writer

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
NEW = {"kernel": "rbf", "C": 77.0}


@pytest.fixture(scope="module")
def killed(few_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        begin(root, plan_of(root, "tpe"), few_digits)
    return root


def append(writer: Writer, number: int, config: dict[str, Any], **columns: Any) -> None:
    columns = {"proposed_after": 0, "config": config, **columns}
    writer.append_trial(trial(f"{number:05d}", **columns), [])


def config_of(root: Path, number: int) -> dict[str, Any]:
    return read_list(root, "s").proposals[number].config


def finished_again(root: Path, writer: Writer) -> None:
    append(writer, 0, config_of(root, 0), attempt=2)


def not_as_proposed(root: Path, writer: Writer) -> None:
    append(writer, LATE[0], NEW)


def the_same_twice(root: Path, writer: Writer) -> None:
    writer.append_proposal(Proposal(8, config_of(root, 0), 8))
    append(writer, 8, config_of(root, 0))


def never_proposed(root: Path, writer: Writer) -> None:
    append(writer, 8, NEW)


def a_gap(root: Path, writer: Writer) -> None:
    writer.append_proposal(Proposal(9, NEW, 8))


def done_too_early(root: Path, writer: Writer) -> None:
    writer.end_search("done")


def a_row_twice(root: Path, writer: Writer) -> None:
    file = next(rows_folder(root, "trials", "s").iterdir())
    pq.write_table(pq.read_table(file, partitioning=None), file.with_name("again.parquet"))


def a_number_twice(root: Path, writer: Writer) -> None:
    writer.append_proposal(Proposal(2, NEW, 2))


def a_flipped_bit(root: Path, writer: Writer) -> None:
    file = proposals_file(root, "s")
    file.write_bytes(file.read_bytes().replace(b"rbf", b"rbg", 1))


def a_flipped_bit_of_the_record(root: Path, writer: Writer) -> None:
    file = record_file(root, "s")
    file.write_bytes(file.read_bytes().replace(b"rbf", b"rbg", 1))


Wrong = Callable[[Path, Writer], None]
WRONG: dict[Wrong, list[str]] = {
    finished_again: ["trial 00000 finished 2 times"],
    not_as_proposed: [f"trial {LATE[0]:05d} ran .*77.* was proposed"],
    the_same_twice: ["trials 00000, 00008 finished the same", "proposals 0, 8 are the same"],
    never_proposed: ["trial 00008 was never proposed"],
    a_gap: ["nothing was proposed under number 8"],
    done_too_early: [f"trial {number:05d} never finished" for number in LATE],
    a_row_twice: ["trial 0000. has 2 rows for attempt 1"],
    a_number_twice: ["proposals, line 9 proposes number 2 a second time"],
    a_flipped_bit_of_the_record: ["is damaged: it differs from its checksum"],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_each_contradiction_is_named_in_a_line(
    killed: Path, tmp_path: Path, wrong: Wrong, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(killed, tmp_path / "results")
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        wrong(root, writer)
    assert run(["status", "--check", "--results", str(root)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(WRONG[wrong]), lines
    for line, said in zip(lines, WRONG[wrong], strict=True):
        assert line.startswith("s: ")
        assert re.search(said, line)


def test_a_damaged_line_is_named_and_so_is_what_it_has_lost(killed: Path, tmp_path: Path) -> None:
    root = shutil.copytree(killed, tmp_path / "results")
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        a_flipped_bit(root, writer)
    lines, _ = contradictions(root, "s")
    assert "differs from its checksum" in lines[0]
    assert len(lines) >= 2


def test_a_history_without_contradiction_is_one_line(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--check", "--results", str(killed)]) == 0
    assert capsys.readouterr().out == "nothing wrong: 1 searches, 6 trials\n"


def test_the_recorded_searches_have_no_contradiction() -> None:
    assert run(["status", "--check", "--results", str(REFERENCE)]) == 0


@pytest.mark.parametrize("name", ["seven", " x", "-1", "1_0", "1000000000000", "\u0663"])
def test_a_trial_whose_name_is_no_number_is_named_and_left_out_of_a_resume(
    killed: Path, tmp_path: Path, name: str
) -> None:
    root = Path(shutil.copytree(killed, tmp_path / "store"))
    finished = len(earlier_runs(root, "s").rows)
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        row = trial(name, proposed_after=0, config=NEW)
        writer.append_trial(row, [])
    with pytest.warns(SkippedWarning, match="its name is not the number of a proposal"):
        assert len(earlier_runs(root, "s").rows) == finished
    found, _ = contradictions(root, "s")
    assert any("is not the number of a proposal" in line for line in found)
