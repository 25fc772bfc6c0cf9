"""What a person may give as a store: a folder or an address; the rest is one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url

from tests.store.example_trials import PARAMETERS, trial, write
from tests.store.far.conftest import Machine
from tune_mnist.cli import run
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.place import opened
from tune_mnist.store.reader import list_searches, read_trials
from tune_mnist.store.writer import Writer

WRONG = {
    "s3://": "names no bucket; write s3://bucket/prefix",
    "s3://bucket//x": "names no bucket; write s3://bucket/prefix",
    "ftp://server/x": "is no place for a store; use file://, s3://, gs://, az://",
    "file://results": "names no folder; write file:///its/path",
}


@pytest.mark.parametrize("address", WRONG)
def test_a_wrong_address_is_one_line(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", "--results", address]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("--results: ")
    assert line.endswith(WRONG[address])


@pytest.mark.parametrize(
    ("bucket", "endpoint", "problem"),
    [
        ("s3://nowhere/x", "", "NoSuchBucket: The specified bucket does not exist"),
        (
            "s3://bucket/x",
            "http://127.0.0.1:1",
            "no answer from http://127.0.0.1:1 after 5 retries",
        ),
        ("s3://bucket/x", "127.0.0.1", "'127.0.0.1' is no address; for example http://127.0.0.1"),
        ("gs://bucket/x", "http://127.0.0.1", "is for s3://, and the store is at gs://"),
    ],
)
@pytest.mark.usefixtures("s3_address")
def test_a_store_that_cannot_be_read_is_one_line(
    bucket: str, endpoint: str, problem: str, s3: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("status", "leaderboard", "importance"):
        where = ["--results", bucket, "--s3-endpoint", endpoint or s3]
        assert run([command, *where]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert problem in line
        assert "`" not in line  # each field is written as its option


@pytest.mark.usefixtures("s3_address")
def test_missing_credentials_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert run(["status", "--results", "s3://bucket/without-key"]) == 2
    assert "no credentials were found; check" in capsys.readouterr().err.replace(
        " in the environment", ""
    )


def test_a_file_address_is_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "my results", "svm", [trial("t0")])
    address = f"file://{tmp_path}/my%20results"
    assert opened(address) == tmp_path / "my results"


def test_an_address_in_a_path_is_refused() -> None:
    with pytest.raises(InputError, match="has lost a slash; give it as text"):
        opened(Path("s3://bucket/x"))


def test_a_prefix_is_a_store_of_its_own(s3_address: str) -> None:
    write(opened(s3_address), "one", [trial("t0")])
    write(opened(f"{s3_address}-2"), "two", [trial("t0")])
    assert list_searches(opened(s3_address)) == ["one"]


def test_other_objects_are_left_alone_and_a_torn_one_is_named(
    s3_address: str, machine_of_s3: Machine
) -> None:
    write(opened(s3_address), "svm", [trial("t0"), trial("t1")])
    store = from_url(s3_address, client_options={"allow_http": True})
    for name in ("notes.txt", "trials/README", "models/a/b"):
        obstore.put(store, name, b"mine")
    obstore.put(store, "trials/search=svm/00000002-00000002.parquet", b"torn")
    root = machine_of_s3("another")
    with pytest.warns(SkippedWarning, match=f"{s3_address}/trials/search=svm/00000002-"):
        assert read_trials(root)["trial"].to_pylist() == ["t0", "t1"]
    assert {path.name for path in root.iterdir() if path.name[0] != "."} == {
        "trials",
        "reports",
        "searches",
    }
    with pytest.warns(SkippedWarning, match=f"moved to {s3_address}/.quarantine/svm/trials-"):
        Writer(opened(s3_address), "svm", PARAMETERS, resume=True).close()
    keys = {one.key for one in Bucket(s3_address).objects(".quarantine")}
    assert ".quarantine/svm/trials-00000002-00000002.parquet" in keys
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_trials(machine_of_s3("third"))) == 2


def test_a_store_that_ignores_conditions_is_refused(
    memory_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = opened(memory_address)
    monkeypatch.setattr(Bucket, "create", Bucket.put)
    with pytest.raises(InputError, match="it cannot keep two writers apart"):
        Writer(root, "svm", PARAMETERS)
