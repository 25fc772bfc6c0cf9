"""The process that serves is killed before any step, and others serve beside it: nothing twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.actions.asking.toy import accuracy, begun, train
from tune_mnist.actions.asking import complete, report, suggest
from tune_mnist.actions.status import check, replay
from tune_mnist.store.proposals import read_list
from tune_mnist.store.reader import read_trials

# Its own process, because pytest has threads and a fork would lose them.
KILLER = """
import os, signal, sys
from pathlib import Path
os.fsync = lambda descriptor: None  # the kernel survives, so what was written is there
import pyarrow
pyarrow.set_cpu_count(1)
from tests.actions.asking.toy import accuracy
from tune_mnist.actions.asking import complete, report, suggest

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "fcntl.flock")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
left = None

def before_each_step(event, args):
    global left
    if left is not None and (event in CHANGES or (event == "open" and (args[2] or 0) & WRITES)):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

def one_trial(root):
    [one] = suggest(root, "s", "a").trials
    value = accuracy(one.config)
    report(root, "s", one.trial, "a", {"step": 1, "val_accuracy": value})
    complete(root, "s", one.trial, "a", {"val_accuracy": value})

sys.addaudithook(before_each_step)
root, kills = Path(sys.argv[1]), 0
while True:
    child = os.fork()
    if child == 0:
        left = kills
        one_trial(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        break
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    kills += 1
print(kills)
"""


def test_a_kill_before_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=None, time_budget_s=3600)
    command = [sys.executable, "-c", KILLER, str(root)]
    done = subprocess.run(command, check=True, timeout=300, stdout=subprocess.PIPE)
    kills = int(done.stdout)
    assert kills > 25
    proposed = [f"{one.number:05d}" for one in read_list(root, "s").proposals]
    rows = read_trials(root, search="s").to_pylist()
    assert [row["trial"] for row in rows] == proposed == [f"{n:05d}" for n in range(len(rows))]
    assert max(Counter(row["config"] for row in rows).values()) == 1
    assert not check(root).contradictions
    assert replay(root, "s").reproduced == len(rows)
    print(f"{kills} kills, {len(rows)} trials")


def test_two_processes_answer_three_clients_alternately(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=12, sampler="tpe")
    handed: list[tuple[str, str]] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as servers:

        def client(name: str) -> None:
            draw = random.Random(name)
            while True:
                told = servers.submit(suggest, root, "s", name).result()
                if told.ended:
                    return
                for one in told.trials:
                    handed.append((one.trial, name))
                    value = accuracy(one.config)
                    measured = {"step": 1, "val_accuracy": value}
                    servers.submit(report, root, "s", one.trial, name, measured).result()
                    times = draw.choice([1, 2])  # a client that has not heard the answer asks again
                    result = {"val_accuracy": value}
                    answers = {
                        servers.submit(complete, root, "s", one.trial, name, result).result()
                        for _ in range(times)
                    }
                    assert [answer.status for answer in answers] == ["completed"]

        clients = [threading.Thread(target=client, args=(name,)) for name in "abc"]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
    assert max(Counter(trial for trial, _ in handed).values()) == 1
    rows = read_trials(root, search="s").to_pylist()
    assert sorted(row["trial"] for row in rows) == [f"{n:05d}" for n in range(12)]
    assert not check(root).contradictions
    assert replay(root, "s").reproduced == 12


def test_threads_of_one_process_are_clients_too(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=10, max_concurrent=3)
    threads = [threading.Thread(target=train, args=(root, f"client-{n}")) for n in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    train(root, "last")  # a thread whose turn never came has stopped asking
    rows = read_trials(root, search="s").to_pylist()
    assert len({json.dumps(row["config"]) for row in rows}) == len(rows) == 10
    assert not check(root).contradictions
