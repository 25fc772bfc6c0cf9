"""The Python client: what it asks for, what it raises, and what it repeats."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from tune_mnist import Client, InputError
from tune_mnist import client as client_module

BODY = {"space": "svm", "dataset": "digits", "trials": 3}


@pytest.fixture
def asking(client: TestClient) -> Client:
    return Client("http://127.0.0.1:8080", http=client)


def served(answers: list[Any]) -> tuple[Client, list[httpx2.Request]]:
    """Return a client of a service that gives these answers in turn, and what it was asked."""
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        response: httpx2.Response = given
        return response

    transport = httpx2.MockTransport(answer)
    http = httpx2.Client(transport=transport, base_url="http://service")
    return Client("http://service", token="mine", http=http), asked


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_WAIT_S", 0.0)


def test_a_search_is_submitted_found_stopped_and_deleted(asking: Client) -> None:
    made = asking.submit(BODY, "new")
    assert (made.id, made.state, made.asked) == ("new", "PENDING", BODY)
    assert asking.submit(BODY, "new") == made == asking.search("new")
    assert [one.id for one in asking.searches("state=PENDING")] == ["new"]
    assert asking.stop("new").state == "STOPPED"
    assert asking.resume("new", {"trials": 5}).state == "PENDING"
    asking.delete("new")
    with pytest.raises(InputError, match="there is no search 'new'"):
        asking.search("new")


def test_a_search_without_a_name_gets_one(asking: Client) -> None:
    assert asking.search(asking.submit(BODY).id).state == "PENDING"


def test_trials_are_read_ranked_and_followed(asking: Client) -> None:
    trials = [f"{number:05d}" for number in range(5)]
    assert [row["trial"] for row in asking.rows("svm-1")] == trials
    assert [row["trial"] for row in asking.rows("svm-1", "C>2", "C desc")] == trials[:2:-1]
    assert [row["trial"] for row in asking.leaderboard("svm-1", 1)] == ["00001"]
    assert [row["trial"] for row in asking.trials_of("svm-1")] == trials
    assert asking.wait("svm-1").state == "SUCCEEDED"


def test_what_is_refused_names_the_field(asking: Client) -> None:
    own = {"model": "svm", "dataset": "digits", "parameters": {"gama": 1}}
    with pytest.raises(InputError, match=r"`space`: parameters\.gama: not a parameter of svm; did"):
        asking.submit({"space": own})
    with pytest.raises(InputError, match="`trials`"):
        asking.submit({**BODY, "trials": 0})


def test_a_call_is_repeated_while_the_service_is_away_or_busy() -> None:
    lost, busy = httpx2.ConnectError("refused"), httpx2.Response(503, json={})
    good = httpx2.Response(200, json={"order": "", "rows": [{"rank": 1}]})
    client, asked = served([lost, busy, httpx2.Response(429), good])
    assert client.leaderboard("one") == [{"rank": 1}]
    assert len(asked) == 4
    assert {one.headers["authorization"] for one in asked} == {"Bearer mine"}


def test_a_service_that_stays_away_is_one_line() -> None:
    client, _ = served([httpx2.ConnectError("refused") for _ in range(5)])
    with pytest.raises(InputError, match="http://service: cannot be reached: refused; check"):
        client.search("one")


def test_a_stream_that_breaks_is_continued_where_it_was(asking: Client) -> None:
    def events(*numbers: int) -> str:
        lines = (f'event: trial\ndata: {{"trial": {n}}}\nid: {n}\n\n' for n in numbers)
        return "".join(lines)

    class Broken(httpx2.SyncByteStream):
        def __iter__(self) -> Any:
            yield events(1, 2).encode()
            raise httpx2.ReadError("lost")

    ended = asking.search("svm-1").model_dump_json()
    client, asked = served(
        [
            httpx2.Response(200, stream=Broken()),
            httpx2.Response(200, text=events(3)),
            httpx2.Response(200, text=ended),
        ]
    )
    assert [one["trial"] for one in client.trials_of("one")] == [1, 2, 3]
    assert asked[1].headers["last-event-id"] == "2"


def test_a_downloaded_model_stays_in_its_folder(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("m/README.md", "m/in/model.skops", "m/../../evil", "/m/evil2"):
            file.writestr(name, name)
    client, _ = served([httpx2.Response(200, content=packed.getvalue())])
    out = client.download_model("one", tmp_path / "deep" / "model")
    found = sorted(
        str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()
    )
    assert found == ["deep/model/README.md", "deep/model/in/model.skops", "deep/model/m/evil2"]
    with pytest.raises(InputError, match="exists already"):
        client.download_model("one", out)
