"""Strike real searches at random moments, resume them until they are done, count what was lost.

    python -m tests.faults.rounds --rounds 200 --seed 0

Each round runs 40 SVMs or 6 ResNets with saved states (under asha or hyperband) on the digits
through the command line. Once or twice it strikes at a seeded moment: it kills (SIGKILL) the
driver, the driver in the middle of a write, a worker, Ray's server (GCS) or its node (raylet); it
sends SIGINT, SIGTERM or SIGHUP to the driver or its process group; or it stops a trial. Between two
runs it may rename the results, go to another working directory, or start two resumes at once, one
of which pauses between reading and locking.

Every round must end as the undisturbed search (`kills/verdict.py`), each run with its exit code,
where Ray died or a signal came within 40 s and with a word on how to resume, and with no process
left. It prints a line per round and a summary; the exit code is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.kills.searches import PATIENCE_S, TRIALS, Calm, Kind, Search, undisturbed
from tests.faults.kills.strikes import KILLED, VICTIMS, Strike
from tests.faults.kills.verdict import differences

GONE_S = 120.0
"""Seconds in which all processes of a killed search must end: two of Ray's agents take a minute
to notice."""
ENDED_S = 40.0
"""Seconds in which a search must end after a signal or the death of Ray. It takes 10 on a quiet
machine, but 30 if Ray was still starting: that is Ray's own patience with its start."""
KINDS: tuple[Kind, ...] = ("svm", "svm", "asha", "hyperband")


@dataclass
class Round:
    """One round: what happened to it, how often it was resumed, and what is wrong."""

    search: Search
    events: list[str] = field(default_factory=list)
    victims: list[str] = field(default_factory=list)
    endings: list[float] = field(default_factory=list)
    kept: int = 0
    resumes: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    processes: dict[int, psutil.Process] = field(default_factory=dict)

    def watch(self, driver: subprocess.Popen[bytes], strike: Strike | None) -> int | None:
        """Strike at a run if there is a strike, wait for its end and return its exit code.

        None if it hung.
        """
        struck = strike is not None and strike.at(self.search, driver)
        begin = time.monotonic()
        try:
            code = driver.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            self.faults.append("the search hung")
            return None
        if strike is None:
            return code
        self.processes |= strike.met
        if struck:
            self.victims.append(strike.victim)
            self.events.append(f"{strike.victim} at {strike.wait_s:.1f} s")
            self._judge(strike, code, time.monotonic() - begin)
        return code

    def _judge(self, strike: Strike, code: int, took_s: float) -> None:
        if code not in strike.expected() | {0}:  # 0: it was done already
            self.faults.append(f"{strike.victim}: exit code {code}")
        elif code and strike.ends_the_search:
            self.endings.append(took_s)
            self.events[-1] += f" (ended in {took_s:.1f} s)"
            if took_s > ENDED_S:
                self.faults.append(f"{strike.victim}: took {took_s:.0f} s to end")
            if "resume it with: python -m tune_mnist resume s" not in self.search.log():
                self.faults.append(f"{strike.victim}: no word on how to resume")

    def race(self, chance: random.Random) -> int | None:
        """Start two resumes at once; return the exit code of the one that ran."""
        self.events.append("two resumes")
        first, second = self.search.resume(chance.uniform(0, 3)), self.search.resume()
        codes = []
        for driver in (first, second):
            code = self.watch(driver, None)
            if code is None:
                return None
            codes.append(code)
        if sorted(codes) not in ([0, 0], [0, 2]):
            self.faults.append(f"two resumes ended with {codes}")
        return min(codes)


def play(
    folder: Path, kind: Kind, calm: Calm, chance: random.Random, plan: tuple[str, ...] = ()
) -> Round:
    """Run one round.

    Args:
        plan: what to strike, one per run of the search; if empty, one or two at random.
    """
    begin = time.monotonic()
    played = Round(Search(folder, kind))
    victims = list(plan) or chance.sample(VICTIMS, k=chance.choice([1, 1, 2]))
    share = 0.7 if kind == "svm" else 0.3  # a scheduler makes the search shorter than the calm one
    strikes = [Strike(victim, chance.uniform(0, share * calm.seconds)) for victim in victims]
    strike = strikes.pop(0)
    code = played.watch(played.search.start(limited="stop" in victims), strike)
    while code is not None:
        ended = len(played.search.ended())
        if code >= 0 and ended >= TRIALS[kind]:
            break
        played.kept = max(played.kept, ended)
        if played.resumes == 10:
            played.faults.append(f"not done after 10 resumes; the last ended with {code}")
            break
        played.resumes += 1
        code = _resume(played, strikes, chance)
    played.faults += differences(calm, played.search)
    played.seconds = time.monotonic() - begin
    return played


def _resume(played: Round, strikes: list[Strike], chance: random.Random) -> int | None:
    if chance.random() < 0.3 and played.search.results.exists():
        if played.victims[-1:] and played.victims[-1] in KILLED:
            psutil.wait_procs(list(played.processes.values()), timeout=10)
        played.events.append(played.search.move(chance))
    if strikes:
        return played.watch(played.search.resume(), strikes.pop(0))
    return (
        played.race(chance) if chance.random() < 0.3 else played.watch(played.search.resume(), None)
    )


def line(number: int, played: Round) -> str:
    """Describe a round in one line."""
    words = f"{played.search.kind}: {', '.join(played.events) or 'no strike'}"
    fault = "; ".join(played.faults) or "nothing lost"
    kept = f"{played.kept} trials kept, {played.resumes} resumes, {played.seconds:.0f} s"
    return f"{number} {words}; {kept}: {fault}"


def left_running(rounds: list[Round]) -> list[str]:
    """Return the names of the processes, of all rounds, that have not ended in time."""
    met = [process for played in rounds for process in played.processes.values()]
    _, alive = psutil.wait_procs(met, timeout=GONE_S)
    return [process.name() for process in alive]


def main() -> int:
    """Run the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="the number of the first round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1, help="rounds that run side by side")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rounds-"))
    calms = {kind: undisturbed(folder / f"calm-{kind}", kind) for kind in KINDS[1:3]}
    calms["hyperband"] = calms["asha"]

    def run(number: int) -> Round:
        chance = random.Random(f"{asked.seed}-{number}")
        kind = chance.choice(KINDS)
        played = play(folder / str(number), kind, calms[kind], chance)
        print(line(number, played), flush=True)
        if not played.faults:
            shutil.rmtree(played.search.results.parent)
        return played

    with ThreadPoolExecutor(asked.at_once) as pool:
        rounds = list(pool.map(run, range(asked.first, asked.first + asked.rounds)))
    return summary(rounds, folder)


def summary(rounds: list[Round], folder: Path) -> int:
    """Print what all rounds were, remove their folder if all is well; return the exit code."""
    victims = Counter(victim for played in rounds for victim in played.victims)
    faulty = sum(bool(played.faults) for played in rounds)
    strikes = ", ".join(f"{count} {victim}" for victim, count in sorted(victims.items()))
    endings = [seconds for played in rounds for seconds in played.endings]
    left = left_running(rounds)
    print(f"{len(rounds)} rounds, {victims.total()} strikes ({strikes}), {faulty} with a fault")
    print(f"after a signal or the death of Ray, ended within {max(endings, default=0):.1f} s")
    print(f"processes left after {GONE_S:g} s: {', '.join(left) or 'none'}")
    if faulty or left:
        print(f"the stores of those rounds are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
