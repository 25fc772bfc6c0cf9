"""Stores with an odd value anywhere: every view shows what is sound and names the rest."""

from __future__ import annotations

import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.example_trials import read_proposals
from tests.store.mutations import damaged, sample
from tune_mnist.actions.status import status
from tune_mnist.analysis.constraints import read_selected
from tune_mnist.analysis.importance import importances, note
from tune_mnist.analysis.pareto import pareto_sets, set_sentence
from tune_mnist.analysis.ranking import to_csv, to_json, top_ranking
from tune_mnist.analysis.results import load_results
from tune_mnist.analysis.within import as_json, cheapest_within, sentence
from tune_mnist.cli.console import console
from tune_mnist.cli.leaderboard import print_table
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.pages.leaderboard import write_leaderboard
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import earlier_runs
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import top_trials
from tune_mnist.store.selection import EVERYTHING, Selection

STORES = int(os.environ.get("MUTATED_STORES", "100"))
FIRST = int(os.environ.get("FIRST_MUTATION", "0"))

View = Callable[[Path], object]


def frames(root: Path) -> None:
    results = load_results(root)
    assert (results.trials, results.reports, results.searches) is not None
    assert repr(results) + results._repr_html_()


def ranking(root: Path) -> None:
    rows = top_ranking(root, top=5)
    assert to_json(rows) + to_csv(rows)
    print_table(rows, console())


def within(root: Path) -> None:
    for answer in cheapest_within(read_selected(root, EVERYTHING), 0.05):
        assert sentence(answer) + str(as_json(answer))


def pareto(root: Path) -> None:
    objectives = ("val_accuracy", "wall_time_s", "parameters")
    for found in pareto_sets(read_selected(root, EVERYTHING), objectives, 5):
        print_table(found.trials, console())
        assert set_sentence(found)


def importance(root: Path) -> None:
    for found in importances(read_selected(root, EVERYTHING)):
        assert note(found)


def records(root: Path) -> None:
    for one in status(root):
        assert one.record.space.get("name", "") + one.state + one.record.started is not None


def one_search(root: Path) -> None:
    assert read_search(root, "svm").scheduler
    assert len(read_proposals(root, "svm")) >= 0
    assert len(top_trials(root, top=3, metric="wall_time_s", selection=Selection("svm"))) >= 0


def history(root: Path) -> None:
    found, trials = contradictions(root, "svm")
    assert len(found) + trials >= 0
    earlier = earlier_runs(root, "svm")
    assert len(earlier.rows) + len(earlier.states) >= 0


def page(root: Path) -> None:
    write_leaderboard(root, root.with_suffix(".html"), within=0.05)


VIEWS: dict[str, View] = {
    "results": frames,
    "ranking": ranking,
    "within": within,
    "Pareto": pareto,
    "importance": importance,
    "status": records,
    "one search": one_search,
    "history": history,
    "page": page,
}
QUICK = [name for name in VIEWS if name not in ("page", "importance")]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample(tmp_path_factory.mktemp("sound") / "store")


def test_no_view_of_a_damaged_store_ends_in_a_traceback(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends: dict[str, list[str]] = {}
    for number in range(FIRST, FIRST + STORES):
        chance = random.Random(number)
        root = tmp_path / str(number)
        how = damaged(sound, root, chance)
        view = chance.choice([*QUICK * 10, "page", "importance"])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", SkippedWarning)
                VIEWS[view](root)
        except InputError:
            pass
        except Exception as error:
            kind = f"{view}: {type(error).__name__}: {str(error)[:150]}"
            ends.setdefault(kind, []).append(f"{number}: {how}")
        shutil.rmtree(root)
        root.with_suffix(".html").unlink(missing_ok=True)
    capsys.readouterr()
    assert ends == {}
