"""The proposals of a sampler are kept line by line, the end of a search in its record."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS
from tune_mnist.errors import SkippedWarning
from tune_mnist.store.layout import proposals_file
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.proposals import read_proposals
from tune_mnist.store.reader import list_searches
from tune_mnist.store.writer import Writer

ONE, TWO = {"number": 0, "config": {"C": 1.0}}, {"number": 1, "config": {"kernel": "ü\n"}}


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


def test_a_proposal_that_is_not_json_is_refused_whole(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        with pytest.raises(ValueError, match="JSON"):
            writer.append_proposal({"value": float("nan")})
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
