"""Each reader of docs/guide/store.md reads a store on S3, with Amazon's variables alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.example_trials import trial, write
from tune_mnist.store.files.place import opened

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "store.md"
READERS = [
    code
    for code in re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    if "s3://" in code
]


def test_the_guide_names_three_readers() -> None:
    assert [code.split()[1] for code in READERS] == ["pandas", "polars", "duckdb"]


@pytest.mark.parametrize("code", READERS)
def test_a_plain_reader_reads_a_store_on_s3(code: str, s3_address: str) -> None:
    write(opened(s3_address), "svm", [trial("t0", 0.8), trial("t1", 0.9)], compact=True)
    write(opened(s3_address), "svm-2", [trial("t0", 0.7)])
    script = code.replace("s3://bucket/prefix", s3_address) + "print(len(trials))\n"
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (found.stdout.strip(), found.stderr) == ("3", "")
