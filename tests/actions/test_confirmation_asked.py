"""Which searches are confirmed when their request asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.actions.preparing import prepare
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import Searched, confirmation_of_request
from tune_mnist.errors import InputError
from tune_mnist.searching.history.confirmation import confirmation_name
from tune_mnist.searching.stopping.ending import Outcome, Reason

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


def test_a_name_too_long_for_its_confirmation_is_refused_before_the_search(tmp_path: Path) -> None:
    asked = {"space": "svm", "dataset": "digits", "results": tmp_path, "confirm": 2}
    with pytest.raises(InputError, match=r"`name`: .* give one of at most 92 characters"):
        prepare(SearchRequest(**asked, name="s" * 93))
    assert confirmation_name("s" * 92) == f"{'s' * 92}-confirm"


def test_nothing_is_confirmed_that_was_not_asked_for() -> None:
    assert confirmation_of_request(SearchRequest(space="svm"), ended("done")) is None
