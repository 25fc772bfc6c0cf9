"""The rungs of a space: the fidelities at which asha and hyperband compare trials.

A fidelity is how far a trial has got: the epochs it has trained, or the fraction of the training
images it has used. Together the rungs are a ladder that ends at a whole trial. A training over
epochs passes its rungs as it runs; each fraction of the images is a training of its own
(`trained_rungs`). median and pbt compare trials at every measurement, median from the first rung.
"""

from __future__ import annotations

from typing import Any

from tune_mnist.spaces.domains import Choice, Domain
from tune_mnist.spaces.space import Space


def rungs(space: Space) -> tuple[float, ...]:
    """Return the ladder of rungs, in ascending order; the last is a whole trial's fidelity.

    For epochs these are 1, 2, 4, ... and the most epochs that a trial can have; for
    train_fraction, the rungs that the space declares. A space without a fidelity has none.
    """
    if space.fidelity is None:
        return ()
    if space.fidelity.parameter == "train_fraction":
        return space.fidelity.rungs
    if not all("epochs" in part.declared for part in space.parts()):
        return ()  # checks.py refuses it
    most = max(_most_epochs(part) for part in space.parts())
    doubled = [2.0**power for power in range(int(most).bit_length()) if 2**power < most]
    return (*doubled, most)


def trained_rungs(space: Space) -> tuple[float, ...]:
    """Return the rungs that are trainings of their own; none unless a scheduler needs them."""
    stops_early = space.search.scheduler != "none"
    return space.fidelity.rungs if space.fidelity is not None and stops_early else ()


def changeable(space: Space) -> dict[str, Domain]:
    """Return the searched parameters that pbt may change during a training; of one model.

    One that another's `when` names is none of them: with it would change what is searched.
    """
    known = space.declared
    named = {parent for domain in space.parameters.values() for parent in domain.when}
    return {
        name: domain
        for name, domain in space.parameters.items()
        if known[name].changeable and domain.count() > 1 and name not in named
    }


def _most_epochs(space: Space) -> float:
    epochs: list[Any] = [config["epochs"] for config in space.points if "epochs" in config]
    if "epochs" in space.parameters:
        domain = space.parameters["epochs"]
        epochs.append(max(domain.values()) if isinstance(domain, Choice) else domain.bounds[1])
    if not epochs:  # a model that ships has a default
        epochs.append(space.declared["epochs"].default)
    return float(max(epochs))
