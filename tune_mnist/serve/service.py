"""What the answers are made of: the store, the submissions, and who begins what was submitted."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from tune_mnist.actions.service.bodies import Offered
from tune_mnist.actions.service.dispatcher import Dispatcher
from tune_mnist.actions.service.states import Known, known_search, known_searches
from tune_mnist.actions.service.submissions import Submission, Submissions
from tune_mnist.serve.paging import json_values
from tune_mnist.serve.problems import ProblemError
from tune_mnist.serve.resources import Search, search_of
from tune_mnist.serve.tables import Tables
from tune_mnist.store.catalog import has_search
from tune_mnist.store.files.place import is_address, opened
from tune_mnist.winner import best_first

_FRESH_S = 1.0
"""So old may the copy of a store far away be."""


@dataclass
class Service:
    """A service that runs; its endpoints get it as a dependency (`service_of`).

    Args:
        offered: where searches run.
        dispatcher: begins what was submitted; None for a service that only reads.
    """

    offered: Offered
    dispatcher: Dispatcher | None = None
    tables: Tables = field(default_factory=Tables)
    _root: Path | None = None
    _looked: float = 0.0
    _submissions: Submissions | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        """The store's folder; of a store at an address, its copy, at most a second old."""
        with self._guard:
            now = time.monotonic()
            old = is_address(self.offered.results) and now - self._looked > _FRESH_S
            if self._root is None or old:
                self._root = opened(self.offered.results, self.offered.s3_endpoint)
                self._looked = now
            return self._root

    @property
    def submissions(self) -> Submissions:
        """What was submitted."""
        root = self.root
        with self._guard:
            if self._submissions is None:
                self._submissions = Submissions(root)
            return self._submissions

    def submission(self, search: str) -> Submission | None:
        """Return a search's submission; None if it has none.

        Args:
            search: a name that a search can have.
        """
        try:
            return self.submissions.read(search)
        except FileNotFoundError:
            return None

    def known(self, search: str) -> Known:
        """Return what is known of a search. Raises: ProblemError: 404, there is none."""
        submission, root = self.submission(search), self.root
        if submission is None and not has_search(root, search):
            raise ProblemError(404, f"there is no search {search[:100]!r}")
        rows = partial(self.tables.rows, root, "trials", search)
        return known_search(root, search, submission, rows)

    def state(self, search: str) -> str:
        """Return what a search is doing; "DELETED" if it is gone."""
        try:
            return self.known(search).state
        except ProblemError:
            return "DELETED"

    def all_known(self) -> dict[str, Known]:
        """Return what is known of every search, by name."""
        return known_searches(self.root, self.submissions.all())

    def search(self, known: Known) -> Search:
        """Return a search as it is answered, with its winner so far."""
        return search_of(known, self._best(known))

    def look(self) -> None:
        """Let what was submitted begin now."""
        if self.dispatcher is not None:
            self.dispatcher.look()

    def _best(self, known: Known) -> dict[str, Any] | None:
        if known.record is None or not known.counts:
            return None
        rows = self.tables.rows(self.root, "trials", known.search)
        first = best_first(rows, known.record.goal).slice(0, 1)
        if not len(first) or not first["can_win"][0].as_py():
            return None
        [row] = json_values(first)
        return row


def service_of(request: Request) -> Service:
    """Return the service that answers a request: a dependency of FastAPI."""
    service: Service = request.app.state.service
    return service


def answered(
    request: Request, content: BaseModel | bytes, media: str = "application/json"
) -> Response:
    """Return an answer with its ETag, or 304 if the client has it already."""
    body = content if isinstance(content, bytes) else content.model_dump_json().encode()
    return tagged(request, hashlib.sha256(body).hexdigest()[:32], lambda: body, media)


def tagged(request: Request, tag: str, body: Callable[[], bytes], media: str) -> Response:
    """Return an answer with this ETag; its body is made only if the client has not got it."""
    etag = f'"{tag}"'
    given = [
        one.strip().removeprefix("W/")
        for one in request.headers.get("if-none-match", "").split(",")
    ]
    if etag in given or "*" in given:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body(), media_type=media, headers={"ETag": etag, "Vary": "Accept"})


def tag_of(*parts: object) -> str:
    """Return the ETag of an answer that is made of these parts."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]
