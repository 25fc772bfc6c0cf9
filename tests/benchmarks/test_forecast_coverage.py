"""The interval of a forecast holds about 8 of 10 recorded searches, as the plan says."""

from __future__ import annotations

import statistics

from benchmarks.forecast_coverage import cases, recorded


def test_the_interval_holds_eight_of_ten_recorded_searches() -> None:
    found = list(cases(draws=1))
    held = sum(case.held for case in found) / len(found)
    assert 0.75 <= held <= 0.9
    assert statistics.median(case.width for case in found) < 2.5


def test_every_recorded_grid_ran_several_times() -> None:
    assert len(recorded()) == 5
    assert all(len(searches) >= 2 for searches in recorded().values())
