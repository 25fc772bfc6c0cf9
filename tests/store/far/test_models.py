"""Saved models in a store that is far away: whole on any machine, or not there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, trial
from tests.store.far.conftest import Machine
from tests.store.far.stopping import dies_at
from tests.store.models.kept import finish, kept_models
from tune_mnist.errors import InputError
from tune_mnist.store.files import lease as lease_module
from tune_mnist.store.files.place import bring_model, opened, saved_models
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer


def test_a_model_is_brought_to_any_machine_and_goes_when_it_is_replaced(machine: Machine) -> None:
    with Writer(machine("a"), "svm", PARAMETERS) as writer:
        models = kept_models(writer)
        finish(writer, models, trial("t0", 0.9))
        assert (bring_model(machine("b"), "svm", "t0") / "model.json").read_text() == "t0"
        finish(writer, models, trial("t1", 0.95))
    with pytest.raises(InputError, match="is no whole saved model"):
        bring_model(machine("b"), "svm", "t0")
    with Writer(machine("b"), "svm", PARAMETERS, resume=True) as writer:
        assert writer.models() == {"t1"}


def is_whole_or_missing(root: Path, trial: str) -> bool:
    try:
        bring_model(root, "svm", trial)
    except InputError as error:
        return "is no whole saved model" in str(error)
    return True


def test_a_death_between_any_two_requests_leaves_the_best_model_whole(
    memory_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LASTS_S", 0.0)
    deaths = 0
    for step in range(100):
        address = f"{memory_address}-{step}"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"first-{step}"))
        dead = Writer(opened(address), "svm", PARAMETERS)
        dead.write_search(SearchRecord(search="svm"))
        models = kept_models(dead)
        finish(dead, models, trial("t0", 0.9))
        if not dies_at(step, dead, partial(finish, models=models, row=trial("t1", 0.95))):
            break
        deaths += 1
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"second-{step}"))
        best = max(read_trials(opened(address))["trial"].to_pylist())
        assert (bring_model(opened(address), "svm", best) / "model.json").read_text() == best
        here = opened(address)
        assert all(is_whole_or_missing(here, one) for one in saved_models(here, "svm"))
        with Writer(opened(address), "svm", PARAMETERS, resume=True) as writer:
            finish(writer, kept_models(writer), trial("t2", 0.99))
            assert writer.models() == {"t2"}
    assert deaths == 7  # three files, the trial's two, and the old model's: its list, the others
