"""Searches are submitted, listed, stopped, resumed and deleted over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import client_of
from tests.store.example_trials import PARAMETERS
from tune_mnist.actions.service.submissions import Submissions
from tune_mnist.store.writer import Writer

BODY = {"space": "svm", "dataset": "digits", "trials": 3}
OWN = {"model": "svm", "dataset": "digits", "parameters": {"C": {"choice": [1, 10]}}}


def test_a_submitted_search_waits(client: TestClient) -> None:
    answer = client.put("/api/searches/new", json=BODY, headers={"X-Submitter": "ann"})
    assert answer.status_code == 201
    found = client.get("/api/searches/new").json()
    assert found == answer.json()
    assert (found["state"], found["submitter"], found["asked"]) == ("PENDING", "ann", BODY)


def test_the_same_request_again_changes_nothing_and_another_is_refused(client: TestClient) -> None:
    client.put("/api/searches/new", json=BODY)
    assert client.put("/api/searches/new", json=BODY).status_code == 200
    other = client.put("/api/searches/new", json={**BODY, "trials": 4})
    assert (other.status_code, other.headers["content-type"]) == (409, "application/problem+json")
    assert client.get("/api/searches/new").json()["asked"] == BODY


def test_a_name_of_the_command_line_is_taken(client: TestClient) -> None:
    assert client.put("/api/searches/svm-1", json=BODY).status_code == 409


def test_many_who_put_one_search_at_once_make_one(client: TestClient) -> None:
    def put(number: int) -> int:
        return client.put("/api/searches/new", json={**BODY, "trials": 1 + number % 2}).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(put, range(16)))
    assert codes == [200] * 7 + [201] + [409] * 8


def test_the_service_names_a_search_that_is_posted(client: TestClient) -> None:
    answer = client.post("/api/searches", json=BODY)
    assert answer.status_code == 202
    assert answer.json()["id"].startswith("svm-digits-")
    assert client.get(answer.headers["location"]).json() == answer.json()


def test_a_space_of_your_own_comes_in_the_body(client: TestClient) -> None:
    answer = client.put("/api/searches/new", json={"space": OWN})
    assert (answer.status_code, answer.json()["dataset"]) == (201, "digits")


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"dataset": "digits"}, "/space", "required"),
        ({**BODY, "trials": 0}, "/trials", "greater than or equal to 1"),
        ({**BODY, "colour": 1}, "/colour", "not permitted"),
        ({**BODY, "space": "nope"}, "/space", "'nope' is no space"),
        ({**BODY, "space": "/etc/passwd.yaml"}, "/space", "is no space"),
        ({**BODY, "space": "../search_spaces/svm.yaml"}, "/space", "is no space"),
        ({**BODY, "dataset": "/etc"}, "/dataset", "is not a data set of this service"),
        ({"space": {**OWN, "dataset": "/etc"}}, "/space/dataset", "is not a data set of this"),
        ({"space": {**OWN, "parameters": {"gama": 1}}}, "/space/parameters/gama", "not a par"),
        ({"space": {**OWN, "model": "os:system"}}, "/space/model", ""),
        ({**BODY, "sampler": "best"}, "/sampler", "best"),
        ({**BODY, "where": ["wall_time_s"]}, "/where", ""),
        ({**BODY, "results": "/tmp"}, "/results", "not permitted"),
        ({**BODY, "space_file": "/tmp/x.yaml"}, "/space_file", "not permitted"),
        ({**BODY, "address": "10.0.0.1:6379"}, "/address", "not permitted"),
        ({**BODY, "data_dir": "/"}, "/data_dir", "not permitted"),
    ],
)
def test_what_is_wrong_is_pointed_at(
    client: TestClient, body: dict[str, Any], pointer: str, said: str
) -> None:
    answer = client.put("/api/searches/new", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert pointer in [one["pointer"] for one in answer.json()["errors"]], answer.json()
    assert said in answer.text
    assert "/tmp/tune_mnist-" not in answer.text
    assert client.get("/api/searches/new").status_code == 404


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'"svm"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.put(
        "/api/searches/new", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["status"] == answer.status_code


def test_a_text_that_is_no_unicode_is_refused(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    for body in (b'{"space": {"\\ud8a0": 1}}', b'{"space": "svm", "objective": "\\udf5e"}'):
        answer = client.put("/api/searches/new", content=body, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (422, 422)


@pytest.mark.parametrize(
    "name", ["1st", "a/b", "..", "a%2Fb", "%2e%2e", "a" * 101, "a:b", "épée", "infinity"]
)
def test_a_name_that_is_not_safe_in_a_path_is_refused(client: TestClient, name: str) -> None:
    assert client.put(f"/api/searches/{name}", json=BODY).status_code in (404, 405, 422)
    assert client.delete(f"/api/searches/{name}").status_code in (404, 405, 422)


def test_a_waiting_search_is_stopped_resumed_and_deleted(client: TestClient, results: Path) -> None:
    client.put("/api/searches/new", json=BODY)
    assert client.post("/api/searches/new:stop").json()["state"] == "STOPPED"
    again = client.post("/api/searches/new:resume", json={"trials": 5})
    assert (again.status_code, again.json()["state"]) == (202, "PENDING")
    assert client.post("/api/searches/new:resume").status_code == 409
    assert client.delete("/api/searches/new").status_code == 204
    assert client.get("/api/searches/new").status_code == 404
    assert Submissions(results).all() == {}


def test_a_search_that_has_ended_is_deleted_and_one_that_runs_is_not(
    client: TestClient, results: Path
) -> None:
    with Writer(results, "svm-1", PARAMETERS, resume=True):
        assert client.get("/api/searches/svm-1").json()["state"] == "RUNNING"
        assert client.delete("/api/searches/svm-1").status_code == 409
        assert client.post("/api/searches/svm-1:resume").status_code == 409
        stopped = client.post("/api/searches/svm-1:stop")
        assert (stopped.status_code, "end it there" in stopped.text) == (409, True)
    assert client.delete("/api/searches/svm-1").status_code == 204
    assert client.get("/api/searches").json()["searches"] == []


def test_a_search_of_the_command_line_is_resumed_by_the_service(client: TestClient) -> None:
    answer = client.post("/api/searches/svm-1:resume", json={"trials": 9})
    assert (answer.status_code, answer.json()["state"]) == (202, "PENDING")


def test_a_confirmation_is_a_search_of_its_own(client: TestClient) -> None:
    answer = client.post("/api/searches/svm-1:confirm", json={"top": 2})
    found = answer.json()
    assert (answer.status_code, found["confirms"], found["state"]) == (202, "svm-1", "PENDING")
    assert client.get(f"/api/searches/{found['id']}").json() == found
    assert client.post("/api/searches/svm-1:confirm", json={"top": 0}).status_code == 422


def test_searches_are_listed_filtered_and_paged(client: TestClient) -> None:
    for number in range(3):
        body = {**BODY, "seed": number}
        client.put(f"/api/searches/new-{number}", json=body, headers={"X-Priority": str(number)})
    first = client.get("/api/searches", params={"page_size": 2}).json()
    assert [one["id"] for one in first["searches"]] == ["new-0", "new-1"]
    token = first["next_page_token"]
    rest = client.get("/api/searches", params={"page_size": 2, "page_token": token}).json()
    assert [one["id"] for one in rest["searches"]] == ["new-2", "svm-1"]
    assert rest["next_page_token"] == ""
    query = {"filter": "state=PENDING priority>=1", "order_by": "priority desc"}
    chosen = client.get("/api/searches", params=query).json()["searches"]
    assert [one["id"] for one in chosen] == ["new-2", "new-1"]


def test_two_services_on_one_store_agree(client: TestClient, results: Path) -> None:
    client.put("/api/searches/new", json=BODY)
    with client_of(results) as other:
        assert other.get("/api/searches").json() == client.get("/api/searches").json()
        other.post("/api/searches/new:stop")
        assert client.get("/api/searches/new").json()["state"] == "STOPPED"
        assert other.put("/api/searches/new", json=BODY).status_code == 200
