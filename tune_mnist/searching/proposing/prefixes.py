"""Shared prefixes: trials that differ only in their epochs are trained once.

Where a ResNet's learning rate is constant, the first 2 epochs of a training of 3 epochs are exactly
a training of 2. If a space that can be listed asks for both, only the longer one is trained. After
2 epochs it measures everything that the shorter one would have measured at its end
(`Measurement.prefix`), and the shorter one's row names it in `shared_with`. A test checks that the
accuracies are equal with and without sharing.

Nothing else is shared. A learning rate on another schedule depends on the number of epochs, so such
a training contains no shorter one. `pin_memory` changes only the time, and its time is what is
searched for, so each of its trials runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tune_mnist.models.registry import find_model, hyperparameters_of
from tune_mnist.spaces import Config, Device, Space, config_key, configurations, size, trained_rungs

LENGTH = "epochs"

MAX_LISTED = 100_000
"""Largest space that is listed whole; it takes about a second and 50 MB."""


def shared_lengths(space: Space, device: Device) -> tuple[int, ...]:
    """Return the epochs at which a longer training stands for a shorter trial; () if none does.

    Nothing is shared if `search.share` is off, if the model does not measure shorter trainings,
    for a space that is too large to list, and under a scheduler that changes a running trial.

    Args:
        space: as read.
        device: where trials run.
    """
    changing = space.search.scheduler == "pbt" or trained_rungs(space)
    with_epochs = [model for model in space.models if LENGTH in hyperparameters_of(model)]
    able = with_epochs and all(find_model(model).contains_shorter for model in with_epochs)
    if not able or not space.search.share or changing:
        return ()
    count = size(space, device)
    if count is None or count > MAX_LISTED:
        return ()
    groups: dict[str, set[int]] = defaultdict(set)
    for config in configurations(space, device):
        groups[prefix_key(config)].add(length_of(config))
    shorter = {length for lengths in groups.values() for length in lengths - {max(lengths)}}
    return tuple(sorted(shorter))


def trainings(space: Space, device: Device) -> int:
    """Return how many trainings cover a space that can be listed."""
    return len({prefix_key(config) for config in configurations(space, device)})


def longest_first(configs: Iterable[Config]) -> Iterator[Config]:
    """Yield the configurations of each training together, the longest first.

    Trainings come in the order of their first configurations.
    """
    groups: dict[str, list[Config]] = defaultdict(list)
    for config in configs:
        groups[prefix_key(config)].append(config)
    for group in groups.values():
        yield from sorted(group, key=length_of, reverse=True)


def prefix_key(config: Config) -> str:
    """Return a text that is equal for all configurations that one training contains.

    It leaves the epochs out, unless the learning rate depends on them.
    """
    if config.get("schedule", "constant") != "constant":
        return config_key(config)
    return config_key({name: value for name, value in config.items() if name != LENGTH})


def length_of(config: Config) -> int:
    """Return the configuration's epochs; 1 of a model without epochs."""
    return int(config.get(LENGTH, 1))
