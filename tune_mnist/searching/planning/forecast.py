"""How long a search will take, as a median and an interval, from the times of past trials.

A configuration that has been timed is expected to take that time again. Any other is predicted by a
Gaussian process on the logarithm of the time. The interval comes from simulation: the times of all
trials are drawn jointly some hundred times, and each draw is scheduled on as many workers as the
search has. What affects a whole search (a busy machine) is drawn once per search; how much that is
was chosen so that the interval holds 8 of 10 recorded searches (benchmarks/forecast_coverage.py).
"""

from __future__ import annotations

import heapq
import math
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from tune_mnist.spaces import Config, config_key
from tune_mnist.store.plans import Expected

Floats = npt.NDArray[np.float64]

INTERVAL = 0.8
MOST = 150  # the process is fitted to this many distinct configurations, the latest; takes 1 s
_DRAWS = 400
_FEW = 4  # with fewer timed configurations, an untimed one cannot be predicted
_BUSY = 0.2  # sd of a search's log seconds, before two of the same trials are seen
_START = 0.2  # sd of the start's log seconds between two searches
_NOISE = 0.05  # smallest sd of log seconds between two runs of one trial


@dataclass(frozen=True)
class Timed:
    """A finished trial: its configuration, the seconds it held its bundle, and its search."""

    config: Config
    seconds: float
    search: str


@dataclass(frozen=True)
class Forecast:
    """The wall time of a search.

    Args:
        seconds: the median of the draws.
        low, high: seconds; between them lie 8 of 10 draws.
        trials: planned trials that will be trained.
        timed: how many of them the store has timed.
        past: how many finished trials it is based on.
    """

    seconds: float
    low: float
    high: float
    trials: int
    timed: int
    past: int

    def recorded(self) -> Expected:
        """Return it for the record of the search."""
        return Expected(**asdict(self))


@dataclass(frozen=True)
class Lane:
    """Planned trials that only so many workers can take, those with a GPU for example.

    Args:
        trials: their places in the list of planned trials.
        workers: >= 1.
    """

    trials: Sequence[int]
    workers: int


@dataclass(frozen=True)
class Workers:
    """Who works the planned trials off.

    Args:
        count: trials side by side at most, >= 1.
        lanes: limits for some of them.
    """

    count: int
    lanes: Sequence[Lane] = ()

    def done(self, seconds: Sequence[float]) -> float:
        """Return when the last trial is done; each takes so many seconds."""
        own = [worked_off([seconds[i] for i in lane.trials], lane.workers) for lane in self.lanes]
        return max([worked_off(seconds, self.count), *own])


def forecast(
    past: Sequence[Timed],
    planned: Sequence[Config],
    *,
    workers: Workers,
    start_s: float = 0.0,
    spent: Sequence[float] = (1.0,),
    budget_s: float = math.inf,
) -> Forecast | None:
    """Return how long the planned trials will take; None if too few past trials are known.

    Args:
        past: finished trials of the same model, images and kind of device, oldest first.
        planned: what will be trained, in this order.
        workers: who trains it.
        start_s: seconds before the first trial and after the last.
        spent: fractions of a whole trial's time that trials under the same scheduler took.
        budget_s: seconds that end the search at the latest.
    """
    own = _by_configuration(past)
    timed = [config_key(config) in own for config in planned]
    if not all(timed) and len(own) < _FEW:
        return None
    rng = np.random.default_rng(0)
    draws = _draw(own, past, planned, rng)
    draws *= rng.choice(np.asarray(spent), size=draws.shape)
    starts = start_s * np.exp(rng.normal(0.0, _START, len(draws)))
    ends = [
        min(start + workers.done(seconds), budget_s)
        for start, seconds in zip(starts.tolist(), draws.tolist(), strict=True)
    ]
    edge = (1 - INTERVAL) / 2
    low, middle, high = np.quantile(ends, [edge, 0.5, 1 - edge]).tolist()
    return Forecast(middle, low, high, len(planned), sum(timed), len(past))


def _by_configuration(past: Sequence[Timed]) -> dict[str, list[Timed]]:
    found: dict[str, list[Timed]] = defaultdict(list)
    for one in past:
        found[config_key(one.config)].append(one)
    return dict(found)


def _draw(
    own: Mapping[str, list[Timed]],
    past: Sequence[Timed],
    planned: Sequence[Config],
    rng: np.random.Generator,
) -> Floats:
    """Return (draws, planned) seconds: joint draws of what each planned trial takes."""
    centre = {key: float(np.mean([_log(one) for one in runs])) for key, runs in own.items()}
    noise, busy = _spread(past, centre)
    keys = [config_key(config) for config in planned]
    logs = np.zeros((_DRAWS, len(planned)))
    new = [place for place, key in enumerate(keys) if key not in own]
    for place, key in enumerate(keys):
        if key in own:
            error = noise / math.sqrt(len(own[key]))
            logs[:, place] = rng.normal(centre[key], math.hypot(noise, error), _DRAWS)
    if new:
        latest = list(own)[-MOST:]
        known = [own[key][0].config for key in latest]
        wanted = [planned[place] for place in new]
        predicted = _process_draws(known, [centre[key] for key in latest], wanted, noise, rng)
        logs[:, new] = predicted
    logs += rng.normal(0.0, busy, (_DRAWS, 1))
    return np.asarray(np.exp(logs))


def _log(one: Timed) -> float:
    return math.log(max(one.seconds, 1e-3))


def _spread(past: Sequence[Timed], centre: Mapping[str, float]) -> tuple[float, float]:
    """Return the standard deviations of log seconds between runs, and between searches."""
    residuals: dict[str, list[float]] = defaultdict(list)
    for one in past:
        residuals[one.search].append(_log(one) - centre[config_key(one.config)])
    every = np.concatenate([np.asarray(of_one) for of_one in residuals.values()])
    repeated = len(past) - len(centre)  # a residual of a configuration run once is 0
    noise = max(_NOISE, math.sqrt(float(np.sum(every**2)) / max(1, repeated)) if repeated else 0)
    shifts = [float(np.mean(of_one)) for of_one in residuals.values() if np.any(of_one)]
    # One degree of freedom is lost to the mean, and the guess counts as one.
    busy = math.sqrt((_BUSY**2 + sum(shift**2 for shift in shifts)) / max(1, len(shifts)))
    return noise, busy * math.sqrt(1 + 1 / len(residuals))


def _process_draws(
    known: Sequence[Config],
    logs: Sequence[float],
    wanted: Sequence[Config],
    noise: float,
    rng: np.random.Generator,
) -> Floats:
    """Return (draws, wanted) log seconds from a Gaussian process through the known ones."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    x_known, x_wanted = _features(known, wanted)
    y = np.asarray(logs)
    mean, scale = float(y.mean()), max(float(y.std()), noise)
    scales = np.full(x_known.shape[1], 2.0)
    least = min((noise / scale) ** 2, 0.5)
    kernel = (
        ConstantKernel(0.1) * DotProduct(1.0, (1e-3, 1e3))
        + ConstantKernel(1.0) * Matern(scales, (0.3, 1e3), nu=1.5)
        + WhiteKernel(max(2 * least, 0.02), (least, 1.0))
    )
    process = GaussianProcessRegressor(kernel, random_state=0)
    with warnings.catch_warnings():  # a length scale at its bound is a feature that does not count
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(x_known, (y - mean) / scale)
        drawn = process.sample_y(x_wanted, _DRAWS, random_state=int(rng.integers(2**31)))
    return np.asarray(mean + scale * drawn.T)


def _features(known: Sequence[Config], wanted: Sequence[Config]) -> tuple[Floats, Floats]:
    """Return standardised columns: logarithms of numbers, one column a word; absent is 0."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.preprocessing import StandardScaler

    vectors = DictVectorizer(sparse=False)
    rows = vectors.fit_transform([_described(config) for config in (*known, *wanted)])
    scaled = StandardScaler().fit(rows).transform(rows)
    return scaled[: len(known)], scaled[len(known) :]


def _described(config: Config) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    for name, value in config.items():
        if isinstance(value, (bool, str)):
            found[name] = str(value)
        else:
            found |= {name: "number", f"log {name}": math.log(max(float(value), 1e-12))}
    return found


def worked_off(seconds: Sequence[float], workers: int) -> float:
    """Return when the last one is done if each is taken by the first worker that is free."""
    free = [0.0] * max(1, min(workers, len(seconds)))
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)
