"""A client of a service: submit searches there, watch them, and take the winner home.

    with Client("http://127.0.0.1:8080") as client:
        search = client.submit({"space": "which", "dataset": "digits", "trials": 12})
        for trial in client.trials_of(search.id):
            print(trial["val_accuracy"])

Every call may be repeated without doing anything twice, so a call whose answer is lost is repeated
by itself.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx2

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.serve.request import TOKEN
from tune_mnist.serve.resources import RUNNING, Ranking, Search

_TRIES = 5
_WAIT_S = 0.5
_TIMEOUT_S = 60.0
_AGAIN = (429, 502, 503, 504)


class Client:
    """Asks a service.

    Args:
        address: of the service, for example http://127.0.0.1:8080.
        token: that may submit or read; None takes the environment variable TUNE_MNIST_TOKEN.
        http: a client of HTTP to use instead of one of our own.
    """

    def __init__(
        self, address: str, token: str | None = None, http: httpx2.Client | None = None
    ) -> None:
        self.address = address.rstrip("/")
        token = token or os.environ.get(TOKEN)
        self._http = http or httpx2.Client(base_url=self.address, timeout=_TIMEOUT_S)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, body: Mapping[str, Any], name: str | None = None) -> Search:
        """Submit a search.

        Args:
            body: what `POST /api/searches` takes, for example {"space": "which", "trials": 12}.
            name: of the search; None makes one. The same call again with the same name and body
                changes nothing.

        Raises: InputError: the service refuses it, with a fault for each value, or is not reached.
        """
        name = (
            name or f"search-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        )
        return self._search(self._call("PUT", _path(name), body))

    def search(self, name: str) -> Search:
        """Return a search. Raises: InputError: there is none of this name."""
        return self._search(self._call("GET", _path(name)))

    def searches(self, filter: str = "", order_by: str = "") -> Iterator[Search]:
        """Yield all searches.

        Args:
            filter: conditions that all must hold, for example "state=RUNNING dataset=digits".
            order_by: columns, for example "submitted desc".

        Raises: InputError: one of them cannot be used.
        """
        for page in self._pages("/api/searches", filter, order_by):
            yield from map(Search.model_validate, page["searches"])

    def rows(self, name: str, filter: str = "", order_by: str = "") -> Iterator[dict[str, Any]]:
        """Yield the finished trials of a search as rows of the store; args as `searches`."""
        for page in self._pages(f"{_path(name)}/trials", filter, order_by):
            yield from page["rows"]

    def leaderboard(self, name: str, top: int = 20) -> list[dict[str, Any]]:
        """Return the best trials of a search, the best first."""
        answer = self._call("GET", f"{_path(name)}/leaderboard?top={top}")
        return Ranking.model_validate_json(answer.content).rows

    def trials_of(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the trials of a search as they finish, until it ends; a lost connection is renewed.

        Raises: InputError: there is no such search, or the service cannot be reached.
        """
        sent, left = 0, _TRIES
        while True:
            try:
                for number, event, data in self._events(name, sent):
                    sent, left = number, _TRIES
                    if event == "trial":
                        yield data
                if self.search(name).state not in RUNNING:
                    return
            except httpx2.TransportError as error:
                left -= 1
                if not left:
                    raise self._unreachable(error) from error
            time.sleep(_WAIT_S)

    def wait(self, name: str) -> Search:
        """Wait until a search has ended, and return it."""
        for _ in self.trials_of(name):
            pass
        return self.search(name)

    def stop(self, name: str) -> Search:
        """Stop a search; what has finished is kept."""
        return self._search(self._call("POST", f"{_path(name)}:stop"))

    def resume(self, name: str, body: Mapping[str, Any] | None = None) -> Search:
        """Resume a search, perhaps with more `trials` or `time_budget_s`."""
        return self._search(self._call("POST", f"{_path(name)}:resume", body or {}))

    def confirm(self, name: str, body: Mapping[str, Any] | None = None) -> Search:
        """Run the best trials of a search again on fresh seeds; return that confirmation."""
        return self._search(self._call("POST", f"{_path(name)}:confirm", body or {}))

    def delete(self, name: str) -> None:
        """Remove a search that has ended, with its trials and models."""
        self._call("DELETE", _path(name))

    def download_model(self, name: str, out: Path, trial: str = "winner") -> Path:
        """Write a trial's saved model into a folder, as `model export` does.

        Args:
            name: of the search.
            out: the folder; it must not exist yet.
            trial: whose model.

        Raises: InputError: there is no such model, or the folder exists.
        """
        if out.exists():
            raise input_error(out, "exists already", "name a folder that does not")
        answer = self._call("GET", f"{_path(name)}/models/{quote(trial, safe='')}")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            for one in packed.infolist():
                parts = Path(one.filename).parts[1:]
                if not parts or ".." in parts or one.is_dir():
                    continue
                target = out.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.read(one))
        return out

    def _events(self, name: str, sent: int) -> Iterator[tuple[int, str, Any]]:
        """Yield the id, the name and the data of each event after those that were sent."""
        headers = {"Last-Event-ID": str(sent)} if sent else {}
        with self._http.stream("GET", f"{_path(name)}/events", headers=headers) as answer:
            if answer.status_code not in (200, 204):
                answer.read()
                raise _refused(answer)
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if line and key:
                    event[key] = value
                elif "data" in event:
                    yield int(event["id"]), event["event"], json.loads(event["data"])
                    event = {}

    def _pages(self, path: str, filter: str, order_by: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            query = {"filter": filter, "order_by": order_by, "page_token": token, "page_size": 500}
            page = self._call("GET", path, query=query).json()
            yield page
            token = page["next_page_token"]
            if not token:
                return

    def _call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        """Call the service, again if it is away or busy. Raises: InputError: it refuses."""
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, path, json=body, params=query)
            except httpx2.TransportError as error:
                if not left:
                    raise self._unreachable(error) from error
            else:
                if answer.status_code not in _AGAIN or not left:
                    if answer.is_success:
                        return answer
                    raise _refused(answer)
            time.sleep(_WAIT_S * (_TRIES - left))
        raise AssertionError  # the last try returns or raises

    def _search(self, answer: httpx2.Response) -> Search:
        return Search.model_validate_json(answer.content)

    def _unreachable(self, error: Exception) -> InputError:
        problem = f"cannot be reached: {error}"
        return input_error(self.address, problem, "check that the service runs there")


def _path(name: str) -> str:
    return f"/api/searches/{quote(name, safe='')}"


def _refused(answer: httpx2.Response) -> InputError:
    """Return the error that a problem describes: a fault for each value that is wrong."""
    try:
        problem = answer.json()
        wrong = [(one["pointer"], one["detail"], one["fix"]) for one in problem["errors"]]
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        wrong, detail = [], f"answers {answer.status_code}"
    if not wrong:
        return input_error(str(answer.request.url), detail, "see the service's guide")
    faults = []
    for pointer, said, fix in wrong:
        first, *rest = pointer.strip("/").split("/")
        faults.append(Fault(f"`{first}`" if first else "the request", ".".join(rest), said, fix))
    return InputError(faults)
