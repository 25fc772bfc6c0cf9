"""Several costs at once: who dominates whom (non-dominated sorting).

A trial dominates another that it beats in one cost without losing in any. The first front is the
trials that none dominates, the Pareto set; the second is what none dominates once the first is
taken away, and so on (Deb et al., NSGA-II, IEEE Transactions on Evolutionary Computation, 2002).
Rungs of a search are sorted with it while it runs, the store's trials afterwards.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]


def fronts(costs: Costs, at_least: int) -> npt.NDArray[np.int64]:
    """Return the front of each trial: 1, 2, ...; 0 for those behind the first `at_least`.

    Args:
        costs: (n, objectives), finite, lower is better.
        at_least: how many trials to sort into fronts; the last front is whole.
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
    """Return which trials no other dominates; of equal ones, all or none.

    Args:
        costs: (n, objectives), lower is better.
    Returns: (n,) bool. Takes time in proportion to n times the size of the set.
    """
    found = np.zeros(len(costs), dtype=bool)
    left = np.lexsort(costs.T[::-1])  # nothing dominates the first, nor the first of the rest
    while len(left):
        first, others = costs[left[0]], costs[left]
        found[left[(others == first).all(axis=1)]] = True
        left = left[(others < first).any(axis=1)]
    return found


def spread(costs: Costs) -> npt.NDArray[np.int64]:
    """Return an order in which every beginning covers the trials well: an epsilon-net.

    The first is the best in the first cost, each next the one farthest from those before it,
    every cost scaled to [0, 1] (Salinas et al., "A multi-objective perspective on jointly tuning
    hardware and hyperparameters", 2021). It does not depend on the order of the trials, equal
    ones aside.

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
