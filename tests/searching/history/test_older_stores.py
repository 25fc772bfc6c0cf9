"""Searches that earlier versions began are read, checked and resumed by this one."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tune_mnist.errors import InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import earlier_of, earlier_runs
from tune_mnist.store.layout import proposals_file
from tune_mnist.store.plans import read_search, read_searches
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.reader import list_searches
from tune_mnist.store.writer import Writer

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
INTERRUPTED = Path(__file__).parent / "store_of_f0afe61"
"""`search r.yaml --name old` of commit f0afe61, a ResNet, ended by Ctrl-C after its first epoch.

Its list of proposals has no checksum, nor has its record. Its state, of 34 MB, is not kept here.
"""


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """Return the store with a small file in the place of the state."""
    root = Path(shutil.copytree(INTERRUPTED, tmp_path / "store"))
    run = root / ".checkpoints" / "old" / "run_trial_2026-11-26_21-59-16"
    state = run / "00000" / "checkpoint_000000" / "state.pt"
    state.parent.mkdir(parents=True)
    with zipfile.ZipFile(state, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    (root / ".writers").mkdir()
    (root / ".writers" / ".doorway").touch()
    return root


def test_an_interrupted_resnet_of_the_version_before_continues_from_its_state(
    interrupted: Path,
) -> None:
    earlier = earlier_runs(interrupted, "old")
    (proposed,) = earlier.proposals
    assert (proposed.number, proposed.seen, proposed.config) == (
        0,
        0,
        {
            "architecture": "resnet18",
            "batch_size": 64,
            "optimizer": "sgd",
            "learning_rate": 0.01,
            "epochs": 3,
            "train_fraction": 0.2,
        },
    )
    assert [state.parent.name for state in earlier.states[0]] == ["00000"]
    assert earlier.space.model == "resnet"
    assert earlier.space.search.sampler == "grid"
    assert contradictions(interrupted, "old") == ([], 0)


def test_a_list_without_checksums_is_continued_with_them(interrupted: Path) -> None:
    before = read_search(interrupted, "old")
    with Writer(interrupted, "old", parameter_types(), resume=True) as writer:
        writer.write_search(before)
        writer.append_proposal(Proposal(1, {"epochs": 3, "learning_rate": 0.001}, 1))
    assert read_search(interrupted, "old") == before
    assert [one.number for one in earlier_runs(interrupted, "old").proposals] == [0, 1]


@pytest.mark.parametrize("search", list_searches(REFERENCE))
def test_each_recorded_search_is_resumed_or_refused_for_a_list_that_it_never_kept(
    search: str,
) -> None:
    record = read_searches(REFERENCE)[search]
    if not proposals_file(REFERENCE, search).exists():
        with pytest.raises(InputError, match="kept no list of proposals"):
            earlier_of(REFERENCE, search, record)
        return
    earlier = earlier_of(REFERENCE, search, record)
    assert earlier.whole
    assert earlier.space.model == record.space["model"]
    assert {int(row["trial"]) for row in earlier.rows} <= {p.number for p in earlier.proposals}
