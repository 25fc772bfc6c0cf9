"""Several costs at once: which trials dominate which (non-dominated sorting).

A trial dominates another if it beats it in at least one cost and loses in none. The first front is
the Pareto set: the trials that no other dominates. The second front is the Pareto set of the rest,
and so on (Deb et al., NSGA-II, IEEE Transactions on Evolutionary Computation, 2002). It sorts the
rungs of a running search, and later the trials in the store.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]


def fronts(costs: Costs, at_least: int) -> npt.NDArray[np.int64]:
    """Return each trial's front: 1, 2, ..., or 0 once at least `at_least` trials have one.

    Args:
        costs: (n, objectives), finite, lower is better.
        at_least: how many trials to sort into fronts; the last of these fronts is complete.
    Returns: (n,) int64.
    """
    front = np.zeros(len(costs), dtype=np.int64)
    number = 0
    while (front > 0).sum() < min(at_least, len(costs)):
        number += 1
        left = np.flatnonzero(front == 0)
        front[left[unbeaten(costs[left])]] = number
    return front


def unbeaten(costs: Costs) -> npt.NDArray[np.bool_]:
    """Return which trials no other trial dominates; equal trials are all in or all out.

    It takes time proportional to n times the number of trials found.

    Args:
        costs: (n, objectives), lower is better.
    Returns: (n,) bool.
    """
    found = np.zeros(len(costs), dtype=bool)
    left = np.lexsort(costs.T[::-1])  # in this order, no later trial dominates an earlier one
    while len(left):
        first, others = costs[left[0]], costs[left]
        found[left[(others == first).all(axis=1)]] = True
        left = left[(others < first).any(axis=1)]
    return found


def spread(costs: Costs) -> npt.NDArray[np.int64]:
    """Return an order whose first k trials cover all trials well, for every k: an epsilon-net.

    It begins with the best in the first cost. Each next trial is the one farthest from all before
    it, with every cost scaled to [0, 1] (Salinas et al., "A multi-objective perspective on jointly
    tuning hardware and hyperparameters", 2021). The result does not depend on the order of the
    trials, except among equal ones.

    Args:
        costs: (n, objectives), finite, n at least 1.
    Returns: (n,) indices.
    """
    low, high = costs.min(axis=0), costs.max(axis=0)
    scaled = (costs - low) / np.where(high > low, high - low, 1.0)
    by_cost = np.lexsort(costs.T[::-1])
    order = [by_cost[0]]
    distance = np.full(len(costs), np.inf)
    for _ in range(len(costs) - 1):
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[order[-1]], axis=1))
        distance[order] = -1.0
        order.append(by_cost[distance[by_cost].argmax()])
    return np.array(order)
