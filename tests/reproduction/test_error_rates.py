"""How often verdicts are wrong: a rate for every claim, of today's checks, and none too high."""

from __future__ import annotations

import pytest

from tests.reproduction.worlds import FIRST, KNOWN, WORLDS, World, verdicts
from tune_mnist.reproduction.error_rates import Rate, error_rates

RATES = [(claim, rate) for claim, rates in error_rates().items() for rate in rates]

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss occurred")  # equal on purpose


def test_every_claim_has_worlds_where_it_is_true_and_where_it_is_false() -> None:
    assert list(error_rates()) == list(KNOWN)
    for rates in error_rates().values():
        assert {rate.truth for rate in rates} == {True, False}


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.claim}: {world.told}")
def test_the_recorded_rates_are_those_of_todays_checks(world: World) -> None:
    """If this fails, run `python -m tests.reproduction.worlds 100` and look at what it wrote."""
    [recorded] = [rate for rate in error_rates()[world.claim] if rate.world == world.told]
    assert recorded.truth == world.truth
    assert verdicts(world, FIRST) == recorded.first


@pytest.mark.parametrize(("claim", "rate"), RATES)
def test_a_verdict_is_wrong_in_few_worlds(claim: str, rate: Rate) -> None:
    """Intervals of 95 % err in 2.5 % on either side; three standard errors of 100 worlds more."""
    wrong = rate.fails if rate.truth else rate.holds
    assert wrong / rate.worlds <= 0.07


@pytest.mark.parametrize("claim", KNOWN)
def test_a_claim_that_is_true_can_be_seen_to_hold(claim: str) -> None:
    """A check that never says so is no check."""
    assert any(rate.holds >= 0.25 * rate.worlds for rate in error_rates()[claim] if rate.truth)


@pytest.mark.parametrize("claim", KNOWN)
def test_a_claim_that_is_false_can_be_seen_to_fail(claim: str) -> None:
    false = [rate for rate in error_rates()[claim] if not rate.truth]
    assert any(rate.fails >= 0.25 * rate.worlds for rate in false)
