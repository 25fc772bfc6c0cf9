"""The fidelities at which a scheduler looks at a trial: the rungs of a space."""

from __future__ import annotations

from tune_mnist.spaces.domains import Choice, Domain
from tune_mnist.spaces.hyperparameters import MODELS
from tune_mnist.spaces.space import Space


def rungs(space: Space) -> tuple[float, ...]:
    """Return the fidelities at which trials are compared, ascending, the last a whole trial's.

    Of epochs 1, 2, 4, ... and the most that a trial can have; of train_fraction those declared;
    none where the space has no fidelity.
    """
    if space.fidelity is None:
        return ()
    if space.fidelity.parameter == "train_fraction":
        return space.fidelity.rungs
    if "epochs" not in MODELS[space.model]:  # refused elsewhere
        return ()
    most = _most_epochs(space)
    doubled = [2.0**power for power in range(int(most).bit_length()) if 2**power < most]
    return (*doubled, most)


def trained_rungs(space: Space) -> tuple[float, ...]:
    """Return the fractions of the images that a trial trains on in turn; none without need."""
    stops_early = space.search.scheduler != "none"
    return space.fidelity.rungs if space.fidelity is not None and stops_early else ()


def changeable(space: Space) -> dict[str, Domain]:
    """Return the searched parameters that a training may change on its way, for pbt."""
    return {
        name: domain
        for name, domain in space.parameters.items()
        if MODELS[space.model][name].changeable and domain.count() > 1
    }


def _most_epochs(space: Space) -> float:
    epochs = [config["epochs"] for config in space.points if "epochs" in config]
    if "epochs" in space.parameters:
        domain = space.parameters["epochs"]
        epochs.append(max(domain.values()) if isinstance(domain, Choice) else domain.bounds[1])
    default = MODELS[space.model]["epochs"].default
    assert default is not None
    return float(max(epochs, default=default))
