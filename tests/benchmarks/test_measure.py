"""Interleaving, ratios and the table in RESULTS.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Figure, Timings, compare, interleave, record


def test_rivals_take_turns_going_first() -> None:
    calls: list[str] = []
    interleave(lambda: calls.append("ours"), lambda: calls.append("peer"), rounds=3)
    assert calls == ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_ratio_is_taken_round_by_round_and_scaled_openly() -> None:
    figure = compare("work", Timings((1.0, 2.0, 4.0)), Timings((3.0, 4.0, 4.0)), scale=10.0)
    assert figure.ratio == "20x (10–30), the peer's time scaled by 10"


def test_record_appends_one_row_a_figure_below_one_header(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    for what in ("first", "a|b"):
        record("claim", "python -m benchmarks.x", [Figure(what, "1 s", "2 s", "2x")], path)
    table = [line for line in path.read_text().splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert "| a/b | 1 s | 2 s | 2x | `python -m benchmarks.x` |" in table[-1]
