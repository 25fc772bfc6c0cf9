"""Nothing is executed that is in a store, a model or a saved state from someone else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.store.example_trials import PARAMETERS, proposal, read_proposals, report, trial, write
from tune_mnist.errors import InputError
from tune_mnist.spaces import read_space
from tune_mnist.spaces.shipped import shipped_spaces
from tune_mnist.store.layout import rows_folder
from tune_mnist.store.plans import read_search, read_searches
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.writer import Writer
from tune_mnist.training.resnet import state
from tune_mnist.training.saved_state import FILE
from tune_mnist.training.svm.gram_svc import GramSVC


class Owned:
    """Touches a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.file),)


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)


@pytest.mark.usefixtures("no_pickle")
def test_no_read_path_unpickles(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1")])
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.append_proposal(proposal(0))
        writer.append_trial(trial("t2"), [report(1)])
        writer.compact()
    assert len(read_trials(tmp_path)) == len(read_reports(tmp_path)) == 2
    assert len(top_trials(tmp_path, top=9)) == 2
    assert (read_proposals(tmp_path, "svm"), list(read_searches(tmp_path))) == (
        [proposal(0)],
        ["svm"],
    )
    for file in shipped_spaces().values():
        read_space(file)


def test_a_fitted_svm_is_read_without_pickle(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64)
    fitted = GramSVC().fit(X, y)
    fitted.save(tmp_path / "svm.npz")
    expected = fitted.predict(X)
    request.getfixturevalue("no_pickle")  # not before: Numba unpickles what it compiled earlier
    assert (GramSVC.load(tmp_path / "svm.npz").predict(X) == expected).all()


def test_a_pickle_in_a_model_or_a_state_is_refused_and_not_run(tmp_path: Path) -> None:
    owned = Owned(tmp_path / "owned")
    np.savez(tmp_path / "svm.npz", params=np.array([owned], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        GramSVC.load(tmp_path / "svm.npz")
    torch.save({"format": state.FORMAT, "epoch": owned}, tmp_path / FILE)
    with pytest.raises(InputError, match="cannot be read"):
        state._load(tmp_path)
    file = rows_folder(tmp_path, "trials", "svm") / "00000000-00000000.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(owned))
    (tmp_path / "searches").mkdir()
    (tmp_path / "searches" / "svm.json").write_bytes(pickle.dumps(owned))
    with pytest.warns(UserWarning, match="left out"):
        assert len(read_trials(tmp_path)) == 0
    with pytest.raises(InputError, match="is not JSON"):
        read_search(tmp_path, "svm")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "name", ["../../x", "..", "/etc/x", "a/../../x", "a\0b", "a\nb", "~", "C:x"]
)
def test_names_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    root = tmp_path / "inside" / "results"
    write(root, "svm", [trial("t1")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="cannot name a search"):
        Writer(root, name, PARAMETERS)
    for read in (read_search, lambda r, n: read_trials(r, search=n)):
        with pytest.raises(InputError, match="is not in the store"):
            read(root, name)
    assert sorted(tmp_path.rglob("*")) == before
