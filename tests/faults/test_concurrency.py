"""Several searches write one store at once, merged and ranked as they run: nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.store.example_trials import PARAMETERS, read_proposals
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.writer import Writer

WRITES = """
import sys
from pathlib import Path
from tests.store.example_trials import PARAMETERS, proposal, report, trial
from tune_mnist.store import writer
from tune_mnist.store.plans import SearchRecord
writer.MERGE_AT = 5
with writer.Writer(Path(sys.argv[1]), sys.argv[2], PARAMETERS) as store:
    store.write_search(SearchRecord())
    for number in range(40):
        store.append_proposal(proposal(number))
        store.append_trial(trial(f"t{number}", number / 40), [report(1)])
        if number % 15 == 0:
            store.compact()
    store.end_search("done")
"""


def test_searches_ranked_and_merged_while_they_run_lose_nothing(tmp_path: Path) -> None:
    Writer(tmp_path, "first", PARAMETERS).close()
    command = [sys.executable, "-c", WRITES, str(tmp_path)]
    writers = [subprocess.Popen([*command, f"svm-{number}"]) for number in range(3)]
    seen = 0
    while any(process.poll() is None for process in writers):
        rows = read_trials(tmp_path, columns=["search", "trial"]).to_pylist()
        assert len({tuple(row.values()) for row in rows}) == len(rows) >= seen
        seen = len(rows)
        best = top_trials(tmp_path, top=5)["val_accuracy"].to_pylist()
        assert best == sorted(best, reverse=True)
        assert len(best) >= min(seen, 5)
    assert [process.returncode for process in writers] == [0, 0, 0]
    for read in (read_trials, read_reports):
        rows = read(tmp_path).select(["search", "trial"]).to_pylist()
        assert len(rows) == 120
        assert set(Counter(tuple(row.values()) for row in rows).values()) == {1}
    for number in range(3):
        assert len(read_proposals(tmp_path, f"svm-{number}")) == 40


def test_a_second_process_of_the_same_search_is_refused(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm-0", PARAMETERS):
        command = [sys.executable, "-c", WRITES, str(tmp_path), "svm-0"]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "'svm-0' is being written by process" in done.stderr
