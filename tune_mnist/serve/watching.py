"""Looks at the store for all event streams together, and wakes those that have something new."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tune_mnist.serve.service import Service
from tune_mnist.serve.tables import Key

LOOK_EVERY_S = 0.5


class Watching:
    """Knows of each watched search when its rows or its state have changed.

    A thousand streams on one search cost one look.

    Args:
        service: whose store is looked at.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watched: Counter[str] = Counter()
        self._seen: dict[str, tuple[Key, str]] = {}
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watched(self, search: str) -> AsyncIterator[None]:
        """Watch a search during the block."""
        self._watched[search] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            self._watched[search] -= 1
            if not self._watched[search]:
                del self._watched[search]
                self._seen.pop(search, None)

    async def change(self, search: str, seen: tuple[Key, str] | None) -> tuple[Key, str]:
        """Wait until a search is no longer as it was seen; return how it is."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._seen.get(search) not in (None, seen))
            return self._seen[search]

    async def _look_on(self) -> None:
        while self._watched:
            try:
                found = await asyncio.to_thread(self._look, list(self._watched))
            except Exception:  # the store is away for a moment; the next look says so if it stays
                found = {}
            if any(self._seen.get(search) != now for search, now in found.items()):
                async with self._changed:
                    self._seen.update(found)
                    self._changed.notify_all()
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self, searches: list[str]) -> dict[str, tuple[Key, str]]:
        found = {}
        for search in searches:
            state = self._service.state(search)  # first: all rows of one that has ended are there
            key = self._service.tables.key(self._service.root, "trials", search)
            found[search] = key, state
        return found
