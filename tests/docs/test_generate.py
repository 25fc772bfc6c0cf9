"""The generated pages: what is stale, undocumented or undeclared fails the check."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
from pydantic import Field

import tune_mnist
from docs import generate
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.cli import options
from tune_mnist.models.registry import hyperparameters_of
from tune_mnist.spaces import SamplerName, SchedulerName
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.schema import TRIALS


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    for name, page in generate.PAGES.items():
        (tmp_path / name).write_text(page(), "utf-8")
    return tmp_path


def test_the_pages_of_this_checkout_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_changed_or_missing_page_is_stale(name: str, pages: Path) -> None:
    assert generate.stale(pages) == []
    with (pages / name).open("a") as file:
        file.write("one more line\n")
    [line] = generate.stale(pages)
    assert name in line
    (pages / name).unlink()
    assert len(generate.stale(pages)) == 1


def test_an_option_without_help_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(SearchRequest):
        colour: str | None = Field(None)

    monkeypatch.setattr("tune_mnist.actions.requests.SearchRequest", Asked)
    assert "search: `--colour` has no help" in generate.undocumented()


def test_a_column_without_a_meaning_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "TRIALS", TRIALS.append(pa.field("mood", pa.string())))
    assert generate.undocumented() == ["trials: the column mood has no meaning"]


def test_a_key_of_the_record_without_a_description_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Record(SearchRecord):
        mood: str = Field("")

    monkeypatch.setattr(generate, "SearchRecord", Record)
    assert generate.undocumented() == ["searches: the key mood has no description"]


@pytest.mark.parametrize(("kind", "name"), [("sampler", "gp"), ("scheduler", "asha")])
def test_a_sampler_or_scheduler_without_a_sentence_is_named(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = dict(getattr(generate, f"{kind.upper()}_HELP"))
    del sentences[name]
    monkeypatch.setattr(generate, f"{kind.upper()}_HELP", sentences)
    assert generate.undocumented() == [f"the {kind} {name} has no description"]


def test_a_hyperparameter_without_a_meaning_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    mute = replace(hyperparameters_of("svm")["C"], meaning="")
    known = {**hyperparameters_of("svm"), "C": mute}
    monkeypatch.setattr(generate, "hyperparameters_of", lambda name: known if name == "svm" else {})
    assert generate.undocumented() == ["the hyperparameter svm.C has no description"]


def test_what_the_check_finds_is_printed_and_fails_it(
    monkeypatch: pytest.MonkeyPatch, pages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "DOCS", pages)
    assert generate.main(["--check"]) == 0
    (pages / "cli.md").write_text("old", "utf-8")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == f"{pages / 'cli.md'}: is stale; run `make docs`\n"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_a_public_name_without_docstring_or_guide_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tune_mnist, "__all__", [*tune_mnist.__all__, "secret"])
    monkeypatch.setattr(tune_mnist, "secret", type("Secret", (), {"__doc__": None}), raising=False)
    assert generate.undeclared(generate.GUIDE) == [
        "tune_mnist.secret has no docstring",
        f"tune_mnist.secret is not in {generate.GUIDE}",
    ]
    assert len(generate.undeclared(tmp_path / "none.md")) > len(tune_mnist.__all__)


@pytest.mark.parametrize(
    ("field", "names"), [("sampler", get_args(SamplerName)), ("scheduler", get_args(SchedulerName))]
)
def test_the_help_of_an_option_lists_every_name_it_takes(field: str, names: list[str]) -> None:
    said = SearchRequest.model_fields[field].description or ""
    assert set(re.findall(r"\w+", said)) >= set(names)


def test_every_option_of_a_request_is_on_the_page() -> None:
    page = generate.cli_page()
    for name, field in SearchRequest.model_fields.items():
        if name != "space":
            assert f"`{options.option_name(name, field.default)}`" in page
