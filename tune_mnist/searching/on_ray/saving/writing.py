"""In the process of a trial: write its model if it may be among the best.

It goes into the folder of the search's candidates, or into one of this process, on a node of a
cluster that does not share that folder; then the driver fetches it (`fetching.py`).
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from tune_mnist.searching.history.keeping import may_lead
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.spaces import Space
from tune_mnist.store.files.sealing import seal
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model
from tune_mnist.training.options import Keep
from tune_mnist.wording import error_text

_UNTIL_THE_PROCESS_ENDS = ExitStack()


def keep_of(trial: dict[str, Any], space: Space, candidates: Path | None, most: int) -> Keep | None:
    """Return what writes the models of a trial that may be among the best; None if nobody wants it.

    Args:
        trial: as `run_trial` receives it; its "bar" is what it has to beat.
        space: of the search.
        candidates: the folder to write into; None keeps none.
        most: how many of the best keep their models.
    """
    model = find_model(space.model_of(trial["hyperparameters"]))
    save, bar = model.save, trial.get("bar")
    if save is None or bar is None or candidates is None:
        return None
    _forget_the_last_trial()

    def keep(measurement: Measurement, fitted: Fitted) -> None:
        if not may_lead({**measurement}, f"{trial['number']:05d}", bar, space.goal, most):
            return
        folder = None
        try:
            folder = _new_folder(candidates)
            save(fitted, folder)
            seal(folder)
        except Exception as error:  # the trial is a result without its model too
            measurement["not_saved"] = error_text(error)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            return
        measurement["saved"] = str(folder)

    return keep


def _new_folder(candidates: Path) -> Path:
    place = candidates if candidates.is_dir() else _own_folder()
    folder = place / secrets.token_hex(8)
    folder.mkdir()
    return folder


@cache
def _own_folder() -> Path:
    """Return a folder of this process, on a node that does not see the store."""
    return _UNTIL_THE_PROCESS_ENDS.enter_context(scratch_folder())


def _forget_the_last_trial() -> None:
    """Remove what the last trial of this process wrote: the driver has fetched what it wanted."""
    if _own_folder.cache_info().currsize:
        for old in _own_folder().iterdir():
            shutil.rmtree(old, ignore_errors=True)
