"""Bad input: one line on stderr that names what is wrong and the fix, exit 2, nothing written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tune_mnist.cli import run
from tune_mnist.datasets import load_dataset

SVM = "model: svm\ndataset: digits\nparameters:\n"

BAD_SPACES = {
    "unknown parameter": (SVM + "  gama: {choice: [scale]}\n", "did you mean gamma?"),
    "unknown domain": (SVM + "  C: {loguniform: [0.1, 1]}\n", "did you mean log_uniform?"),
    "unknown key": (SVM + "  C: 1.0\nobjetive: {}\n", "did you mean objective?"),
    "empty choice": (SVM + "  C: {choice: []}\n", "parameters.C.choice"),
    "log range with 0": (SVM + "  C: {log_uniform: [0.0, 1.0]}\n", "low is 0.0, must be > 0"),
    "when on an unknown": (SVM + "  C: {choice: [1.0], when: {kernal: rbf}}\n", "kernal"),
    "NaN": (SVM + "  C: {choice: [.nan]}\n", "C"),
    "Python tag": ("model: !!python/object/apply:os.system [ls]\n", "tag"),
    "YAML bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nmodel: *b\n", "alias"),
    "test accuracy as objective": (
        SVM + "  C: 1.0\nobjective: {metric: test_accuracy}\n",
        "never steers a search",
    ),
}


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command line that must fail; return its one line on stderr."""
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 2, out + err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("name", BAD_SPACES)
def test_a_bad_space_is_named_with_the_fix(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, hint = BAD_SPACES[name]
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    error = fails(capsys, "spaces", "check", file)
    assert str(file) in error
    assert hint in error


BAD_OPTIONS = {
    "unknown space": (["search", "svn"], "did you mean svm?"),
    "unknown data set": (["search", "svm", "--dataset", "mnits"], "did you mean mnist?"),
    "negative trials": (["search", "svm", "--dataset", "digits", "--trials", "-1"], "--trials"),
    "less of a core than Ray grants": (
        ["search", "svm", "--dataset", "digits", "--cpus-per-trial", "0.00001"],
        "--cpus-per-trial: 1e-05 is less than Ray can grant; write 0.0001 or more",
    ),
    "trials not a number": (["search", "svm", "--trials", "many"], "--trials"),
    "unknown option": (["search", "svm", "--trails", "3"], "--trails"),
    "unknown sampler": (["search", "svm", "--sampler", "tpee"], "did you mean tpe?"),
    "target above 1": (["search", "svm", "--target", "97"], "--target"),
    "no GPU": (["search", "resnet", "--gpus", "64"], "--gpus"),
    "no CPU": (["search", "svm", "--cpus", "0"], "--cpus"),
    "name with a separator": (
        ["search", "svm", "--dataset", "digits", "--name", "../evil"],
        "../evil",
    ),
    "unknown test set": (["search", "svm", "--dataset", "digits", "--test-set", "x"], "--test-set"),
    "unknown command": (["serch"], "serch"),
    "wrong model for the space": (["search", "resnet", "--space", "SVM_FILE"], "search svm"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_a_bad_option_is_named_and_writes_nothing(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments, hint = BAD_OPTIONS[name]
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(SVM + "  C: {choice: [1.0, 2.0]}\n")
    error = fails(capsys, *(str(file) if word == "SVM_FILE" else word for word in arguments))
    assert hint in error
    assert list(tmp_path.iterdir()) == [file]


def test_a_results_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results"
    file.write_text("in the way")
    error = fails(capsys, "search", "svm", "--dataset", "digits", "--results", file)
    assert str(file) in error


def test_a_truncated_file_is_named_and_never_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_idx(tmp_path / "mine")
    images = folder / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-10])
    error = fails(capsys, "search", "svm", "--dataset", folder, "--trials", "1")
    assert images.name in error
    assert not (tmp_path / "results").exists()


def test_images_and_labels_of_different_length_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_idx(tmp_path / "mine")
    shutil.copy(folder / "t10k-labels-idx1-ubyte", folder / "train-labels-idx1-ubyte")
    assert "labels" in fails(capsys, "search", "svm", "--dataset", folder, "--trials", "1")


def write_idx(folder: Path) -> Path:
    """Write the digits as the four IDX files of a data set of one's own."""
    digits = load_dataset("digits")
    folder.mkdir()
    for prefix, part in (("train", digits.train), ("t10k", digits.test)):
        n, height, width = part.images.shape
        header = b"".join(number.to_bytes(4, "big") for number in (0x803, n, height, width))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + part.images.tobytes())
        header = (0x801).to_bytes(4, "big") + n.to_bytes(4, "big")
        labels = part.labels.astype("uint8").tobytes()
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels)
    return folder
