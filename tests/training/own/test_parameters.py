"""The fields of a dataclass are the hyperparameters of a model of your own."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Literal

import pytest

from tune_mnist.errors import InputError
from tune_mnist.training.own.parameters import Range, domains, read_parameters


@dataclass(frozen=True)
class Config:
    rate: Annotated[float, Range(1e-4, 1e-1, log=True), "step size"] = 0.01
    width: Annotated[int, Range(4, 64)] = 16
    depth: Annotated[int, Range(1, 1000, log=True)] = 2
    slope: Annotated[float, Range(-1, 1)] = 0
    optimizer: Literal["sgd", "adam"] = "adam"
    nesterov: bool = False
    clip: Annotated[float, Range(0, 10)] | None = None
    epochs: Annotated[int, Range(1, 100)] = 5


def test_a_field_is_a_hyperparameter() -> None:
    found = read_parameters(Config, "Config", on_gpu=False)
    assert {name: (one.types[0], one.default) for name, one in found.items()} == {
        "rate": (float, 0.01),
        "width": (int, 16),
        "depth": (int, 2),
        "slope": (float, 0.0),
        "optimizer": (str, "adam"),
        "nesterov": (bool, False),
        "clip": (float, None),
        "epochs": (int, 5),
        "image_size": (int, None),
        "colour": (str, None),
        "train_fraction": (float, None),
    }
    assert found["rate"].meaning == "step size"
    assert found["slope"].allowed() == "a number from -1, at most 1"
    assert found["optimizer"].words == ("sgd", "adam")


def test_only_what_trains_on_a_gpu_may_choose_its_device() -> None:
    assert "device" in read_parameters(Config, "Config", on_gpu=True)


def test_a_range_is_a_domain_too() -> None:
    assert domains(Config) == {
        "rate": {"log_uniform": [1e-4, 1e-1]},
        "width": {"int_uniform": [4, 64]},
        "depth": {"int_log_uniform": [1, 1000]},
        "slope": {"uniform": [-1.0, 1.0]},
        "optimizer": {"choice": ["sgd", "adam"]},
        "nesterov": {"choice": [False, True]},
        "clip": {"uniform": [0.0, 10.0]},
    }


WRONG: dict[str, tuple[str, Any, Any, str]] = {
    "no bounds": ("x", float, 1.0, "C.x has no bounds; for example Annotated[float, Range("),
    "bounds of a text": ("x", Annotated[bool, Range(0, 1)], True, "has a Range and is no number"),
    "low above high": ("x", Annotated[float, Range(2, 1)], 1.0, "low 2, which is not below high"),
    "log from 0": ("x", Annotated[float, Range(0, 1, log=True)], 1.0, "is log with low 0"),
    "parts of a whole number": ("x", Annotated[int, Range(0.5, 2)], 1, "use whole numbers"),
    "endless": ("x", Annotated[float, Range(0, float("inf"))], 1.0, "give two numbers"),
    "default outside": ("x", Annotated[int, Range(1, 5)], 9, "has the default 9, which it cannot"),
    "another type": ("x", list[int], None, "is of type list; use float, int, bool or Literal"),
    "numbers to choose from": ("x", Literal[1, 2], 1, "only texts can be a Literal"),
    "a name that is ours": ("image_size", Annotated[int, Range(8, 64)], 8, "a name that is ours"),
    "the seed": ("seed", Annotated[int, Range(0, 9)], 0, "leave it out: it is `report.seed`"),
    "a column of another type": (
        "epochs",
        Annotated[float, Range(1, 5)],
        1.0,
        "C.epochs is float, and the store's column of this name is int; make it int, or rename it",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_field_that_cannot_be_searched_is_one_line(what: str) -> None:
    name, type_, default, said = WRONG[what]
    config = make_dataclass("C", [(name, type_, default)])
    with pytest.raises(InputError) as refused:
        read_parameters(config, "C", on_gpu=False)
    [fault] = refused.value.faults
    assert said in str(fault)


def test_a_field_without_a_default_is_refused_with_all_others() -> None:
    config = make_dataclass("C", [("x", Annotated[int, Range(1, 5)]), ("y", float)])
    with pytest.raises(InputError) as refused:
        read_parameters(config, "C", on_gpu=False)
    assert ["no default" in str(f) for f in refused.value.faults] == [True, False]
