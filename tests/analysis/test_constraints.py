from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.example_store import stored, trial, write_store
from tune_mnist.analysis.constraints import CONSTRAINABLE, read_selected, satisfying
from tune_mnist.errors import InputError
from tune_mnist.metrics import MEASURED, Constraint, parse_constraint
from tune_mnist.store.selection import Selection


def limit(text: str) -> Constraint:
    return parse_constraint(text, CONSTRAINABLE)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("wall_time_s <= 10", ["a", "b"]),
        ("wall_time_s<10", ["a"]),
        (" wall_time_s >= 10 ", ["b", "c"]),
        ("wall_time_s > 1e1", ["c"]),
        ("wall_time_s == 10", ["b"]),
    ],
)
def test_each_operator_keeps_the_trials_that_satisfy_it(
    tmp_path: Path, text: str, kept: list[str]
) -> None:
    rows = [trial(name, wall_time_s=s) for name, s in (("a", 5.0), ("b", 10.0), ("c", 20.0))]
    found = satisfying(stored(tmp_path, rows), [limit(text)])
    assert found["trial"].to_pylist() == kept


def test_every_constraint_must_hold(tmp_path: Path) -> None:
    rows = [trial("a", 0.8, parameters=5), trial("b", 0.9, parameters=5), trial("c", 0.9)]
    limits = [limit("val_accuracy > 0.85"), limit("parameters < 10")]
    assert satisfying(stored(tmp_path, rows), limits)["trial"].to_pylist() == ["b"]


@pytest.mark.parametrize("operator", ["<=", ">="])
def test_a_missing_value_satisfies_nothing(tmp_path: Path, operator: str) -> None:
    rows = stored(tmp_path, [trial("a", 0.5), trial("b", None)])
    wanted = limit(f"val_accuracy {operator} 0.5")
    assert satisfying(rows, [wanted])["trial"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("wal_time_s <= 60", "did you mean wall_time_s"),
        ("wall_time_s", "is no constraint"),
        ("wall_time_s =< 60", "is no constraint"),
        ("wall_time_s <= 60 s", "is no constraint"),
        ("wall_time_s <= sixty", "'sixty' in .* is not a number"),
        ("wall_time_s <= nan", "not a number"),
        ("val_accuracy >= 97", "for 97 % write 0.97"),
        ("test_accuracy >= 0.9", "never chooses"),
        ("seed == 1", "is not a metric here"),
        ("device == cpu", "is not a metric here"),
    ],
)
def test_bad_constraint_is_refused_with_the_fix(text: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        limit(text)


def test_constraints_that_no_trial_satisfies_are_named(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("a"), trial("b")])
    limits = (limit("wall_time_s < 1"), limit("parameters < 5e6"))
    with pytest.raises(InputError, match=r"none of 2 trials .* wall_time_s < 1 and parameters <"):
        read_selected(tmp_path, Selection(where=limits))


def test_every_metric_that_a_search_may_constrain_is_in_the_store() -> None:
    assert set(MEASURED) <= set(CONSTRAINABLE)


@pytest.mark.parametrize("bound", ["60", "0.97", "0.123456789012345", "5e6"])
def test_a_constraint_reads_back_as_it_is_written(bound: str) -> None:
    wanted = limit(f"val_loss < {bound}")
    assert limit(str(wanted)) == wanted


@pytest.mark.parametrize("value", [None, float("nan"), 59.0, 60.0, 61.0])
@pytest.mark.parametrize("operator", ["<=", "<", ">=", ">", "=="])
def test_a_value_is_beyond_the_bound_unless_the_constraint_holds(
    operator: str, value: float | None
) -> None:
    wanted = limit(f"wall_time_s {operator} 60")
    assert (wanted.excess(value) <= 0) == wanted.holds(value)
