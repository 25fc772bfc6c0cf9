"""A search whose code has changed since is not resumed, unless the change is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actions.test_where_data_is import write_record
from tune_mnist.actions.preparing import prepare, prepare_resumed
from tune_mnist.actions.requests import ResumeRequest, SearchRequest
from tune_mnist.actions.search import recorded
from tune_mnist.errors import InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.store.plans import read_search
from tune_mnist.store.writer import Writer


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("code_hash", "code that can change a result: was 0000"),
        ("data_hash", "images: was 0000"),
        ("split", "split: was 0000"),
    ],
)
def test_what_has_changed_is_said_and_may_be_allowed(tmp_path: Path, field: str, said: str) -> None:
    root = tmp_path / "results"
    asked = {"space": "svm", "dataset": "digits", "results": root, "cpus": 1, "trials": 2}
    prepared = prepare(SearchRequest(**asked, name="s"))
    with Writer(root, "s", parameter_types()) as writer:
        writer.write_search(recorded(prepared).model_copy(update={field: "0000"}))
    request = ResumeRequest(search="s", results=root)
    with pytest.raises(InputError, match=said):
        prepare_resumed(request)
    allowed = prepare_resumed(request.model_copy(update={"allow_change": True}))
    assert any(said in note for note in allowed.notes)
    write_record(allowed, resume=True)
    assert len(read_search(root, "s").resumed) == 1
