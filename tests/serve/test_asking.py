"""Ask and tell over HTTP; what is behind it is tested in tests/actions/asking."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

SPACE = {
    "model": "external/toy",
    "dataset": "toy",
    "parameters": {"lr": {"uniform": [0.0, 1.0]}},
    "search": {"sampler": "random", "trials": 2},
}
ME = {"client_id": "me"}
HERE = "/api/searches/toy"


@pytest.fixture
def toy(client: TestClient) -> TestClient:
    assert client.put(HERE, json={"space": SPACE}).status_code == 201
    return client


def test_a_search_is_asked_told_and_ended(toy: TestClient) -> None:
    assert toy.get(HERE).json()["state"] == "RUNNING"
    while not (told := toy.post(f"{HERE}/trials:suggest", json=ME).json())["ended"]:
        [one] = told["trials"]
        again = toy.post(f"{HERE}/trials:suggest", json=ME).json()["trials"]
        assert again == [one]
        measurement = {"step": 1, "val_accuracy": 0.5}
        told = toy.post(
            f"{HERE}/trials/{one['trial']}:report", json={**ME, "measurement": measurement}
        )
        assert told.json() == {"stop": False, "why": ""}
        body = {**ME, "result": {"val_accuracy": one["config"]["lr"]}}
        done = toy.post(f"{HERE}/trials/{one['trial']}:complete", json=body)
        assert done.json() == {"trial": one["trial"], "status": "completed"}
        assert toy.post(f"{HERE}/trials/{one['trial']}:complete", json=body).json() == done.json()
    found = toy.get(HERE).json()
    assert (found["state"], found["finished"]) == ("SUCCEEDED", {"completed": 2})
    assert toy.get(f"{HERE}/trials").json()["rows"][0]["model"] == "external/toy"
    assert toy.get(f"{HERE}/leaderboard").json()["rows"][0]["rank"] == 1


def test_the_same_search_is_begun_once(toy: TestClient) -> None:
    assert toy.put(HERE, json={"space": SPACE}).status_code == 200
    other = {**SPACE, "search": {"trials": 3}}
    assert toy.put(HERE, json={"space": other}).status_code == 409
    posted = toy.post("/api/searches", json={"space": SPACE})
    assert posted.status_code == 202
    assert toy.get(posted.headers["location"]).json()["state"] == "RUNNING"


def test_it_is_stopped_resumed_and_deleted(toy: TestClient) -> None:
    toy.post(f"{HERE}/trials:suggest", json=ME)
    assert toy.delete(HERE).status_code == 409
    assert toy.post(f"{HERE}:stop").json()["state"] == "STOPPED"
    assert toy.post(f"{HERE}/trials:suggest", json=ME).json() == {"trials": [], "ended": "stopped"}
    assert toy.post(f"{HERE}:confirm").status_code == 409
    assert toy.post(f"{HERE}:resume").json()["state"] == "RUNNING"
    assert len(toy.post(f"{HERE}/trials:suggest", json=ME).json()["trials"]) == 1
    toy.post(f"{HERE}:stop")
    assert toy.delete(HERE).status_code == 204
    assert toy.get(HERE).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        ("trials:suggest", {}, 422, "/client_id"),
        ("trials:suggest", {"client_id": ""}, 422, "/client_id"),
        ("trials:suggest", {**ME, "count": 0}, 422, "/count"),
        ("trials/00000:complete", {**ME, "result": {"val_accuracy": "good"}}, 422, "/result/val_a"),
        ("trials/00000:complete", {**ME, "result": {"val_accuracy": 2}}, 422, "/result/val_a"),
        ("trials/00000:complete", {**ME, "result": {"colour": 1}}, 422, "/result/colour"),
        ("trials/00000:complete", ME, 422, "/result"),
        ("trials/00000:complete", {"client_id": "you", "failed": "x"}, 409, "/trial"),
        ("trials/00009:complete", {**ME, "failed": "x"}, 404, "/trial"),
        ("trials/00000:report", {**ME, "measurement": {"val_loss": 1}}, 422, "/measurement/step"),
    ],
)
def test_what_is_wrong_is_pointed_at(
    toy: TestClient, path: str, body: dict[str, Any], status: int, pointer: str
) -> None:
    toy.post(f"{HERE}/trials:suggest", json=ME)
    answer = toy.post(f"{HERE}/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer), answer.text


def test_only_its_space_says_what_it_is(client: TestClient) -> None:
    answer = client.put(HERE, json={"space": SPACE, "trials": 3})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/trials")
    wrong = client.put(HERE, json={"space": {**SPACE, "parameters": {"lr": {"uniform": [2, 1]}}}})
    assert wrong.json()["errors"][0]["pointer"] == "/space/parameters/lr/uniform"
    assert client.post("/api/searches/svm-1/trials:suggest", json=ME).status_code == 404
