"""`model predict` and `model evaluate`: a folder from anybody is used, and nothing in it is run."""

from __future__ import annotations

import csv
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.actions.exporting.conftest import StoreOf
from tests.actions.exporting.test_forms import loaded
from tune_mnist.actions.exporting.using import evaluate, predict
from tune_mnist.actions.requests import DataRequest
from tune_mnist.cli import run
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.training.saved import reading
from tune_mnist.training.saved.exported import form_of, write_exported
from tune_mnist.training.saved.reading import read_exported


@pytest.fixture(scope="module")
def folders(store_of: StoreOf, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An exported folder of each model."""
    made = {}
    for name in ("logistic", "svm", "resnet"):
        made[name] = tmp_path_factory.mktemp(name)
        model = loaded(store_of, name)
        write_exported(model, form_of(model, None), made[name])
    return made


@pytest.fixture
def images(digits: Dataset, tmp_path: Path) -> Path:
    """A folder of three validation images, one of them deeper, and a file that is none."""
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for number, name in enumerate(("0.png", "1.png", "deep/2.png")):
        Image.fromarray(digits.val.images[number]).save(tmp_path / "images" / name)
    (tmp_path / "images" / "3.png").write_bytes(b"no image")
    return tmp_path / "images"


@pytest.mark.parametrize("model", ["logistic", "svm", "resnet"])
def test_it_predicts_what_the_training_did(
    model: str, folders: dict[str, Path], store_of: StoreOf, digits: Dataset
) -> None:
    labels, chances = read_exported(folders[model]).of_images(digits.val.images)
    assert tuple(labels) == loaded(store_of, model).facts.predicted
    if model == "svm":
        assert chances is None
    else:
        assert chances is not None
        np.testing.assert_allclose(chances.sum(axis=1), 1)
        assert (chances.argmax(axis=1) == labels).all()


def test_files_and_folders_are_named_with_their_classes(
    folders: dict[str, Path], images: Path, store_of: StoreOf
) -> None:
    with pytest.warns(UserWarning, match=r"3\.png: left out: it cannot be decoded"):
        found = predict(folders["logistic"], [images, images / "0.png"], top=2)
    assert [Path(one.file).name for one in found] == ["0.png", "1.png", "2.png", "0.png"]
    expected = loaded(store_of, "logistic").facts.predicted
    assert [one.classes[0] for one in found] == [str(expected[i]) for i in (0, 1, 2, 0)]
    for one in found:
        assert one.probabilities is not None
        assert one.probabilities[0] >= one.probabilities[1]


def test_predictions_are_printed_for_people_and_programs(
    folders: dict[str, Path], images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["model", "predict", str(folders["logistic"]), str(images / "0.png"), "--top", "2"]
    said = {}
    for form in ("table", "json", "csv"):
        assert run([*words, "--format", form]) == 0
        said[form] = capsys.readouterr().out
    [row] = json.loads(said["json"])
    rows = list(csv.DictReader(io.StringIO(said["csv"])))
    assert [one["class"] for one in rows] == row["classes"]
    assert f"{row['classes'][0]} {row['probabilities'][0]:.2%}" in " ".join(said["table"].split())


def test_an_evaluation_equals_the_trials_own_test(
    folders: dict[str, Path], store_of: StoreOf, tmp_path: Path
) -> None:
    from tune_mnist.store.reader import read_trials

    [row] = read_trials(store_of("svm"), search="s").to_pylist()
    found = evaluate(folders["svm"], DataRequest(dataset="digits"))
    assert found.accuracy == row["test_accuracy"]
    assert list(found.confusion) == row["confusion"]
    assert all(0 < seconds < 60 for seconds in found.latencies.values())
    low, high = found.interval
    assert low < found.accuracy < high
    page = tmp_path / "page.html"
    words = ["model", "evaluate", str(folders["svm"]), "--dataset", "digits", "--html", str(page)]
    assert run(words) == 0
    assert "data:image/png;base64," in page.read_text("utf-8")


def test_a_data_set_of_other_classes_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["svm"], tmp_path / "svm")
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**said, "classes": list("abcdefghij")}))
    with pytest.raises(InputError, match="the model knows a, b, c"):
        evaluate(folder, DataRequest(dataset="digits"))


class Runs:
    """What a pickle of a stranger does when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def a_pickle(folder: Path) -> None:
    (folder / "model.skops").write_bytes(pickle.dumps(Runs()))


def a_function(folder: Path) -> None:
    steps = [("scaler", FunctionTransformer(np.sqrt)), ("classifier", StandardScaler())]
    skops.io.dump(Pipeline(steps), folder / "model.skops")


def another_type(folder: Path) -> None:
    skops.io.dump(Pipeline([("scaler", Runs()), ("x", Path.touch)]), folder / "model.skops")


def changed(**attributes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        pipeline = skops.io.load(folder / "model.skops", trusted=[])
        vars(pipeline.steps[1][1]).update(attributes)
        skops.io.dump(pipeline, folder / "model.skops")

    return change


def a_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("zeros.npy", b"\0" * 3_000_000)


def onnx_alone(folder: Path) -> None:
    (folder / "model.skops").rename(folder / "model.onnx")


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pickle": (a_pickle, "is not a skops file"),
    "a function": (a_function, "FunctionTransformer"),
    "another type": (another_type, "Runs"),
    "a bomb": (a_bomb, "unpacks to more than"),
    "more support vectors than there are": (
        changed(_n_support=np.full(10, 10**6, np.int32)),
        "not those of an SVM",
    ),
    "fewer coefficients": (changed(_dual_coef_=np.zeros((9, 1))), "not those of an SVM"),
    "no numbers": (changed(_intercept_=np.full(45, np.nan)), "_intercept_ is not an array"),
    "another kernel": (changed(kernel="precomputed"), "not those of an SVM"),
    "classes that are not there": (changed(classes_=np.arange(5, 15)), "does not fit config.json"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "cannot be read"),
    "ONNX alone": (onnx_alone, "has neither"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_strangers_folder_runs_no_code_and_is_refused_in_one_line(
    what: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "MOST_ARRAYS", 2_000_000)
    folder = shutil.copytree(folders["svm"], tmp_path / "svm")
    change, expected = WRONG[what]
    change(folder)
    (folder / "predict.py").write_text("from pathlib import Path; Path('ran').touch()")
    with pytest.raises(InputError, match=expected) as refused:
        read_exported(folder)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()
