"""Requests: every field declared, every fault in one line, every option generated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import ValidationError

from tune_mnist.actions.requests import (
    ConfirmRequest,
    DataRequest,
    Request,
    ResumeRequest,
    SearchRequest,
    asked,
    make_request,
    read_request,
)
from tune_mnist.cli import run
from tune_mnist.cli.app import whole_app
from tune_mnist.cli.words import in_options
from tune_mnist.errors import InputError
from tune_mnist.spaces import Search

KINDS = (SearchRequest, ResumeRequest, ConfirmRequest, DataRequest)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is_for_in_a_sentence(kind: type[Request]) -> None:
    for name, field in kind.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_an_option_or_the_argument_of_its_command(kind: type[Request]) -> None:
    commands = typer.main.get_command(whole_app()).commands  # type: ignore[attr-defined]
    command = commands[kind.__name__.removesuffix("Request").lower()]
    declared = {str(parameter.name) for parameter in command.params}
    assert set(kind.model_fields) <= declared


def test_a_request_is_json_and_back() -> None:
    request = SearchRequest(space="svm", trials=3, where=("wall_time_s <= 60",), share=False)
    again = SearchRequest.model_validate(json.loads(request.model_dump_json()))
    assert again == request
    assert asked(request) == {
        "space": "svm",
        "trials": 3,
        "where": ["wall_time_s <= 60"],
        "share": False,
    }


def test_numbers_have_the_same_bounds_in_a_request_and_in_a_space_file() -> None:
    shared = set(Search.model_fields) & set(SearchRequest.model_fields)
    bounds = {
        kind: {name: kind.model_fields[name].metadata for name in shared - {"share"}}
        for kind in (Search, SearchRequest)
    }
    for name in shared - {"share", "sampler", "scheduler"}:
        given = [one for one in bounds[Search][name] if "Strict" not in type(one).__name__]
        assert bounds[SearchRequest][name] == given, name


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "out of bounds": ({"space": "svm", "trials": 0}, "`trials`: 0 is not a whole number of at"),
    "not a number": ({"space": "svm", "target": "high"}, "`target`: 'high' is not a number above"),
    "unknown": ({"space": "svm", "trails": 3}, "`trails`: is not a field .* did you mean trials"),
    "missing": ({}, "`space`: is missing; add it"),
    "infinite": ({"space": "svm", "time_budget_s": float("inf")}, "`time_budget_s`: inf is not"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_the_field_the_value_and_the_fix(name: str) -> None:
    given, said = FAULTS[name]
    with pytest.raises(InputError, match=said):
        make_request(SearchRequest, given)
    with pytest.raises(ValidationError):
        SearchRequest(**given)


def test_a_fault_in_a_file_names_the_file_and_the_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"space": "svm", "trials": 0}')
    assert run(["search", "--request", str(file)]) == 2
    assert f"{file}: trials: 0 is not a whole number of at least 1" in capsys.readouterr().err


def test_a_fault_in_an_option_beside_a_file_names_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"space": "svm", "trials": 3}')
    assert run(["search", "--request", str(file), "--trials", "0"]) == 2
    assert capsys.readouterr().err.startswith("--trials: 0 is not a whole number")


@pytest.mark.parametrize(
    ("content", "said"), [("[1]", "is not a JSON object"), ("{", "is not JSON"), (None, "cannot")]
)
def test_a_file_that_holds_no_request_is_refused(
    content: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "request.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=said):
        read_request(file)


def test_the_command_line_writes_fields_as_options() -> None:
    said = "`gpus=1`, `cpus_per_trial`, `time_budget_s`, `share=false`, `space_file`, `scale`"
    options = "--gpus 1, --cpus-per-trial, --time-budget, --no-share, --space, `scale`"
    assert in_options(said) == options
