"""Which searches are confirmed when their request asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import Searched, confirmation_of_request
from tune_mnist.searching.on_ray.ending import Outcome, Reason

ASKED = SearchRequest(space="svm", confirm=2, seeds=3, cpus=1)


def ended(reason: Reason, unfinished: int = 0) -> Searched:
    outcome = Outcome(best={"trial": "00000"}, reason=reason, unfinished=unfinished)
    return Searched("s", Path("results"), outcome, seconds=1.0)


@pytest.mark.parametrize("reason", ["done", "time budget", "target", "plateau"])
def test_a_search_that_ended_by_itself_is_confirmed_though_trials_were_cut(reason: Reason) -> None:
    wanted = confirmation_of_request(ASKED, ended(reason, unfinished=2))
    assert wanted is not None
    assert (wanted.search, wanted.top, wanted.seeds, wanted.cpus) == ("s", 2, 3, 1)


def test_an_interrupted_search_is_not_confirmed() -> None:
    assert confirmation_of_request(ASKED, ended("interrupted")) is None


def test_nothing_is_confirmed_that_was_not_asked_for() -> None:
    assert confirmation_of_request(SearchRequest(space="svm"), ended("done")) is None
