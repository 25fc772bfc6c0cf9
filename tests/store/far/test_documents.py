"""The contract of small documents that several processes change, in a folder and on buckets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tune_mnist.errors import InputError
from tune_mnist.store.files.bucket import ChangedError
from tune_mnist.store.files.documents import Documents, change, documents
from tune_mnist.store.files.place import opened


@pytest.fixture(params=["folder", "memory", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Documents:
    if request.param == "folder":
        return documents(tmp_path / "results", "notes")
    root = opened(request.getfixturevalue(f"{request.param}_address"))
    return documents(root, "notes")


def counted(content: bytes) -> int:
    return int(content.split()[0])


class TestDocuments:
    def test_none_at_first(self, kept: Documents) -> None:
        assert kept.stamps() == {}
        with pytest.raises(FileNotFoundError):
            kept.read("one")

    def test_what_is_created_is_read_and_listed(self, kept: Documents) -> None:
        kept.create("one", b"1")
        assert kept.read("one")[0] == b"1"
        assert set(kept.stamps()) == {"one"}

    def test_a_name_is_taken_once(self, kept: Documents) -> None:
        kept.create("one", b"1")
        with pytest.raises(FileExistsError):
            kept.create("one", b"2")
        assert kept.read("one")[0] == b"1"

    def test_a_replaced_one_has_another_stamp(self, kept: Documents) -> None:
        kept.create("one", b"1")
        before = kept.stamps()
        kept.replace("one", b"22", kept.read("one")[1])
        assert kept.read("one")[0] == b"22"
        assert kept.stamps() != before

    def test_what_has_changed_since_is_not_replaced(self, kept: Documents) -> None:
        kept.create("one", b"1")
        _, version = kept.read("one")
        kept.replace("one", b"2", version)
        with pytest.raises(ChangedError):
            kept.replace("one", b"3", version)
        assert kept.read("one")[0] == b"2"

    def test_what_is_removed_is_gone_for_all(self, kept: Documents) -> None:
        kept.create("one", b"1")
        _, version = kept.read("one")
        kept.remove("one")
        kept.remove("one")
        assert kept.stamps() == {}
        with pytest.raises(ChangedError):
            kept.replace("one", b"2", version)

    def test_many_who_count_at_once_lose_no_step(self, kept: Documents) -> None:
        kept.create("count", b"0")

        def step(number: int) -> None:
            change(kept, "count", lambda content: b"%d by %d" % (counted(content) + 1, number))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(step, range(20)))
        assert counted(kept.read("count")[0]) == 20

    @pytest.mark.parametrize("name", ["../searches/x", "a/b", "", ".lock", "x\0"])
    def test_a_name_stays_below_their_folder(self, kept: Documents, name: str) -> None:
        with pytest.raises(ValueError, match="not safe"):
            kept.create(name, b"")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "notes" / "one.json").symlink_to(tmp_path / "mine")
    kept = documents(tmp_path, "notes")
    assert kept.stamps() == {}
    with pytest.raises(InputError, match="symbolic link"):
        kept.read("one")
    assert (tmp_path / "mine").read_bytes() == b"mine"
