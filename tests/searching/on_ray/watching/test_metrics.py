"""What Prometheus reads of a search at Ray's real metrics port, without a dashboard."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from tests.searching.conftest import SVM, Searched
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray.events import TrialEvents
from tune_mnist.searching.on_ray.watching.metrics import EXPORTED_AS, METRICS, SearchMetrics
from tune_mnist.searching.stopping.ending import Outcome

OF_RAY = ("ray_node_cpu_utilization", "ray_node_mem_used", "ray_node_mem_total")
"""What the Grafana board shows of Ray itself (tests/docker/test_board.py)."""

Search = Callable[..., Searched]
Values = dict[tuple[str, ...], float]


def scraped(search: str, until: Callable[[dict[str, Values]], bool]) -> dict[str, Values]:
    """What the node serves of a search, by metric: values by its other labels, in their order.

    Ray's agent learns of new values every ten seconds: this asks again until they are as they
    should be, and returns the last answer in any case.
    """
    deadline = time.monotonic() + 40
    while not until(now := _served(search)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return now


def _served(search: str) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for family in text_string_to_metric_families(_page()):
        for sample in family.samples:
            if sample.labels.get("search") == search:
                ours = ("state", "objective", "le")
                labels = tuple(sample.labels[name] for name in ours if name in sample.labels)
                found.setdefault(sample.name, {})[labels] = sample.value
    return found


def _page() -> str:
    port = ray.nodes()[0]["MetricsExportPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


TRIALS = "ray_tune_mnist_trials"
COUNT = "ray_tune_mnist_trial_seconds_count"


def test_a_search_is_served_to_prometheus_its_resumed_run_included(search: Search) -> None:
    """Its first trial is answered by another search, so its time is not counted."""
    search(SVM, "earlier", trials=1)
    search(SVM, "watched", trials=1, remember=True)
    outcome, rows = search(SVM, "watched", trials=2, resume=True)
    served = scraped("watched", lambda now: now.get(TRIALS, {}).get(("completed",)) == 2)
    assert served[TRIALS] == {
        ("running",): 0,
        ("completed",): 2,
        ("stopped",): 0,
        ("failed",): 0,
    }
    assert outcome.best is not None
    assert served["ray_tune_mnist_best_objective"] == {
        ("val_accuracy",): pytest.approx(outcome.best["val_accuracy"])
    }
    assert served[COUNT] == {("completed",): 1}
    (took,) = [row["wall_time_s"] for row in rows if row["shared_with"] is None]
    buckets = served["ray_tune_mnist_trial_seconds_bucket"]
    assert {most: count for (_, most), count in buckets.items()} == {
        most: took <= float(most) for _, most in buckets
    }
    assert served["ray_tune_mnist_rows_stored_total"] == {(): 1}
    assert "ray_tune_mnist_lease_age_seconds" not in served  # its store is a folder


def test_a_search_whose_trial_takes_long_is_served_all_the_while(running_ray: None) -> None:
    """Ray drops a gauge that nobody sets, after twenty seconds; TrialEvents.look sets it again."""
    unused: Any = None
    events = TrialEvents(unused, unused, Observer(), None)
    metrics = SearchMetrics("long", "val_accuracy", Outcome(), rows=0, lease_age_s=lambda: 7.5)
    metrics.stored({"status": "failed", "wall_time_s": 3.0})  # and the trial is tried again

    def looked(now: dict[str, Values]) -> bool:
        events.look()
        return COUNT in now

    with events.measured_by(metrics):
        metrics.running(1)
        served = scraped("long", looked)
        until = time.monotonic() + 25
        while time.monotonic() < until:
            events.look()
            assert _served("long")[TRIALS]["running",] == 1
            time.sleep(0.5)
    assert served["ray_tune_mnist_rows_stored_total"] == {(): 1}
    assert served[TRIALS]["failed",] == 0
    assert served["ray_tune_mnist_lease_age_seconds"] == {(): 7.5}
    assert served[COUNT] == {("failed",): 1}


@pytest.mark.parametrize("name", OF_RAY)
def test_ray_serves_what_the_board_shows_of_its_nodes(running_ray: None, name: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(_page())}
    assert [sample.labels["ip"] for sample in families[name].samples] == ["127.0.0.1"]


def test_every_metric_has_a_name_as_prometheus_wants_it() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"tune_mnist(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_seconds") or metric.kind != "histogram"
        assert metric.meaning.endswith(".")
    assert EXPORTED_AS == "ray_"


def test_to_record_a_row_costs_less_than_a_millisecond(running_ray: None) -> None:
    """A trial of a trivial model takes 70 ms; a hundredth of it would be noticed."""
    outcome = Outcome(counts={"completed": 1}, best={"val_accuracy": 0.5})
    metrics = SearchMetrics("cost", "val_accuracy", outcome, rows=1, lease_age_s=lambda: None)
    row: Row = {"status": "completed", "wall_time_s": 1.0}

    def seconds() -> float:
        began = time.process_time()
        for _ in range(100):
            metrics.stored(row)
        return (time.process_time() - began) / 100

    assert min(seconds() for _ in range(3)) < 1e-3
