"""`report`: what it would run, what it runs, and that it never runs the same twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reproduction.example_runs import stored_trial, write_report_store
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.cli import run
from tune_mnist.datasets import Dataset, Images, load_dataset
from tune_mnist.reproduction.jobs import GridRequest, jobs, lacking
from tune_mnist.reproduction.runs import grid, records
from tune_mnist.store.reader import read_trials


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A few digits in MNIST's name and split, wherever `report` loads data."""
    digits = load_dataset("digits")
    few = Images(digits.train.images[:200], digits.train.labels[:200])
    split = "report-70/10/20 seed 42, test standard"
    data = replace(digits, name="mnist", train=few, split=split)
    monkeypatch.setattr("tune_mnist.actions.reading_data.load_dataset", lambda *_, **__: data)
    return data


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["report", "run", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_dry_run_counts_what_each_part_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "--part", "svm", "--results", tmp_path / "none", "--dry-run")
    assert "report/svm on mnist, seed 0: 20 of 20 to run" in text
    assert "report/svm on fashion-mnist, seed 0: 20 of 20 to run" in text
    assert list(tmp_path.iterdir()) == []


def test_run_fills_what_is_missing_and_then_nothing(
    mnist: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--part", "svm", "--dataset", "mnist", "--results", tmp_path)
    printed(capsys, *where)
    assert len(read_trials(tmp_path)) == 20
    assert "0 of 20 to run" in printed(capsys, *where, "--dry-run")
    assert "20 of 20 to run" in printed(capsys, *where, "--dry-run", "--fraction", 0.5)


def test_winners_are_the_four_of_table_1_and_the_two_of_table_2() -> None:
    found = list(jobs(GridRequest("winners"), "cpu"))
    assert [(job.space, job.dataset, len(job.configs)) for job in found] == [
        ("report/resnet", "mnist", 2),
        ("report/svm", "mnist", 1),
        ("report/resnet", "fashion-mnist", 2),
        ("report/svm", "fashion-mnist", 1),
    ]


def test_seeds_repeat_networks_and_not_svms() -> None:
    seeds = [
        (job.space, job.seed) for job in jobs(GridRequest("winners", fraction=0.1, seeds=3), "cpu")
    ]
    assert seeds.count(("report/svm", 0)) == 2
    assert [seed for space, seed in seeds if space == "report/resnet"] == [0, 1, 2, 0, 1, 2]


def test_a_fraction_is_a_hyperparameter_of_every_job() -> None:
    found = jobs(GridRequest(fraction=0.05), "cpu")
    assert all(config["train_fraction"] == 0.05 for job in found for config in job.configs)


def test_without_a_gpu_the_devices_part_is_its_cpu_half() -> None:
    [cpu] = jobs(GridRequest("devices"), "cpu")
    [both] = jobs(GridRequest("devices"), "gpu")
    assert (len(cpu.configs), len(both.configs)) == (4, 8)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--part", "svms", "did you mean svm?"),
        ("--dataset", "digits", "is not in the technical report"),
        ("--fraction", 1.5, "is not in (0, 1]"),
    ],
)
def test_a_wrong_option_is_one_line(
    option: str, value: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "run", option, str(value)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_html_without_a_store_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert run(["report", "html", str(page), "--results", str(tmp_path / "none")]) == 2
    assert "there are no results" in capsys.readouterr().err
    assert not page.exists()


def test_the_page_says_how_to_fill_its_missing_cells_in_this_store(tmp_path: Path) -> None:
    row = records(grid().query("part == 'svm'"))[0]
    store, page = write_report_store(tmp_path / "mine", [stored_trial(0, row)]), tmp_path / "page"
    assert run(["report", "html", str(page), "--results", str(store)]) == 0
    for part in (" --part devices", ""):
        command = f"python -m tune_mnist report run{part} --results {store}"
        assert f"<code>{command}</code>" in page.read_text("utf-8")


def test_on_a_gpu_pinned_and_unpinned_are_two_runs(tmp_path: Path) -> None:
    [job, _] = jobs(GridRequest("resnet"), "gpu")
    pinned = [config for config in job.configs if config["pin_memory"]]
    row = records(grid().query("part == 'resnet' and dataset == 'mnist'"))[0]
    write_report_store(tmp_path, [stored_trial(0, row, extra={"pin_memory": True}, gpus=1.0)])
    request = SearchRequest(space="report", results=tmp_path)
    left = lacking(job, "gpu", request)
    assert (len(job.configs), len(pinned), len(left)) == (64, 32, 63)
    assert len(lacking(job, "gpu", request.model_copy(update={"test_set": "holdout"}))) == 64
