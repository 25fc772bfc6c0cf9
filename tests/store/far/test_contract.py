"""What a store promises, wherever it is: a local folder, an object store in memory, S3."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, proposal, read_proposals, report, trial, write
from tune_mnist.errors import InputError
from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.place import opened, writer_of
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import list_searches, read_reports, read_trials, top_trials
from tune_mnist.store.writer import Writer


@pytest.fixture(params=["folder", "memory", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "results")
    found: str = request.getfixturevalue(f"{request.param}_address")
    return found


def copied(root: Path, to: str) -> None:
    """Copy a store as any tool does, but for what has a dot in front."""
    files = {file.relative_to(root).as_posix(): file for file in root.glob("[!.]*/**/*")}
    for name, file in files.items():
        if not file.is_file():
            continue
        if "://" in to:
            Bucket(to).put(name, file.read_bytes())
        else:
            (Path(to) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, Path(to) / name)


class TestEveryStore:
    def test_a_trial_is_there_when_append_returns(self, address: str) -> None:
        with Writer(opened(address), "svm", PARAMETERS) as writer:
            writer.write_search(SearchRecord(search="svm"))
            for number in range(3):
                writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
                trials = read_trials(opened(address))["trial"].to_pylist()
                assert trials == [f"t{n}" for n in range(number + 1)]
        assert set(Counter(read_reports(opened(address))["trial"].to_pylist()).values()) == {2}

    def test_the_same_attempt_is_stored_once(self, address: str) -> None:
        with Writer(opened(address), "svm", PARAMETERS) as writer:
            writer.append_trial(trial("t0"), [report(1)])
            writer.append_trial(trial("t0", 0.1), [report(1)])
        with Writer(opened(address), "svm", PARAMETERS, resume=True) as writer:
            writer.append_trial(trial("t0", 0.2), [report(1)])
        assert read_trials(opened(address))["val_accuracy"].to_pylist() == [0.9]

    def test_a_name_is_taken_once(self, address: str) -> None:
        write(opened(address), "svm", [trial("t0")])
        with pytest.raises(InputError, match="a search 'svm' is already in"):
            Writer(opened(address), "svm", PARAMETERS)

    def test_a_second_writer_is_refused_and_the_first_is_named(self, address: str) -> None:
        with Writer(opened(address), "svm", PARAMETERS) as writer:
            writer.write_search(SearchRecord(search="svm"))
            assert "process" in str(writer_of(opened(address), "svm"))
            with pytest.raises(InputError, match="'svm' is being written by process"):
                Writer(opened(address), "svm", PARAMETERS, resume=True)
        assert writer_of(opened(address), "svm") is None

    def test_two_searches_are_written_at_once(self, address: str) -> None:
        with (
            Writer(opened(address), "one", PARAMETERS) as one,
            Writer(opened(address), "two", PARAMETERS) as two,
        ):
            for writer, name in ((one, "one"), (two, "two")):
                writer.write_search(SearchRecord(search=name))
                writer.append_trial(trial("t0"), [report(1)])
        assert list_searches(opened(address)) == ["one", "two"]
        assert read_trials(opened(address))["search"].to_pylist() == ["one", "two"]

    def test_a_merge_loses_and_doubles_nothing(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tune_mnist.store.writer.MERGE_AT", 4)
        write(opened(address), "svm", [trial(f"t{n}", n / 10) for n in range(10)])
        names = [f"t{n}" for n in range(10)]
        assert read_trials(opened(address))["trial"].to_pylist() == names
        with Writer(opened(address), "svm", PARAMETERS, resume=True) as writer:
            writer.compact()
        root = opened(address)
        assert read_trials(root)["trial"].to_pylist() == names
        assert len(read_reports(root)) == 10
        assert len(list((root / "trials" / "search=svm").iterdir())) == 1
        assert top_trials(root, top=2)["trial"].to_pylist() == ["t9", "t8"]

    def test_a_record_is_replaced(self, address: str) -> None:
        write(opened(address), "svm", [])
        with Writer(opened(address), "svm", PARAMETERS, resume=True) as writer:
            writer.write_search(SearchRecord(search="svm", seed=7))
            writer.end_search("done")
        record = read_search(opened(address), "svm")
        assert (record.seed, record.ended and record.ended.reason) == (7, "done")

    def test_proposals_keep_their_order_when_they_are_merged(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tune_mnist.store.files.objects.PIECES", 3)
        with Writer(opened(address), "svm", PARAMETERS) as writer:
            for number in range(7):
                writer.append_proposal(proposal(number))
        assert read_proposals(opened(address), "svm") == [proposal(n) for n in range(7)]
        with Writer(opened(address), "svm", PARAMETERS, resume=True) as writer:
            writer.append_proposal(proposal(7))
            writer.compact()
        assert read_proposals(opened(address), "svm") == [proposal(n) for n in range(8)]

    def test_a_repaired_list_replaces_the_old_one(self, address: str) -> None:
        with Writer(opened(address), "svm", PARAMETERS) as writer:
            for number in range(3):
                writer.append_proposal(proposal(number))
            writer.repair_proposals([proposal(0, C=2.0), proposal(1)])
            writer.append_proposal(proposal(2, C=3.0))
        found = [proposal(0, C=2.0), proposal(1), proposal(2, C=3.0)]
        assert read_proposals(opened(address), "svm") == found

    def test_a_copy_of_another_store_is_written_on(self, address: str, tmp_path: Path) -> None:
        """Of a folder in a bucket, and of a bucket in a folder."""
        for there, to in ((address, f"{tmp_path}/copy"), (f"{tmp_path}/own", f"{address}-2")):
            with Writer(opened(there), "svm", PARAMETERS) as writer:
                writer.append_trial(trial("t0"), [report(1)])
                writer.append_proposal(proposal(0))
                writer.append_proposal(proposal(1))
            copied(opened(there), to)
            with Writer(opened(to), "svm", PARAMETERS, resume=True) as writer:
                writer.append_proposal(proposal(2))
                assert read_proposals(opened(to), "svm") == [proposal(n) for n in range(3)]
                writer.repair_proposals([proposal(0), proposal(1, C=5.0)])
                writer.append_trial(trial("t1"), [report(1)])
                writer.compact()
            assert read_proposals(opened(to), "svm") == [proposal(0), proposal(1, C=5.0)]
            assert read_trials(opened(to))["trial"].to_pylist() == ["t0", "t1"]

    def test_what_is_not_there_is_one_line(self, address: str) -> None:
        with pytest.raises(InputError, match=r"there are no results; run a search first") as caught:
            list_searches(opened(address))
        assert str(caught.value).startswith(address)
