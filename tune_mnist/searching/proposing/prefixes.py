"""Shared prefixes: trials that differ only in their epochs are one training, measured on its way.

A ResNet's learning rate is constant, so a training of 3 epochs begins with the one of 2, number
for number. Where a space that can be listed asks for both, the longer one trains, measures at
2 epochs all that the shorter would have measured at its end (`Measurement.prefix`), and the
shorter one's row says `shared_with`. Equal accuracies with and without are a test.

Nothing else is derived: what changes time and not the result, `pin_memory`, is searched for its
time, so each of its trials runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tune_mnist.spaces import Config, Device, Space, config_key, configurations, size, trained_rungs

LENGTH = "epochs"

MAX_LISTED = 100_000
"""Configurations of a space that is listed whole: about a second, and 50 MB."""


def shared_lengths(space: Space, device: Device) -> tuple[int, ...]:
    """Return the epochs at which a longer training stands for a shorter trial; () if none does.

    Args:
        space: as read; `search.share` off, another model, a space too large to list and a
            scheduler that changes a trial on its way share nothing.
        device: where trials run.
    """
    changing = space.search.scheduler == "pbt" or trained_rungs(space)
    if space.model != "resnet" or not space.search.share or changing:
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
    """Return how many trainings a space that can be listed comes to."""
    return len({prefix_key(config) for config in configurations(space, device)})


def longest_first(configs: Iterable[Config]) -> Iterator[Config]:
    """Yield the configurations of one training together, the longest first.

    A training stands where the first of its configurations stood.
    """
    groups: dict[str, list[Config]] = defaultdict(list)
    for config in configs:
        groups[prefix_key(config)].append(config)
    for group in groups.values():
        yield from sorted(group, key=length_of, reverse=True)


def prefix_key(config: Config) -> str:
    """Return the configuration without its length: equal for what one training contains."""
    return config_key({name: value for name, value in config.items() if name != LENGTH})


def length_of(config: Config) -> int:
    """Return the configuration's epochs."""
    return int(config[LENGTH])
