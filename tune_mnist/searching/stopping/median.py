"""The median stopping rule: Golovin et al., "Google Vizier", KDD 2017, section 3.2.2.

A trial is stopped if its best measurement so far is worse than the median of the other trials'
means up to the same fidelity. It stops nothing before the first rung, nor before three others have
got as far. This is what Ray Tune's own `MedianStoppingRule` decides, without Ray.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from tune_mnist.spaces import Space, rungs

OTHERS = 3
"""How many other trials must have got as far."""

Curve = Sequence[Mapping[str, Any]]
"""A trial's measurements in their order, each with the objective and its fidelity."""


def is_below_median(space: Space, own: Curve, others: Iterable[Curve]) -> bool:
    """Return whether a trial lags behind the others.

    Args:
        space: its one objective is compared.
        own: the trial's measurements, at least one.
        others: those of each other trial.
    """
    name, sign = space.objective.metric, -1.0 if space.objective.mode == "max" else 1.0
    first, now = rungs(space)[0], own[-1]["fidelity"]
    as_far = (curve for curve in others if curve and curve[-1]["fidelity"] >= now)
    within = ([one[name] for one in curve if first <= one["fidelity"] <= now] for curve in as_far)
    means = [sign * fmean(values) for values in within if values]
    if now < first or len(means) < OTHERS:
        return False
    return bool(min(sign * one[name] for one in own) > median(means))
