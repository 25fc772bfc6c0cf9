"""`model export`: a folder that works without us, checked, or nothing at all."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.actions.exporting.conftest import StoreOf
from tune_mnist.actions.exporting.card import escaped
from tune_mnist.actions.exporting.export import export
from tune_mnist.actions.requests import ExportRequest
from tune_mnist.cli import run
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.metrics import LATENCY_WORDS
from tune_mnist.store.files.sealing import seal


@pytest.fixture(scope="module")
def exported(store_of: StoreOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SVM's folder, as the command writes it."""
    out = tmp_path_factory.mktemp("exported") / "svm"
    words = ["model", "export", "s", "--out", str(out), "--results", str(store_of("svm"))]
    assert run(words) == 0
    return out


def test_it_holds_all_that_is_needed(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {
        *("README.md", "config.json", "confusion.png", "model.skops", "predict.py"),
        "requirements.txt",
    }
    assert len((exported / "predict.py").read_text().splitlines()) < 40
    assert list(exported.parent.iterdir()) == [exported]
    with Image.open(exported / "confusion.png") as picture:
        assert picture.format == "PNG"


def test_its_script_names_the_class_of_a_file(
    exported: Path,
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "digit.png"
    Image.fromarray(digits.train.images[0]).save(file)
    monkeypatch.setattr(sys, "argv", ["predict.py", str(file)])
    runpy.run_path(str(exported / "predict.py"), run_name="__main__")
    assert capsys.readouterr().out.split() == [str(file), str(digits.train.labels[0])]


def test_its_card_says_how_good_it_is_and_how_it_was_chosen(exported: Path) -> None:
    _, front, body = (exported / "README.md").read_text("utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    [result] = card["model-index"][0]["results"]
    assert [one["name"] for one in result["metrics"]] == ["validation accuracy", "test accuracy"]
    assert card["hyperparameters"]["kernel"] == "rbf"
    assert result["dataset"]["revision"] in body
    for name, said in LATENCY_WORDS.items():
        assert f"time to predict an image, {said}" in body, name
    for said in ("chosen from 1 trials", "95 % interval", "179 classes are those", "## Limits"):
        assert said in body, said


def test_names_are_text_in_the_card_and_never_markup() -> None:
    hostile = "a|b\n# c <img src=x> [d](e) \x1b[31m"
    assert escaped(hostile) == r"a\|b \# c \<img src=x\> \[d\]\(e\) \\x1b\[31m"


def test_a_network_is_checked_in_plain_torchvision(store_of: StoreOf, tmp_path: Path) -> None:
    out = tmp_path / "resnet"
    found = export(ExportRequest(search="s", out=out, results=store_of("resnet")))
    assert (found.file, found.check.images) == ("model.safetensors", 179)
    config = json.loads((out / "config.json").read_text())
    assert config["architecture"] == "resnet18"
    assert (config["size"], config["mean"], config["std"]) == ([32, 32], 0.5, 0.5)


def test_a_model_that_predicts_otherwise_than_its_training_is_not_exported(
    store_of: StoreOf, tmp_path: Path
) -> None:
    root = shutil.copytree(store_of("logistic"), tmp_path / "results")
    folder = root / "models" / "search=s" / "00000"
    facts = json.loads((folder / "model.json").read_text())
    facts["predicted"][17] = (facts["predicted"][17] + 1) % 10
    (folder / "model.json").write_text(json.dumps(facts))
    seal(folder)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"for 1 of 179 .*the first is number 17"):
        export(ExportRequest(search="s", out=out, results=root))
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


WRONG = {
    "an unknown search": (["t"], "'t' is not in the store"),
    "an unknown trial": (["s", "--trial", "00007"], "'00007' is no finished trial of s"),
    "a trial's name that climbs": (["s", "--trial", "../x"], "'../x' is no finished trial"),
    "an unknown form": (["s", "--format", "pt2"], "'pt2' is no form of this model (svm)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_exported_is_one_line(
    what: str, store_of: StoreOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, expected = WRONG[what]
    store = ["--out", str(tmp_path / "out"), "--results", str(store_of("svm"))]
    assert run(["model", "export", *words, *store]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(
    exported: Path, store_of: StoreOf, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in exported.iterdir())
    words = ["model", "export", "s", "--out", str(exported), "--results", str(store_of("svm"))]
    assert run(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert sorted(path.name for path in exported.iterdir()) == before


def test_a_trial_without_a_model_names_those_that_have_one(
    store_of: StoreOf, tmp_path: Path
) -> None:
    root = shutil.copytree(store_of("svm"), tmp_path / "results")
    shutil.rmtree(root / "models" / "search=s" / "00000")
    with pytest.raises(InputError, match="keeps no model of trial 00000; search again with"):
        export(ExportRequest(search="s", out=tmp_path / "out", results=root))
