"""In the driver: fetch the models that trials have saved on nodes that do not see the store."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tune_mnist.searching.observer import Row
from tune_mnist.searching.on_ray.saving.carrying import carry, sender_on
from tune_mnist.searching.on_ray.session.nodes import Node
from tune_mnist.wording import error_text


def bring_models(measurements: Iterable[Row], candidates: Path, node: Node | None) -> list[str]:
    """Fetch the models that a trial has saved on its node, if they are not here.

    Args:
        measurements: of the trial; their `saved` says then where the model is here, and is removed
            if it cannot be fetched.
        candidates: the folder of this machine for them.
        node: that the trial ran on; None for this machine.

    Returns: why a model was not saved or cannot be fetched, a line each.
    """
    problems = []
    for one in _with_prefixes(measurements):
        if "not_saved" in one:
            problems.append(str(one["not_saved"]))
        if "saved" not in one or (node is None or Path(one["saved"]).is_dir()):
            continue
        target = candidates / secrets.token_hex(8)
        try:
            carry(Path(one["saved"]), sender_on(node.id), target, "saved model")
            one["saved"] = str(target)
        except Exception as error:  # of Ray, of the node's disk or of ours
            shutil.rmtree(target, ignore_errors=True)
            del one["saved"]
            problems.append(error_text(error))
    return problems


def not_timed(measurements: Iterable[Row]) -> list[str]:
    """Return why a trial's latencies are missing, a line each."""
    return [str(one["not_timed"]) for one in _with_prefixes(measurements) if "not_timed" in one]


def _with_prefixes(measurements: Iterable[Row]) -> Iterator[Row]:
    for one in measurements:
        yield one
        if prefix := one.get("prefix"):
            yield prefix
