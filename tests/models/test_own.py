"""A model of your own: where it is looked for, when it is imported again, and what is no model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.models.written import HEAD, MEANS, SPACE, write_model
from tune_mnist.errors import InputError
from tune_mnist.models.registry import find_model, is_model, parameter_types
from tune_mnist.spaces import Space, read_space


def scale_of(model: str = "means:train") -> object:
    return find_model(model).hyperparameters["scale"].default


def refusal(space: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_space(space)
    [fault] = refused.value.faults
    assert fault.where == str(space)
    assert fault.key == "model"
    return str(fault)


def test_it_is_found_beside_the_space_file(tmp_path: Path) -> None:
    space = read_space(write_model(tmp_path))
    assert space.model == "means:train"
    assert find_model("means:train").file == str(tmp_path / "means.py")


def test_it_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = write_model(tmp_path / "spaces")
    (tmp_path / "spaces" / "means.py").rename(tmp_path / "means.py")
    monkeypatch.chdir(tmp_path)
    read_space(space)
    assert find_model("means:train").file == str(tmp_path / "means.py")


def test_the_folder_of_the_space_comes_before_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = write_model(tmp_path / "spaces")
    write_model(tmp_path, MEANS.replace("= 1.0", "= 2.0"))
    monkeypatch.chdir(tmp_path)
    read_space(space)
    assert scale_of() == 1.0


def test_a_file_never_takes_the_place_of_a_library(tmp_path: Path) -> None:
    assert "tabnanny" not in sys.modules
    space = write_model(tmp_path, name="tabnanny")
    assert "tabnanny has no train" in refusal(space)


def test_two_folders_may_have_a_module_of_one_name(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a")
    second = write_model(tmp_path / "b", MEANS.replace("= 1.0", "= 2.0"))
    found = []
    for space in (first, second, first):
        read_space(space)
        found.append(scale_of())
    assert found == [1.0, 2.0, 1.0]


def test_a_file_that_was_edited_is_imported_again(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("SCALE = 1.0\n")
    text = "from layers import SCALE\n" + MEANS.replace("= 1.0", "= SCALE")
    space = write_model(tmp_path, text)
    read_space(space)
    assert scale_of() == 1.0
    (tmp_path / "layers.py").write_text("SCALE = 2.0\n")
    read_space(space)
    assert scale_of() == 2.0


def test_one_that_is_edited_into_an_error_is_not_there_any_more(tmp_path: Path) -> None:
    space = write_model(tmp_path)
    read_space(space)
    (tmp_path / "means.py").write_text("1 / 0\n")
    assert "division by zero (means.py, line 1)" in refusal(space)
    with pytest.raises(InputError):
        find_model("means:train")


def test_one_that_is_unchanged_is_imported_once(tmp_path: Path) -> None:
    space = write_model(tmp_path)
    read_space(space)
    found = find_model("means:train")
    read_space(space)
    assert find_model("means:train") is found


def test_it_may_lie_in_a_package(tmp_path: Path) -> None:
    space = write_model(tmp_path / "my_package")
    (tmp_path / "my_package" / "__init__.py").touch()
    moved = space.rename(tmp_path / "space.yaml")
    moved.write_text(SPACE.format("my_package.means:train"))
    assert read_space(moved).model == "my_package.means:train"


def test_an_installed_package_offers_it_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "site-packages")
    offer = tmp_path / "site-packages" / "means-1.0.dist-info"
    offer.mkdir()
    (offer / "METADATA").write_text("Metadata-Version: 2.1\nName: means\nVersion: 1.0\n")
    (offer / "entry_points.txt").write_text("[tune_mnist.models]\nclass-means = means:train\n")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    space = tmp_path / "space.yaml"
    space.write_text(SPACE.format("class-means"))
    assert read_space(space).model == "class-means"
    space.write_text(SPACE.format("clas-means"))
    assert "did you mean class-means?" in refusal(space)


def test_a_model_object_is_one_too(tmp_path: Path) -> None:
    text = (
        "from tune_mnist.training.models.logistic import MODEL\n"
        "from dataclasses import replace\n"
        "train = replace(MODEL, noun='my regression')\n"
    )
    space = write_model(tmp_path, text, "mine_too")
    space.write_text(space.read_text() + "parameters: {C: {log_uniform: [0.1, 10.0]}}\n")
    read_space(space)
    found = find_model("mine_too:train")
    assert (found.name, found.noun) == ("mine_too:train", "my regression")


def test_a_model_object_needs_columns_that_the_store_can_have(tmp_path: Path) -> None:
    text = (
        "from tune_mnist.models.hyperparameters import Hyperparameter\n"
        "from tune_mnist.training.models.logistic import MODEL\n"
        "from dataclasses import replace\n"
        "odd = {'C': Hyperparameter('', (str,), 'a', ('a',)), 'l-1': MODEL.hyperparameters['C']}\n"
        "train = replace(MODEL, hyperparameters=odd)\n"
    )
    with pytest.raises(InputError) as refused:
        read_space(write_model(tmp_path, text, "odd"))
    faults = [str(fault) for fault in refused.value.faults]
    assert "odd:train: C is str, and the store's column of this name is float" in faults[0]
    assert "odd:train: l-1 is no name in Python" in faults[1]


NO_MODELS = {
    "no module": ("", "there is no module nowhere in {folder}", "nowhere:train"),
    "no such name": (MEANS, "mine has no tran; did you mean train?", "mine:tran"),
    "a class": (MEANS, "mine:Config is a class, and no model", "mine:Config"),
    "a library that is missing": (
        "import numpy\nimport no_such_library\n",
        "No module named 'no_such_library' (mine.py, line 2); install no_such_library",
        "mine:train",
    ),
    "a fault at import": ("x = 1\ny = x / 0\n", "division by zero (mine.py, line 2)", "mine:train"),
    "a syntax error": ("def train(:\n", "(mine.py, line 1); correct it", "mine:train"),
    "an exit": ("import sys\nsys.exit(3)\n", "SystemExit: 3 (mine.py, line 2)", "mine:train"),
    "two parameters": (
        HEAD + "def train(config: Config, data): ...\n",
        "not config, data and report; write def train(config: Config,",
        "mine:train",
    ),
    "a fourth without default": (
        HEAD + "def train(config: Config, data, report, more): ...\n",
        "not config, data and report",
        "mine:train",
    ),
    "no type": (
        HEAD + "def train(config, data, report): ...\n",
        "the first parameter of mine:train, config, has no dataclass as type",
        "mine:train",
    ),
    "a type that is not there": (
        HEAD + "def train(config: 'Confg', data, report): ...\n",
        "the types of mine:train cannot be read: name 'Confg' is not defined",
        "mine:train",
    ),
    "not a name": (MEANS, "'mine-too:train' is not a model", "mine-too:train"),
}


@pytest.mark.parametrize("what", NO_MODELS)
def test_what_is_no_model_is_one_line(what: str, tmp_path: Path) -> None:
    text, said, model = NO_MODELS[what]
    (tmp_path / "mine.py").write_text(text)
    space = tmp_path / "space.yaml"
    space.write_text(SPACE.format(model))
    assert said.format(folder=tmp_path) in refusal(space)


def test_a_parameter_that_it_does_not_have_is_named(tmp_path: Path) -> None:
    space = write_model(tmp_path)
    space.write_text(space.read_text() + "parameters: {scal: 1.0, epochs: {choice: [99]}}\n")
    with pytest.raises(InputError) as refused:
        read_space(space)
    unknown, too_many = map(str, refused.value.faults)
    assert "parameters.scal: not a parameter of means:train; did you mean scale?" in unknown
    assert "epochs cannot be 99; give a whole number from 1 to 50" in too_many


def test_a_space_without_parameters_searches_every_range_but_the_epochs(tmp_path: Path) -> None:
    space = read_space(write_model(tmp_path))
    assert {name: str(domain) for name, domain in space.parameters.items()} == {
        "scale": "0.1 to 10.0, log"
    }
    assert space.fidelity is not None  # it has epochs


def test_a_space_from_a_store_imports_nothing(tmp_path: Path) -> None:
    space = read_space(write_model(tmp_path)).model_dump(mode="json")
    (tmp_path / "canary.py").write_text("raise RuntimeError('imported')\n")
    sys.path.append(str(tmp_path))
    try:
        assert Space.model_validate({**space, "model": "canary:train"}).model == "canary:train"
        assert is_model("canary:train")
    finally:
        sys.path.remove(str(tmp_path))
    assert "canary" not in sys.modules


def test_its_parameters_become_columns_beside_those_of_all_models(tmp_path: Path) -> None:
    read_space(write_model(tmp_path))
    columns = parameter_types("means:train")
    assert columns["scale"] is float
    assert columns["gamma"] is str  # an SVM's
