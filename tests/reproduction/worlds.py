"""How often a verdict is wrong, in simulated worlds where the truth is known.

    python -m tests.reproduction.worlds 100

Writes `tune_mnist/reproduction/error_rates.csv`, whose rates stand on the page beside each claim. A
world is the whole grid with three seeds, its accuracies and times made up as `made.py` says. World
number n is drawn with seed n, so the same command gives the same rates.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.reproduction import made
from tune_mnist.reproduction.claims import CLAIMS, judged
from tune_mnist.reproduction.error_rates import COLUMNS, FILE
from tune_mnist.reproduction.evidence import Verdict

Runs = pd.DataFrame
Draw = Callable[[np.random.Generator], Runs]

KNOWN = {claim.name: claim for claim in CLAIMS}


@dataclass(frozen=True)
class World:
    """A kind of world.

    Args:
        claim: the name of the claim that is judged in it.
        truth: whether the claim is true in it.
        told: what is so in it, for people.
        draw: makes its runs.
    """

    claim: str
    truth: bool
    told: str
    draw: Draw


def _three(claim: str, draw: Callable[[float], Draw], ahead: float) -> list[World]:
    """A claim that one thing is better than another: it is, it is equal, it is worse."""
    by = f"by {100 * ahead:g} points"
    return [
        World(claim, True, f"better {by}", draw(ahead)),
        World(claim, False, "equally good", draw(0.0)),
        World(claim, False, f"worse {by}", draw(-ahead)),
    ]


def _ratio(claim: str, draw: Callable[[float], Draw], claimed: float, other: float) -> list[World]:
    """A claim that names a ratio of times."""
    return [
        World(claim, True, f"{claimed:g}×", draw(claimed)),
        World(claim, False, f"{other:g}×", draw(other)),
    ]


_FASTER = "ResNet-18 trains 2.65× faster"
_CHOICE = "Winners do not depend on choosing by test accuracy"

WORLDS: tuple[World, ...] = (
    *_three("ResNet-18 beats ResNet-50", made.networks, 0.02),
    *_three("SGD best on MNIST", made.optimizers("mnist", "sgd"), 0.02),
    *_three("Adam best on FashionMNIST", made.optimizers("fashion-mnist", "adam"), 0.02),
    World("FashionMNIST 10 points harder", True, "10 points lower", made.harder(0.10)),
    World("FashionMNIST 10 points harder", False, "13 points lower", made.harder(0.13)),
    *_ratio(_FASTER, made.networks_timed, 2.65, 1.8),
    World(_FASTER, True, "2.65×, timed beside other trials", made.beside_others(2.65)),
    World(_CHOICE, True, "all settings equally good", made.chosen("equal")),
    World(_CHOICE, True, "both accuracies follow one truth", made.chosen("honest")),
    World(_CHOICE, False, "validation tells nothing of the test", made.chosen("unrelated")),
    World("11.7 M and 25.6 M parameters", True, "1,000 classes", made.parameters(11.69, 25.56)),
    World("11.7 M and 25.6 M parameters", False, "10 classes", made.parameters(11.18, 23.53)),
    World("37.2 M and 84.3 M FLOPs", True, "images of 32×32", made.multiply_adds(37.02, 83.43)),
    World("37.2 M and 84.3 M FLOPs", False, "images of 28×28", made.multiply_adds(33.2, 74.9)),
    *_three("C = 10 best", made.values_of_c, 0.02),
    *_three("Poly best on MNIST, rbf on FashionMNIST", made.kernels, 0.02),
    *_three("Degree 3 beats degree 2", made.degrees(), 0.02),
    World(
        "Degree 3 beats degree 2",
        True,
        "better by 2 points, but for one setting that underfits by 10",
        made.degrees(underfit=0.10)(0.02),
    ),
    World("RBF 9 % faster than poly", True, "9 % faster", made.kernels_timed(1 / 0.91)),
    World("RBF 9 % faster than poly", False, "30 % faster", made.kernels_timed(1 / 0.7)),
    World("Many SVMs overfit", True, "10 settings, 3 points apart", made.overfit(10, 0.03)),
    World("Many SVMs overfit", False, "10 settings, 0.7 points apart", made.overfit(10, 0.007)),
    World("Many SVMs overfit", False, "2 settings, 3 points apart", made.overfit(2, 0.03)),
    World("Tested on 12,000 images", True, "tested on the 12,000", made.printed("holdout")),
    World("Tested on 12,000 images", False, "tested on the 10,000", made.printed("standard")),
    World("Accuracy equal on CPU and GPU", True, "equal on average", made.devices(0.0)),
    World("Accuracy equal on CPU and GPU", False, "2 points apart", made.devices(0.02)),
    World(
        "Deterministic training",
        True,
        "a repeat is equal; a GPU and other code differ",
        made.repeated(0.0),
    ),
    World("Deterministic training", False, "repeats scatter by 0.2 points", made.repeated(0.002)),
    World("Larger models gain more from the GPU", True, "1.5 times the gain", made.gains(1.5)),
    World("Larger models gain more from the GPU", False, "the same gain", made.gains(1.0)),
    World("Larger models gain more from the GPU", False, "0.67 times the gain", made.gains(0.67)),
    *_ratio("2.25× time for 2.27× FLOPs", made.networks_timed, 2.25, 1.8),
    *_ratio("ResNet-18 trains 11.5× faster than SVM", made.svm_timed, 11.5, 3.0),
)


FIRST = 4
"""How many verdicts are recorded one by one."""
_LETTERS: dict[Verdict, str] = {"holds": "h", "does not hold": "d", "not decidable": "n"}


def verdicts(world: World, count: int) -> str:
    """Return the verdicts in the first worlds of a kind: h(olds), d(oes not hold), n(ot decidable).

    World number n is drawn with seed n.
    """
    claim = KNOWN[world.claim]
    draws = (np.random.default_rng(number) for number in range(count))
    return "".join(_LETTERS[judged(claim, world.draw(draw)).verdict] for draw in draws)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Measure how often a verdict is wrong.")
    parser.add_argument("worlds", type=int, help="how many worlds of each kind")
    count = parser.parse_args().worlds
    rows = []
    for world in WORLDS:
        found = verdicts(world, count)
        told = (world.claim, world.truth, world.told)
        rows.append((*told, count, found.count("h"), found.count("d"), found[:FIRST]))
        print(*rows[-1], sep=" | ", flush=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(FILE, index=False)


if __name__ == "__main__":
    _main()
