"""The Grafana board shows every metric that the code declares, and no other of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.searching.on_ray.watching.test_metrics import OF_RAY
from tune_mnist.searching.on_ray.watching.metrics import EXPORTED_AS, METRICS, SEARCH

GRAFANA = Path(__file__).parents[2] / "docker" / "grafana"
BOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "tune_mnist.json").read_text("utf-8"))


def queries() -> list[str]:
    return [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def named(query: str) -> set[str]:
    return set(re.findall(rf"\b{EXPORTED_AS}\w+", query))


def test_the_board_names_the_declared_metrics_and_a_few_of_ray() -> None:
    served = {
        EXPORTED_AS + one.name + ("_bucket" if one.kind == "histogram" else "") for one in METRICS
    }
    assert set().union(*(named(query) for query in queries())) == served | set(OF_RAY)


def test_a_query_names_only_labels_that_its_metric_has() -> None:
    labels = {EXPORTED_AS + one.name: {SEARCH, *one.labels} for one in METRICS}
    for query in queries():
        for name, chosen in re.findall(r"(ray_tune_mnist\w+?)(?:_bucket)?\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", chosen)) <= labels[name], query


def test_every_panel_of_ours_shows_the_chosen_searches_only() -> None:
    assert BOARD["templating"]["list"][0]["name"] == "search"
    for query in queries():
        if "ray_tune_mnist" in query:
            assert query.count('search=~"$search"') == len(re.findall("ray_tune_mnist", query))


def test_every_counter_is_read_as_a_rate_and_the_histogram_as_quantiles() -> None:
    for query in queries():
        for one in METRICS:
            if EXPORTED_AS + one.name in query:
                assert ("rate(" in query) == (one.kind != "gauge"), query
                assert ("histogram_quantile(" in query) == (one.kind == "histogram"), query


def test_panels_have_their_own_place_and_number() -> None:
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # Grafana's columns
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["title"] and panel["description"] for panel in BOARD["panels"])


def test_the_board_reads_the_provisioned_source() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())
    (source,) = sources["datasources"]
    used = set(re.findall(r'"uid": "(\w+)"', json.dumps(BOARD["panels"])))
    assert used == {source["uid"]}


def test_the_board_lies_where_grafana_looks_for_it() -> None:
    boards = yaml.safe_load((GRAFANA / "provisioning/dashboards/boards.yaml").read_text())
    folder = boards["providers"][0]["options"]["path"]
    compose = yaml.safe_load((GRAFANA.parent / "compose.yaml").read_text("utf-8"))
    grafana = compose["services"]["grafana"]
    assert f"./grafana/dashboards:{folder}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/tune_mnist.json"


def test_the_guide_explains_every_metric_in_the_code_s_words() -> None:
    guide = (GRAFANA.parents[1] / "docs" / "guide" / "watching.md").read_text("utf-8")
    rows = [
        f"| `{EXPORTED_AS}{one.name}` | {one.kind} |"
        + "".join(f" `{label}`" for label in one.labels)
        + f" | {one.meaning} |"
        for one in METRICS
    ]
    assert [row for row in rows if row not in guide] == []
    assert guide.count(f"| `{EXPORTED_AS}") == len(METRICS)
