"""The trials of a search over HTTP: pages, filters, forms, ETags, leaderboard."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

TRIALS = "/api/searches/svm-1/trials"


def trials(client: TestClient, **query: object) -> list[str]:
    answer = client.get(TRIALS, params={key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    return [row["trial"] for row in answer.json()["rows"]]


def test_they_come_oldest_first_with_their_configuration(client: TestClient) -> None:
    rows = client.get(TRIALS).json()["rows"]
    assert [row["trial"] for row in rows] == [f"{number:05d}" for number in range(5)]
    assert rows[1]["config"] == {"kernel": "rbf", "C": 1.0}
    assert (rows[3]["status"], rows[3]["error"], rows[3]["val_accuracy"]) == (
        "failed",
        "no luck",
        None,
    )


def test_pages_follow_one_another(client: TestClient) -> None:
    found, token = [], ""
    while True:
        page = client.get(TRIALS, params={"page_size": 2, "page_token": token}).json()
        found += [row["trial"] for row in page["rows"]]
        token = page["next_page_token"]
        if not token:
            break
    assert found == [f"{number:05d}" for number in range(5)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("status=failed", ["00003"]),
        ("kernel=rbf C>2", ["00003"]),
        ("val_accuracy >= 0.8", ["00001", "00004"]),
        ("val_accuracy>=0.8 kernel!=rbf", ["00004"]),
        ("trial='00002'", ["00002"]),
        ("started>=2026-11-24", ["00000", "00001", "00002", "00003", "00004"]),
        ("started<2026-11-24T00:00:00Z", []),
    ],
)
def test_a_filter_keeps_what_satisfies_all_conditions(
    client: TestClient, condition: str, expected: list[str]
) -> None:
    assert trials(client, filter=condition) == expected


def test_an_order_puts_rows_without_a_value_last(client: TestClient) -> None:
    assert trials(client, order_by="val_accuracy desc")[:2] == ["00001", "00004"]
    assert trials(client, order_by="val_accuracy desc")[-1] == "00003"
    assert trials(client, order_by="kernel, C desc") == [
        "00004",
        "00002",
        "00000",
        "00003",
        "00001",
    ]


@pytest.mark.parametrize(
    ("query", "pointer", "said"),
    [
        ({"filter": "colour=red"}, "filter", "'colour' is not a column"),
        ({"filter": "C>many"}, "filter", "'many' is no value of C"),
        ({"filter": "C>>1"}, "filter", ""),
        ({"filter": "status"}, "filter", "is no condition"),
        ({"order_by": "colour"}, "order_by", "is not a column"),
        ({"order_by": "C up"}, "order_by", "is no order"),
        ({"page_token": "abc"}, "page_token", "is not a token"),
        ({"page_size": "0"}, "page_size", ""),
        ({"page_size": "many"}, "page_size", ""),
    ],
)
def test_a_query_that_cannot_be_used_is_named(
    client: TestClient, query: dict[str, str], pointer: str, said: str
) -> None:
    answer = client.get(TRIALS, params=query)
    assert answer.status_code in (400, 422)
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert said in answer.text


def test_a_token_goes_on_with_the_same_filter_only(client: TestClient) -> None:
    token = client.get(TRIALS, params={"page_size": 2}).json()["next_page_token"]
    answer = client.get(TRIALS, params={"page_token": token, "filter": "status=failed"})
    assert answer.status_code == 400


def test_they_are_had_as_parquet_and_csv(client: TestClient) -> None:
    parquet = client.get(TRIALS, headers={"Accept": "application/vnd.apache.parquet"})
    assert pq.read_table(io.BytesIO(parquet.content))["trial"].to_pylist()[0] == "00000"
    csv = client.get(TRIALS, params={"page_size": 2}, headers={"Accept": "text/csv"})
    assert len(pd.read_csv(io.StringIO(csv.text))) == 2
    assert csv.headers["x-next-page-token"]
    assert client.get(TRIALS, headers={"Accept": "image/png"}).status_code == 406


def test_what_the_client_has_is_not_sent_again(client: TestClient) -> None:
    for path in (TRIALS, "/api/searches/svm-1", "/api/searches", "/api/spaces"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = client.get(path, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content)


def test_the_leaderboard_ranks_as_the_command_does(client: TestClient) -> None:
    board = client.get("/api/searches/svm-1/leaderboard", params={"top": 2}).json()
    assert [row["trial"] for row in board["rows"]] == ["00001", "00004"]
    assert board["order"] == "val_accuracy"
    assert client.get("/api/searches/svm-1").json()["best"]["trial"] == "00001"


def test_measurements_are_rows_too(client: TestClient) -> None:
    rows = client.get("/api/searches/svm-1/reports").json()["rows"]
    assert [row["trial"] for row in rows] == [f"{number:05d}" for number in range(5)]


def test_what_is_not_there_is_404(client: TestClient) -> None:
    for path in ("trials", "reports", "leaderboard", "events", "models/winner"):
        assert client.get(f"/api/searches/nope/{path}").status_code == 404
    assert client.get("/api/searches/svm-1/models/winner").status_code == 404


def test_spaces_data_sets_and_models_are_listed(client: TestClient) -> None:
    spaces = {one["name"]: one for one in client.get("/api/spaces").json()}
    assert {"svm", "resnet", "which"} <= set(spaces)
    assert "model: svm" in spaces["svm"]["yaml"]
    datasets = [one["name"] for one in client.get("/api/datasets").json()]
    assert datasets == ["mnist", "fashion-mnist", "digits", "cats"]
    models = {one["name"]: one for one in client.get("/api/models").json()}
    assert {"svm", "resnet", "logistic"} <= set(models)
    assert models["svm"]["hyperparameters"][0]["name"] == "kernel"


def test_the_events_of_a_search_that_has_ended_come_at_once_and_end(client: TestClient) -> None:
    lines = client.get("/api/searches/svm-1/events").text.splitlines()
    assert [line for line in lines if line.startswith("id: ")][:5] == [
        f"id: {n}" for n in range(1, 6)
    ]
    assert lines.count("event: trial") == 5
    assert 'data: {"state": "SUCCEEDED"}' in lines
    rest = client.get("/api/searches/svm-1/events", headers={"Last-Event-ID": "4"}).text
    assert rest.count("event: trial") == 1
    ended = client.get("/api/searches/svm-1/events", headers={"Last-Event-ID": "5"})
    assert (ended.status_code, ended.content) == (204, b"")


@pytest.mark.parametrize("last", ["6", "-1", "1e3", "abc", "", "1" * 40, "٣"])
def test_an_event_that_was_never_sent_is_refused(client: TestClient, last: str) -> None:
    headers = {b"Last-Event-ID": last.encode()}
    assert client.get("/api/searches/svm-1/events", headers=headers).status_code in (400, 422)
