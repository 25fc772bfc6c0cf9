"""SVMs on a cluster share a matrix: one a node, found by its trials, gone with its keeper."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.searching.conftest import SVM, Searched, plan_text
from tune_mnist.actions.preparing import prepare_plan
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import run
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.node_gram import KeptOnNode, node_grams
from tune_mnist.searching.planning.machine import Cluster
from tune_mnist.store.reader import read_trials
from tune_mnist.training.images import AS_STORED

pytestmark = pytest.mark.usefixtures("running_ray")


def never() -> bool:
    return False


def gone_within(seconds: float, folder: Path) -> bool:
    until = time.monotonic() + seconds
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.1)
    return not folder.exists()


def test_a_node_keeps_one_matrix_until_the_search_ends(few_digits: Dataset, tmp_path: Path) -> None:
    here: Any = ray.remote(KeptOnNode.here)
    with node_grams(plan_text(tmp_path, SVM), few_digits, AS_STORED, never) as shared:
        assert shared.seconds.result(120) > 0
        folder, again = ray.get([here.remote(shared.place), here.remote(shared.place)])
        assert folder == again
        assert list(folder.glob("gram-*/products.npy"))
    assert gone_within(60, folder)


def test_a_killed_keeper_s_matrix_goes_and_is_built_again(
    few_digits: Dataset, tmp_path: Path
) -> None:
    here: Any = ray.remote(KeptOnNode.here)
    with node_grams(plan_text(tmp_path, SVM), few_digits, AS_STORED, never) as shared:
        shared.seconds.result(120)
        folder = ray.get(here.remote(shared.place))
        (keeper,) = {one["Pid"] for one in ray._private.state.actors().values() if kept(one)}
        os.kill(keeper, signal.SIGKILL)
        assert gone_within(60, folder)
        other = ray.get(here.remote(shared.place))
        assert other != folder
        assert list(other.glob("gram-*/products.npy"))


def kept(actor: dict[str, Any]) -> bool:
    return bool(actor["State"] == "ALIVE" and actor["Name"].startswith("matrix-"))


def test_a_search_that_is_over_waits_for_no_matrix(few_digits: Dataset, tmp_path: Path) -> None:
    grams = node_grams(plan_text(tmp_path, SVM), few_digits, AS_STORED, lambda: True)
    with grams as shared, pytest.raises(CancelledError):
        shared.seconds.result(120)


def test_svms_on_a_cluster_share_it_and_score_as_on_a_ray_of_our_own(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    _, alone = search(SVM, "alone", engine="shared-gram")
    cluster = Cluster(ray.get_runtime_context().gcs_address, ({"CPU": 2.0},))
    plan = replace(plan_text(tmp_path, SVM), cluster=cluster, engine=("shared-gram", "so we say"))
    asked = SearchRequest(space="svm", name="joined", results=tmp_path / "results", rerun=True)
    outcome = run(prepare_plan(plan, few_digits, asked)).outcome
    joined = read_trials(tmp_path / "results", search="joined").to_pylist()
    assert outcome.gram_s > 0
    assert {row["engine"] for row in joined} == {"shared-gram"}
    of = [{row["config"]: row["confusion"] for row in rows} for rows in (alone, joined)]
    assert of[0] == of[1]


def test_another_cluster_than_the_one_that_is_joined_is_refused(
    few_digits: Dataset, tmp_path: Path
) -> None:
    plan = replace(plan_text(tmp_path, SVM), cluster=Cluster("10.0.0.1:6379", ({"CPU": 2.0},)))
    asked = SearchRequest(space="svm", name="other", results=tmp_path / "results")
    with pytest.raises(InputError, match=r"is at .*, not at 10\.0\.0\.1:6379; end it with"):
        run(prepare_plan(plan, few_digits, asked))
