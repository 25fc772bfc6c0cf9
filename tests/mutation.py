"""Change the code a little, many times, and count how often the tests of its room notice.

    python -m tests.mutation --rooms store spaces --sample 40 --seed 0        # or: make mutate

Cosmic Ray makes the mutants: a comparison flipped, a number changed by one, an operator exchanged,
a loop that runs zero times. All work is done on a copy of the tree, so no mutant can stay behind.
For each room, its tests run once under coverage. They must pass; those that start Ray or compute
for more than 3 s are left out. Each sampled mutant then runs the tests that reach its lines, in a
fork of a process that has imported the libraries already. Survivors are printed as diffs.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT = Path(__file__).parents[1]
SLOW_S = 3.0
"""Tests that compute for longer are left out, in seconds of processor time."""
TIMEOUT_S = 600.0
"""A mutant whose tests have not ended by then counts as noticed: it loops for ever."""
COMPILED = "compiled"
"""What stands in every file that holds compiled code or decides how it is compiled."""
COMPILED_MOST = 2
"""Mutants of each such file: everything is compiled anew for each."""
Answer = tuple[int, list[str], list[str]]
"""Pytest's exit code, the tests that failed, and those that passed fast enough to be used."""


@dataclass(frozen=True)
class Room:
    """A folder of the package.

    Args:
        tests: the folders whose tests concern it.
        left_out: folders inside it that are not changed.
        ray: whether tests may start Ray.
    """

    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    ray: bool = False


ROOMS = {
    "store": Room(("store",)),
    "searching": Room(("searching",), left_out=("on_ray",)),
    "searching/on_ray": Room(("searching/on_ray",), ray=True),
    "spaces": Room(("spaces",)),
    "analysis": Room(("analysis", "figures")),
    "training/svm": Room(("training/svm",)),
}
BY_DEFAULT = tuple(name for name in ROOMS if name != "searching/on_ray")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: its place is a line and a column."""

    file: Path
    place: tuple[int, int]
    operator: str
    occurrence: int

    def code(self, source: str) -> str:
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        assert changed is not None
        return str(changed)


class Watch:
    """A pytest plugin: notes how long each test computes, and skips those that start Ray."""

    def __init__(self, ray: bool) -> None:
        self.ray = ray
        self.seconds: dict[str, float] = defaultdict(float)
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_collection_modifyitems(self) -> None:
        """By now a conftest may have imported Ray."""
        if not self.ray and "ray" in sys.modules:
            sys.modules["ray"].init = lambda *_, **__: pytest.skip("starts Ray")  # type: ignore[attr-defined]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        start = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - start
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    @property
    def used(self) -> list[str]:
        return [
            name for name, took in self.seconds.items() if name in self.passed and took < SLOW_S
        ]


def run_pytest(tree: Path, arguments: Sequence[str], ray: bool, answer: Connection) -> None:
    """Run pytest in this process, a fork, and send its answer."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = str(tree)
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "tune_mnist")]:
        del sys.modules[name]
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    watch = Watch(ray)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments], [watch])
    answer.send((int(code), sorted(watch.failed), watch.used))
    os._exit(0)


def import_libraries(folders: Sequence[str]) -> None:
    """Import all that the tests import, so that no fork has to; this starts no thread."""
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", *folders])


def forked(tree: Path, arguments: Sequence[str], ray: bool) -> Answer | None:
    """Run pytest in a fork; None if it did not end, or died."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=run_pytest, args=(tree, arguments, ray, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(TIMEOUT_S) else None
    except EOFError:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid or 0, 9)
        child.join()


def tests_by_line(tree: Path, room: Room) -> tuple[list[str], dict[tuple[str, int], set[str]]]:
    """Run a room's tests once; return those to use, and which of them reach a line of a file."""
    data = tree / ".coverage"
    data.unlink(missing_ok=True)
    folders = [f"tests/{folder}" for folder in room.tests]
    import_libraries(folders)
    done = forked(
        tree, ["--cov=tune_mnist", "--cov-report=", "--cov-context=test", *folders], room.ray
    )
    if done is None or done[1]:
        raise SystemExit(f"the tests of {', '.join(folders)} fail unchanged: {done}")
    used = set(done[2])
    covered = CoverageData(str(data))
    covered.read()
    reach: dict[tuple[str, int], set[str]] = {}
    for file in covered.measured_files():
        for line, contexts in covered.contexts_by_lineno(file).items():
            reach[str(Path(file).resolve()), line] = _named(contexts, used)
    return sorted(used), reach


def _named(contexts: Sequence[str], used: set[str]) -> set[str]:
    """Return the tests of coverage's contexts; what a set-up reaches concerns its whole file."""
    named: set[str] = set()
    for context in contexts:
        test, _, phase = context.partition("|")
        if phase == "run":
            named |= {test} & used
        elif phase == "setup":
            file = test.partition("::")[0]
            named |= {one for one in used if one.partition("::")[0] == file}
    return named


def mutants(file: Path) -> Iterator[Mutant]:
    """Return every mutant of a file."""
    nodes = list(ast_nodes(get_ast(file.read_text("utf-8"))))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():
            continue
        places = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, place in enumerate(places):
            yield Mutant(file, place, name, occurrence)


def is_change(mutant: Mutant) -> bool:
    """Whether it compiles and changes more than an annotation."""
    source = mutant.file.read_text("utf-8")
    try:
        return _meaning(mutant.code(source)) != _meaning(source)
    except SyntaxError:
        return False


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def sample(files: Sequence[Path], size: int, seed: int) -> list[Mutant]:
    """Choose mutants in turn from every file, at most one for a place in the code."""
    chance = random.Random(seed)
    queues: list[Iterator[Mutant]] = []
    for file in sorted(files):
        places: dict[tuple[int, int], list[Mutant]] = defaultdict(list)
        for mutant in mutants(file):
            places[mutant.place].append(mutant)
        queue = [chance.choice(places[place]) for place in sorted(places)]
        chance.shuffle(queue)
        is_compiled = COMPILED in file.read_text("utf-8")
        queues.append(islice(filter(is_change, queue), COMPILED_MOST if is_compiled else None))
    chance.shuffle(queues)
    in_turn = chain.from_iterable(zip_longest(*queues))
    return list(islice((one for one in in_turn if one is not None), size))


def is_noticed(tree: Path, mutant: Mutant, tests: Sequence[str], room: Room) -> bool:
    source = mutant.file.read_text("utf-8")
    forget_compiled(tree, source)
    try:
        mutant.file.write_text(mutant.code(source), "utf-8")
        done = forked(tree, ["-x", *tests], room.ray)
    finally:
        mutant.file.write_text(source, "utf-8")
        forget_compiled(tree, source)
    return done is None or done[0] != 0


def forget_compiled(tree: Path, source: str) -> None:
    """Remove Numba's cache if the file is compiled: callers in other files hold the old code."""
    if COMPILED in source:
        for cached in tree.rglob("*.nb[ic]"):
            cached.unlink()


def judge(tree: Path, name: str, size: int, seed: int) -> tuple[int, int]:
    """Judge a room; print its survivors, and return how many mutants were noticed, of how many."""
    room, folder = ROOMS[name], tree / "tune_mnist" / name
    out = [folder / one for one in room.left_out]
    files = [f for f in folder.rglob("*.py") if not any(f.is_relative_to(one) for one in out)]
    used, reach = tests_by_line(tree, room)
    chosen, noticed = sample(files, size, seed), 0
    for number, mutant in enumerate(chosen, 1):
        key = str(mutant.file.resolve()), mutant.place[0]
        # What runs at import, or is compiled, is reached by no test that coverage can name.
        tests = sorted(reach.get(key, ())) or used
        killed = is_noticed(tree, mutant, tests, room)
        noticed += killed
        where = f"{mutant.file.relative_to(tree)}:{mutant.place[0]}"
        verdict = "noticed" if killed else "SURVIVED"
        print(f"{name} {number}/{len(chosen)} {verdict} {where} {mutant.operator[5:]}", flush=True)
        if not killed:
            print(_diff(mutant), flush=True)
    print(f"{name}: {noticed} of {len(chosen)} noticed ({noticed / len(chosen):.0%})", flush=True)
    return noticed, len(chosen)


def _diff(mutant: Mutant) -> str:
    source = mutant.file.read_text("utf-8")
    lines = difflib.unified_diff(
        source.splitlines(), mutant.code(source).splitlines(), n=0, lineterm=""
    )
    return "\n".join(f"    {line}" for line in list(lines)[2:])


def copied(folder: Path) -> Path:
    """Copy the tree, without what git ignores or tests do not need."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "images", "benchmarks")
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=ignored))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=BY_DEFAULT)
    parser.add_argument("--sample", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that fork and copy are removed
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = copied(Path(folder))
        found = [judge(tree, name, arguments.sample, arguments.seed) for name in arguments.rooms]
    noticed, of = (sum(column) for column in zip(*found, strict=True))
    print(f"all: {noticed} of {of} noticed ({noticed / of:.0%})")


if __name__ == "__main__":
    main()
