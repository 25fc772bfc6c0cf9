"""What happens to a search: a process killed or stopped, or a signal.

Ray's memory monitor is not among it: it looks at the memory of the whole machine, so whatever else
runs there would decide what is struck (tests/searching/test_memory.py starves trials).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field

import psutil

from tests.faults.kills.searches import Search

KILLED = ("driver", "write")
SERVERS = ("gcs_server", "raylet")
SIGNALS = tuple(f"SIG{name}{to}" for name in ("INT", "TERM", "HUP") for to in ("", " group"))
VICTIMS = (*KILLED, "worker", *SERVERS, "stop", *SIGNALS)


@dataclass
class Strike:
    """One strike at a running search.

    Args:
        victim: what is struck.
        wait_s: seconds to wait after there is something to lose; a write or a worker is the next.
    """

    victim: str
    wait_s: float
    met: dict[int, psutil.Process] = field(default_factory=dict)

    def at(self, search: Search, driver: subprocess.Popen[bytes]) -> bool:
        """Strike at the moment; return False if the search ended before."""
        begin: float | None = None
        while driver.poll() is None:
            if begin is None:
                begin = time.monotonic() if search.begun() else None
                self.met.update({process.pid: process for process in family(driver)})
            elif time.monotonic() - begin >= self.wait_s and self._strike(search, driver):
                return True
            if self.victim != "write":
                time.sleep(0.005)  # a write takes milliseconds, so there we look without a pause
        return False

    def _strike(self, search: Search, driver: subprocess.Popen[bytes]) -> bool:
        if self.victim == "driver":
            driver.kill()
            return True
        if self.victim == "write":
            if (search.results / ".writers" / "s" / "aside").exists():
                driver.kill()
                return True
            return False
        processes = family(driver)
        self.met.update({process.pid: process for process in processes})
        if self.victim in SIGNALS:
            if not processes:  # Python is starting
                return False
            sent = signal.Signals[self.victim.removesuffix(" group")]
            (os.killpg if self.victim.endswith("group") else os.kill)(driver.pid, sent)
            return True
        return self._strike_one(processes)

    def _strike_one(self, processes: list[psutil.Process]) -> bool:
        """Strike at a server of Ray or at a process that trains."""
        wanted = self.victim if self.victim in SERVERS else "ray::ImplicitFunc"
        for process in processes:
            try:
                if process.name().startswith(wanted[:15]):
                    if self.victim == "stop":
                        process.suspend()
                    else:
                        process.kill()
                    return True
            except psutil.NoSuchProcess:
                continue
        return False

    def expected(self) -> set[int]:
        """Return the exit codes with which the search may end."""
        if self.victim in KILLED:
            return {-signal.SIGKILL}
        if self.victim in SERVERS:
            return {2}
        if self.victim in SIGNALS:
            return {128 + signal.Signals[self.victim.removesuffix(" group")]}
        return {0}

    @property
    def ends_the_search(self) -> bool:
        """Whether it must end within seconds, and say how it is resumed."""
        return self.victim in (*SERVERS, *SIGNALS)


def family(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the driver's descendants: Ray's servers and the workers."""
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
