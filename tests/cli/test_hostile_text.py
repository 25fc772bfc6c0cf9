"""Nothing that somebody else wrote is obeyed by a terminal, by Rich, a browser or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.text import Text

from tests.analysis.example_store import PARAMETERS, epochs, failed, trial
from tune_mnist.analysis.ranking import to_csv
from tune_mnist.cli import run
from tune_mnist.cli.console import CleanConsole
from tune_mnist.store.layout import record_file, rows_folder
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.schema import TRIALS
from tune_mnist.store.writer import Writer
from tune_mnist.wording import clean

HOSTILE = "\x1b]0;owned\x07\x1b[31m[/red][bold]\u202e\x9b2J\x7f\r=1+1"
UNDECODABLE = os.fsdecode(b"\xff")
KEPT = ("status", "config", "versions", "schedule", "trial")  # JSON, or what the store checks
TEXTS = [field.name for field in TRIALS if pa.types.is_string(field.type)]


def unsafe(text: str) -> list[str]:
    """Return the characters of a text that a terminal would obey."""
    obeyed = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [one for one in text if one not in "\n\t" and unicodedata.category(one) in obeyed]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose every text is hostile: rows, records, folder and file names."""
    root = tmp_path_factory.mktemp("folder") / f"results{bad_name()}"
    hostile = {name: HOSTILE for name in TEXTS if name not in KEPT}
    known = {"kernel": HOSTILE, "C": 1.0}
    rows = [
        trial(HOSTILE, 0.8, **hostile | {"error": None, "config": known}),
        trial("b", 0.9, **hostile | {"error": None, "model": "svm", "config": {"C": 2.0}}),
        trial("c", 0.7, **hostile | {"error": None, "model": "svm", "config": {"C": 3.0}}),
        trial("d", 0.7, reports=epochs(0.5, 0.6), **hostile | {"error": None, "dataset": "digits"}),
        failed("e", HOSTILE, **{k: v for k, v in hostile.items() if k != "error"}),
    ]
    rows[0]["versions"] = json.dumps({HOSTILE: HOSTILE})
    space = {"name": HOSTILE, "model": HOSTILE, "dataset": HOSTILE, "search": {"sampler": HOSTILE}}
    record = SearchRecord(space=space, dataset=HOSTILE, host=HOSTILE)
    for name in ("s", "moved"):
        with Writer(root, name, PARAMETERS) as writer:
            writer.write_search(record)
            writer.append_proposal(Proposal(0, {HOSTILE: HOSTILE}, seen=0))
            for number, row in enumerate(rows):
                own = {"trial": f"{number:05d}"} if name == "s" else {}  # `resume` counts them
                columns = {k: v for k, v in (row | own).items() if k != "reports"}
                writer.append_trial(columns, row["reports"])
    record_file(root, "moved").rename(record_file(root, bad_name()))
    for kind in ("trials", "reports"):
        folder = rows_folder(root, kind, "moved")
        folder.rename(rows_folder(root, kind, bad_name()))
    (root / "trials" / f"stray{bad_name()}{UNDECODABLE}").write_text("")
    torn = rows_folder(root, "trials", "s") / f"{bad_name()}.parquet"
    torn.write_text(HOSTILE)
    (root / "searches" / f"torn{bad_name()}.json").write_text(HOSTILE)
    return root


def bad_name() -> str:
    return HOSTILE.replace("/", "")


COMMANDS: dict[str, list[str]] = {
    "status": ["status"],
    "status check": ["status", "--check"],
    "table": ["leaderboard"],
    "json": ["leaderboard", "--format", "json", "--within", "0.1"],
    "csv": ["leaderboard", "--format", "csv"],
    "within": ["leaderboard", "--within", "0.1"],
    "pareto": ["leaderboard", "--pareto", "val_accuracy,wall_time_s"],
    "one search": ["leaderboard", "--search", bad_name(), "--where", "wall_time_s <= 60"],
    "no such search": ["leaderboard", "--search", f"x{HOSTILE}"],
    "bad constraint": ["leaderboard", "--where", HOSTILE],
    "page": ["leaderboard", "--html", "PAGE"],
    "importance": ["importance"],
    "replay": ["replay", "s"],
    "resume": ["resume", "s"],
    "confirm": ["confirm", bad_name()],
    "report": ["report", "html", "PAGE"],
    "report dry": ["report", "run", "--dataset", HOSTILE, "--dry-run"],
    "data set": ["search", "svm", "--dataset", HOSTILE],
    "name": ["search", "svm", "--dataset", "digits", "--name", HOSTILE],
    "option": ["search", "svm", HOSTILE],
    "warm start": ["search", "svm", "--dataset", "digits", "--warm-start", HOSTILE, "--dry-run"],
    "request": ["search", "--request", "REQUEST"],
    "space": ["search", "svm", "--space", "SPACE"],
    "show": ["spaces", "show", HOSTILE],
    "check": ["spaces", "check", "SPACE"],
    "command": [HOSTILE],
}


def texts_of(value: Any) -> str:
    """Return every text in a JSON value, as a browser gets it."""
    if isinstance(value, dict):
        return "".join(map(texts_of, [*value, *value.values()]))
    return "".join(map(texts_of, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    name: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "PAGE": tmp_path / f"page{bad_name()}{UNDECODABLE}.html",
        "REQUEST": tmp_path / f"request{bad_name()}{UNDECODABLE}.json",
        "SPACE": tmp_path / f"space{bad_name()}{UNDECODABLE}.yaml",
    }
    files["REQUEST"].write_text(json.dumps({HOSTILE: HOSTILE}))
    yaml = json.dumps({"model": "svm", "parameters": {HOSTILE: {HOSTILE: 1}}, HOSTILE: 1})
    files["SPACE"].write_text(yaml)
    arguments = [str(files.get(word, word)) for word in COMMANDS[name]]
    if arguments[0] not in ("spaces", HOSTILE) and name != "request":
        arguments += ["--results", str(store)]
    assert run(arguments) in (0, 1, 2)
    out, err = capsys.readouterr()
    assert unsafe(out + err) == []
    if files["PAGE"].exists():
        page = files["PAGE"].read_text("utf-8")
        assert unsafe(re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)) == []
        charts = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
        assert unsafe("".join(texts_of(json.loads(chart)) for chart in charts)) == []
        assert name == "report" or "[/red][bold]" in page


def test_a_terminal_gets_richs_own_codes_and_no_others() -> None:
    printed = io.StringIO()
    to = CleanConsole(file=printed, force_terminal=True, width=200, color_system="standard")
    to.print(Text(HOSTILE, style="red"))
    to.print(HOSTILE, style="bold")
    assert unsafe(re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue())) == []
    assert printed.getvalue().count("[/red]") == 2


def test_what_is_escaped_is_shown_and_the_rest_kept() -> None:
    assert clean("a\x1b[31m\u202e\udcff\x85\n\tb") == "a\\x1b[31m\\u202e\\udcff\\x85\n\tb"
    assert clean("Größe – 文字 😀 \u00a0") == "Größe – 文字 😀 \u00a0"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_a_csv_cell_of_text_is_no_formula(start: str) -> None:
    row: dict[str, Any] = {"config": json.dumps({"kernel": f"{start}1"}), "val_accuracy": -0.5}
    table = pa.table({name: [value] for name, value in row.items()})
    cells = next(csv.DictReader(io.StringIO(to_csv(table), newline="")))
    assert cells == {"config": clean(f"'{start}1"), "val_accuracy": "-0.5"}
