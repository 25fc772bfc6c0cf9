"""Nothing that a client sends breaks a search: it is stored as it is, or refused in one line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.actions.asking.toy import begun, space, train
from tune_mnist.actions.asking import begin, complete, report, suggest
from tune_mnist.actions.asking.held import KIND
from tune_mnist.actions.asking.measured import OF_A_REPORT, OF_A_RESULT
from tune_mnist.actions.status import check
from tune_mnist.errors import InputError
from tune_mnist.spaces.reading import read_external
from tune_mnist.store.reader import read_trials

HUGE = 10**400
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(HUGE),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
BAD = [-0.1, 1.1, "0.5", True, [0.5], {}, float("nan"), float("inf"), HUGE]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun(tmp_path_factory.mktemp("hostile"), trials=None, time_budget_s=3600)


@pytest.fixture(scope="module")
def trial(root: Path) -> str:
    return suggest(root, "s", "a").trials[0].trial


def test_bad_accuracies(root: Path, trial: str) -> None:
    for value in BAD:
        with pytest.raises(InputError, match=r"val_accuracy: .* is not a number from 0 to 1"):
            complete(root, "s", trial, "a", {"val_accuracy": value})
        with pytest.raises(InputError, match=r"val_accuracy: .* is not a number from 0 to 1"):
            report(root, "s", trial, "a", {"step": 1, "val_accuracy": value})


@pytest.mark.parametrize(
    "result",
    [
        {"val_accuracy": 0.5, "val_loss": float("inf")},
        {"val_accuracy": 0.5, "wall_time_s": -1},
        {"val_accuracy": 0.5, "parameters": 2**70},
        {"val_accuracy": 0.5, "device": "\ud800"},
        {"val_accuracy": 0.5, "device": "x" * 1000},
        {"val_accuracy": 0.5, "converged": 1},
        {"val_accuracy": 0.5, "data_hash": "abc"},
        {"val_accuracy": 0.5, "trial": "00001"},
        {"val_accuracy": 0.5, "\ud800": 1},
        {"val_accuracy": None},
        {},
    ],
)
def test_bad_results(root: Path, trial: str, result: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        complete(root, "s", trial, "a", result)
    assert all("\n" not in str(fault) for fault in caught.value.faults)


@pytest.mark.parametrize("client", ["", " ", "a b", "é", "x" * 101, "\n", None, 7])
def test_bad_clients(root: Path, client: Any) -> None:
    with pytest.raises(InputError, match="`client_id`"):
        suggest(root, "s", client)


@pytest.mark.parametrize("count", [0, -1, 101, 1.0, True, "1", None])
def test_bad_counts(root: Path, count: Any) -> None:
    with pytest.raises(InputError, match="`count`"):
        suggest(root, "s", "a", count)


@pytest.mark.parametrize("failed", ["", " ", 7])
def test_bad_reasons(root: Path, trial: str, failed: Any) -> None:
    with pytest.raises(InputError, match="`failed`"):
        complete(root, "s", trial, "a", failed=failed)


@pytest.mark.parametrize(
    "parameters",
    [
        {"a b": 1},
        {"é": 1},
        {"x" * 101: 1},
        {1: 2},
        {"a": HUGE},
        {"a": {"uniform": [0.0, 1e301]}},
        {"a": {"int_uniform": [0, 2**60]}},
        {"a": "\ud800"},
        {"a": {"choice": [True, 1.5]}},
        {"a": {"choice": []}},
        {"degree": {"uniform": [0.0, 1.0]}},  # a column of whole numbers
        {"epochs": {"choice": ["few"]}},
        {},
    ],
)
def test_bad_parameters(tmp_path: Path, parameters: dict[Any, Any]) -> None:
    with pytest.raises(InputError):
        begin(tmp_path, "s", space(parameters))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dataset", ["", " ", "\ud800", "x" * 201, 7])
def test_bad_data_sets(tmp_path: Path, dataset: Any) -> None:
    with pytest.raises(InputError, match="dataset"):
        begin(tmp_path, "s", {**space(), "dataset": dataset})


@pytest.mark.parametrize("model", ["svm", "smv", "external/", "external/../x", ["external"], 7])
def test_only_models_that_are_trained_elsewhere(tmp_path: Path, model: Any) -> None:
    with pytest.raises(InputError, match=r"model: .* is not trained elsewhere"):
        begin(tmp_path, "s", {**space(), "model": model})


@pytest.mark.parametrize("name", ["../s", "s/t", ".s", "x" * 101, "é"])
def test_bad_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a search"):
        begin(tmp_path, name, space())


@given(st.dictionaries(st.sampled_from(OF_A_RESULT), JSON, max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_result_is_stored_whole_or_refused(root: Path, result: dict[str, Any]) -> None:
    [one] = suggest(root, "s", "b").trials
    try:
        complete(root, "s", one.trial, "b", {"val_accuracy": 0.5, **result})
    except InputError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no reader leaves the row out
        [row] = read_trials(root, search="s", equal={"trial": one.trial}).to_pylist()
    said = {name: value for name, value in result.items() if value is not None}
    assert {name: row[name] for name in said} == said


@given(st.dictionaries(st.sampled_from(OF_A_REPORT), JSON, max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_report_is_kept_or_refused(root: Path, measured: dict[str, Any]) -> None:
    [one] = suggest(root, "s", "c").trials
    try:
        report(root, "s", one.trial, "c", {"step": 1, **measured})
    except InputError:
        return
    complete(root, "s", one.trial, "c", {"val_accuracy": 0.5})
    assert not check(root).contradictions


@given(st.dictionaries(st.sampled_from(["parameters", "search", "objective", "fidelity"]), JSON))
@settings(max_examples=150, deadline=None)
def test_any_space_is_read_or_refused(given_: dict[str, Any]) -> None:
    try:
        read_external({**space(), **given_})
    except InputError:
        return


def test_a_damaged_document_is_named_and_can_be_removed(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    document = root / KIND / "s.json"
    document.write_text('{"leases": {"00000": 7}}')
    with pytest.raises(InputError, match=r"asked/s\.json is damaged: .*; remove it: "):
        suggest(root, "s", "a")
    document.unlink()
    assert suggest(root, "s", "b").trials == (one,)  # nobody is known to have it
    assert train(root, "b").ended == "done"


def test_too_many_measurements_are_refused_in_one_line(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    document = root / KIND / "s.json"
    content = document.read_text()
    one_step = '{"step":1,"val_accuracy":0.5}'
    many = ",".join([one_step] * ((2**20 - 2**12 - len(content)) // (len(one_step) + 1)))
    document.write_text(content.replace('"reports":[]', f'"reports":[{many}]'))
    with pytest.raises(InputError, match="too many measurements; report less often"):
        report(root, "s", one.trial, "a", {"step": 2, "val_accuracy": 0.5})
    assert complete(root, "s", one.trial, "a").status == "completed"


def test_a_line_of_the_list_that_is_damaged_is_proposed_again(tmp_path: Path) -> None:
    root = begun(tmp_path)
    suggest(root, "s", "a", 3)
    listed = next((root / "searches").glob("*.jsonl"))
    lines = listed.read_bytes().splitlines(keepends=True)
    listed.write_bytes(lines[0] + lines[1].replace(b'"number": 1', b'"number": 7') + lines[2])
    (root / KIND / "s.json").unlink()
    with pytest.warns(Warning, match="differs from its checksum"):
        assert len(suggest(root, "s", "b", 3).trials) == 3
    train(root, "b")
    assert not check(root).contradictions
