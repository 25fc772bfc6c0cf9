"""A real service in a process of its own, and a client of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

PATIENCE_S = 180.0


@dataclass
class Running:
    """A service on a store, which is started, killed and started again."""

    results: Path
    options: tuple[str, ...] = ()
    address: str = ""
    process: subprocess.Popen[str] | None = None
    children: dict[int, psutil.Process] = field(default_factory=dict)

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "tune_mnist", "serve", "--port", "0"),
            *("--results", str(self.results), "--gpus", "0", *self.options),
        ]
        with (self.results.parent / "service.log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().removeprefix("listening on ")
        wait_for(lambda: self.get("/healthz").status_code == 200)

    def kill(self) -> None:
        """SIGKILL it; its searches go on."""
        assert self.process is not None
        self.remember()
        self.process.kill()
        self.process.communicate()

    def end(self) -> int:
        """End it with SIGTERM, and whatever it has started; return its exit code."""
        assert self.process is not None
        self.remember()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        code = self.process.returncode
        for child in self.children.values():
            if child.is_running():
                os.kill(child.pid, signal.SIGTERM)
        psutil.wait_procs(list(self.children.values()), timeout=30)
        return code

    def remember(self) -> None:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            self.children[child.pid] = child

    def get(self, path: str, **how: Any) -> httpx2.Response:
        return httpx2.get(f"{self.address}{path}", timeout=60, **how)

    def put(self, path: str, body: Any, **how: Any) -> httpx2.Response:
        return httpx2.put(f"{self.address}{path}", json=body, timeout=60, **how)

    def post(self, path: str, body: Any = None) -> httpx2.Response:
        return httpx2.post(f"{self.address}{path}", json=body or {}, timeout=60)

    def search(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/searches/{name}").json()
        return found

    def until(self, name: str, *states: str) -> dict[str, Any]:
        """Wait until a search is in one of these states; return it."""
        wait_for(lambda: self.search(name)["state"] in states)
        return self.search(name)

    def events(self, name: str, last: str = "") -> Iterator[tuple[str, str, Any]]:
        """Yield the id, the name and the data of each event until the search has ended."""
        headers = {"Last-Event-ID": last} if last else {}
        path = f"{self.address}/api/searches/{name}/events"
        with httpx2.stream("GET", path, headers=headers, timeout=PATIENCE_S) as answer:
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if key:
                    event[key] = value
                elif "data" in event:
                    yield event["id"], event["event"], json.loads(event["data"])
                    event = {}


def wait_for(holds: Any) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)
