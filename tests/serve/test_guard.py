"""Hosts, origins, tokens, sizes and rates: refused before anything is read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import HERE, client_of
from tune_mnist.errors import InputError
from tune_mnist.serve import guard
from tune_mnist.serve.guard import CHANGES_AT_ONCE, MOST_BYTES, MOST_URL, Access
from tune_mnist.serve.logs import JsonLines
from tune_mnist.serve.request import ServeRequest, offered_data, tokens

BODY = {"space": "svm", "dataset": "digits"}


@pytest.fixture
def guarded(results: Path) -> Iterator[TestClient]:
    with client_of(results, Access({HERE}, submit="write-me", read="read-me")) as asking:
        yield asking


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_page_that_calls_this_machine_by_its_own_name_is_refused(client: TestClient) -> None:
    for host in ("evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:8081", ""):
        answer = client.get("/api/searches", headers={"Host": host})
        assert (answer.status_code, answer.json()["status"]) == (421, 421)


def test_a_page_of_another_origin_is_refused(client: TestClient) -> None:
    for origin in ("http://evil.example", "null", "https://127.0.0.1:8080", "http://127.0.0.1"):
        answer = client.put("/api/searches/new", json=BODY, headers={"Origin": origin})
        assert answer.status_code == 403
    same = client.put("/api/searches/new", json=BODY, headers={"Origin": f"http://{HERE}"})
    assert same.status_code == 201


def test_without_a_token_nothing_is_said(guarded: TestClient) -> None:
    for path in ("/api/searches", "/metrics", "/api/openapi.json", "/api/searches/svm-1/trials"):
        answer = guarded.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    wrong = ("", "write-m", "write-me2", "é", "read-me write-me")
    for token in wrong:
        headers = {b"Authorization": f"Bearer {token}".encode()}
        assert guarded.get("/api/searches", headers=headers).status_code == 401
    assert guarded.get("/api/searches", headers={"Authorization": "Basic x"}).status_code == 401
    assert guarded.get("/healthz").status_code == 200


def test_a_token_that_may_read_changes_nothing(guarded: TestClient) -> None:
    assert guarded.get("/api/searches", headers=bearer("read-me")).status_code == 200
    for call in (
        guarded.put("/api/searches/new", json=BODY, headers=bearer("read-me")),
        guarded.post("/api/searches/svm-1:stop", headers=bearer("read-me")),
        guarded.delete("/api/searches/svm-1", headers=bearer("read-me")),
    ):
        assert call.status_code == 403
    assert guarded.get("/api/searches/svm-1", headers=bearer("read-me")).status_code == 200


def test_a_token_that_may_submit_does_all(guarded: TestClient) -> None:
    answer = guarded.put("/api/searches/new", json=BODY, headers=bearer("write-me"))
    assert answer.status_code == 201
    assert guarded.delete("/api/searches/new", headers=bearer("write-me")).status_code == 204


def test_a_body_or_an_address_that_is_too_long_is_refused(client: TestClient) -> None:
    long = json.dumps({**BODY, "name": "x" * MOST_BYTES})
    headers = {"content-type": "application/json"}
    assert client.put("/api/searches/new", content=long, headers=headers).status_code == 413
    chunks = (long[at : at + 10_000].encode() for at in range(0, len(long), 10_000))
    assert client.put("/api/searches/new", content=chunks, headers=headers).status_code in (
        400,
        413,
    )
    assert client.get(f"/api/searches?filter={'x' * MOST_URL}").status_code == 414
    assert client.get("/api/searches/new").status_code == 404


def test_a_client_that_changes_too_much_has_to_wait(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(guard, "monotonic", lambda: clock[0])
    codes = [client.delete("/api/searches/nope").status_code for _ in range(CHANGES_AT_ONCE + 50)]
    assert codes == [404] * CHANGES_AT_ONCE + [429] * 50
    refused = client.delete("/api/searches/nope")
    assert refused.headers["retry-after"] == "1"
    assert client.get("/api/searches").status_code == 200
    clock[0] += 1
    assert client.delete("/api/searches/nope").status_code == 404


def test_every_answer_has_the_headers_that_browsers_obey(client: TestClient) -> None:
    for path in ("/api/searches", "/nope", "/healthz"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]


def test_each_request_is_a_line_of_json_without_secrets(
    guarded: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tune_mnist.serve.guard")
    guarded.get("/api/searches", headers={**bearer("write-me"), "X-Request-Id": "mine"})
    [record] = [one for one in caplog.records if one.name == "tune_mnist.serve.guard"]
    line = json.loads(JsonLines().format(record))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/searches", 200)
    assert "write-me" not in json.dumps(line)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "service.example"])
def test_off_loopback_a_token_is_needed(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNE_MNIST_TOKEN", raising=False)
    with pytest.raises(InputError, match="no token is set"):
        tokens(ServeRequest(host=host))
    file = tmp_path / "token"
    file.write_text("secret\n")
    assert tokens(ServeRequest(host=host, token_file=file)) == ("secret", None)
    file.write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        tokens(ServeRequest(token_file=file))
    assert tokens(ServeRequest(host="127.0.0.1")) == (None, None)


def test_data_sets_are_offered_by_name(tmp_path: Path) -> None:
    assert offered_data(ServeRequest(data=(f"cats={tmp_path}",))) == {"cats": str(tmp_path)}
    for wrong in ("cats", "=x", "cats=", f"cats={tmp_path}/nope"):
        with pytest.raises(InputError, match="`data`"):
            offered_data(ServeRequest(data=(wrong,)))
