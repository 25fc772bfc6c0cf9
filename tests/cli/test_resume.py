"""`status`, `resume` and `replay` as a person types them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, trial
from tune_mnist.cli import run
from tune_mnist.cli.shown import resume_command
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

RECORD = SearchRecord(
    space={"name": "svm"}, dataset="digits", trials=3, started="2026-11-24T20:00:00+00:00"
)


def states(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["status", "--results", str(folder)]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[1:]]


def test_status_tells_done_interrupted_and_running_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, reason in (("a", "done"), ("b", None), ("c", "time budget")):
        with Writer(tmp_path, name, PARAMETERS) as writer:
            writer.write_search(RECORD)
            writer.append_trial(trial("00000"), [])
            if reason:
                writer.end_search(reason)
    with Writer(tmp_path, "d", PARAMETERS) as writer:
        writer.write_search(RECORD)
        a, b, c, d = states(tmp_path, capsys)
    assert a == "a done 1 of 3 svm digits 2026-11-24 20:00:00"
    assert b == "b interrupted 1 of 3 svm digits 2026-11-24 20:00:00"
    assert c.startswith("c done (time budget) 1 of 3")
    assert d.startswith("d running (process ")


def test_what_is_being_written_is_not_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Writer(tmp_path, "d", PARAMETERS) as writer:
        writer.write_search(RECORD)
        assert run(["resume", "d", "--results", str(tmp_path)]) == 2
    assert "'d' is still being written by process" in capsys.readouterr().err


def test_ctrl_c_before_a_resumed_search_has_been_read_says_how_to_resume_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        # A shell may have started the tests with SIGINT ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        finally:
            signal.signal(signal.SIGINT, before)

    monkeypatch.setattr("tune_mnist.actions.preparing.prepare_resumed", interrupted)
    monkeypatch.chdir(tmp_path)
    assert run(["resume", "d", "--results", "of june"]) == 130
    assert capsys.readouterr().out.splitlines()[-1] == (
        "resume it with: python -m tune_mnist resume d --results 'of june'"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_closes_before_a_resumed_search_has_been_read_does_so_too(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = """
import signal, sys, time
from tune_mnist import __main__
from tune_mnist.actions import preparing
for number in (signal.SIGTERM, signal.SIGHUP):  # nohup, for one, starts the tests without them
    signal.signal(number, signal.SIG_DFL)
def slow(*_, **__):
    print("reading", flush=True)
    time.sleep(60)
preparing.prepare_resumed = slow
sys.argv[1:] = ["resume", "d"]
__main__.main()
"""
    line = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "reading\n"
        command.send_signal(number)
        out, err = command.communicate(timeout=30)
    assert command.returncode == 128 + number
    assert out.splitlines()[-1] == "resume it with: python -m tune_mnist resume d"
    assert "Traceback" not in err


def test_an_unknown_search_is_named_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Writer(tmp_path, "digits-1", PARAMETERS) as writer:
        writer.write_search(RECORD)
    for command in ("resume", "replay"):
        assert run([command, "digits-2", "--results", str(tmp_path)]) == 2
        assert "did you mean digits-1?" in capsys.readouterr().err


def test_a_printed_command_survives_the_shell(tmp_path: Path) -> None:
    store = tmp_path / "my results; touch gone"
    assert shlex.split(resume_command("s", store))[-2:] == ["--results", str(store)]


def test_what_a_resumed_search_cannot_take_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["search", "svm", "--dataset", "digits", "--results", str(tmp_path), "--resume", "d"]
    assert run([*asked, "--warm-start", "auto", "--name", "e"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "--warm-start: cannot be used with --resume: the search keeps what it learned from when it"
        " began; leave out --warm-start",
        "--name: cannot be used with --resume: the search keeps its name; leave out --name",
    ]
    assert run(["resume", "d", "--results", str(tmp_path), "--sampler", "tpe"]) == 2
    assert "No such option: --sampler" in capsys.readouterr().err
