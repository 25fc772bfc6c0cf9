"""The searches that make up the technical report's grids, and the trials the store still lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.actions.preparing import Prepared, prepare_space
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.errors import input_error, nearest
from tune_mnist.reproduction.runs import DATASETS, setting_text, stored_runs
from tune_mnist.reproduction.tables import best_named
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.spaces import Config, Device, Search, configurations, find_space, read_space
from tune_mnist.store.layout import records_folder

REPORT_PARTS = ("winners", "svm", "resnet", "devices")


@dataclass(frozen=True)
class GridRequest:
    """How much of the technical report's grids to run.

    Args:
        part: one of `REPORT_PARTS`; None for all, in that order.
        dataset: mnist or fashion-mnist; None for both.
        fraction: the fraction of the training images to use, in (0, 1].
        seeds: how many seeds each configuration runs with: 0, 1, ...

    Raises: InputError: the technical report has no such part or data set, or the fraction is out of
        bounds.
    """

    part: str | None = None
    dataset: str | None = None
    fraction: float = 1.0
    seeds: int = 1

    def __post_init__(self) -> None:
        if self.part not in (None, *REPORT_PARTS):
            raise input_error(
                "`part`", f"{self.part!r} is unknown", nearest(str(self.part), REPORT_PARTS)
            )
        if self.dataset not in (None, *DATASETS):
            problem = f"{self.dataset!r} is not in the technical report"
            raise input_error("`dataset`", problem, nearest(str(self.dataset), list(DATASETS)))
        if not 0 < self.fraction <= 1:
            problem = f"{self.fraction:g} is not in (0, 1]"
            raise input_error("`fraction`", problem, "for example 0.05")

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts to run, in order."""
        return REPORT_PARTS if self.part is None else (self.part,)

    @property
    def has_networks(self) -> bool:
        """Whether a ResNet is trained."""
        return self.parts != ("svm",)


@dataclass(frozen=True)
class Job:
    """One search of the reproduction: some configurations of a grid, a data set and a seed."""

    space: str
    dataset: str
    seed: int
    configs: tuple[Config, ...]

    def __str__(self) -> str:
        return f"{self.space} on {self.dataset}, seed {self.seed}"


def jobs(wanted: GridRequest, device: Device) -> Iterator[Job]:
    """Yield the searches of the wanted parts, for a machine whose ResNets run on this device."""
    for part in wanted.parts:
        for dataset in ["fashion-mnist"] if part == "devices" else DATASETS:
            if wanted.dataset not in (None, dataset):
                continue
            for space in ("resnet", "svm") if part == "winners" else (part,):
                configs = _grid(space, device)
                if part == "winners":
                    configs = _winners(configs, dataset)
                if wanted.fraction < 1:
                    configs = [{**one, "train_fraction": wanted.fraction} for one in configs]
                # An SVM gives the same result for every seed.
                for seed in range(1 if space == "svm" else wanted.seeds):
                    yield Job(f"report/{space}", dataset, seed, tuple(configs))


def _grid(space: str, device: Device) -> list[Config]:
    """Return the configurations of a grid; without a GPU, those that need one are left out."""
    listed = configurations(read_space(find_space(f"report/{space}")), device)
    return [config for config in listed if device == "gpu" or config.get("device") != "gpu"]


def _winners(configs: Sequence[Config], dataset: str) -> list[Config]:
    """Return those that the technical report's Tables 1 and 2 name as best on a data set."""
    best = best_named(dataset)
    return [config for config in configs if (_family(config), setting_text(config)) in best]


def _family(config: Config) -> str:
    return str(config.get("architecture") or config.get("kernel"))


def lacking(job: Job, device: Device, request: SearchRequest) -> list[Config]:
    """Return the job's configurations that no completed trial in the store has.

    A trial counts whatever version of the code ran it, because the page shows it too.

    Args:
        job: the search to complete.
        device: where a ResNet runs if its configuration names no device.
        request: its store and its test set count.
    """
    root = Path(request.results)
    if not records_folder(root).is_dir():
        return list(job.configs)
    runs = stored_runs(root)
    runs = runs[(runs["dataset"] == job.dataset) & (runs["seed"] == job.seed)]
    runs = runs[runs["test_set"] == request.test_set]
    columns = ["kind", "setting", "fraction", "device", "pin_memory"]
    # `pin_memory` may be None or NaN, which both mean that it was not given.
    done = {
        (*row[:-1], row[-1] is True) for row in runs[columns].itertuples(index=False, name=None)
    }

    def key(config: Config) -> tuple[object, ...]:
        on = config.get("device", "cpu" if job.space == "report/svm" else device)
        part = config.get("train_fraction", 1.0)
        pinned = config.get("pin_memory") is True
        return _family(config), setting_text(dict(config)), part, on, pinned

    return [config for config in job.configs if key(config) not in done]


def prepare_job(
    job: Job,
    configs: Sequence[Config],
    machine: Machine,
    request: SearchRequest,
    observer: Observer | None = None,
) -> Prepared:
    """Prepare the search that runs these configurations of a job.

    Args:
        job: the grid, data set and seed.
        configs: the configurations of the job to run.
        machine: its GPUs run the ResNets.
        request: its store, data folder, test set and cores are used.
        observer: sees how many image files are decoded.
    """
    grid = read_space(find_space(job.space))
    space = grid.model_copy(
        update={
            "dataset": job.dataset,
            "parameters": {},
            "points": tuple(configs),
            "search": Search(sampler="grid", seed=job.seed),
        }
    )
    of_job = {
        "space": job.space,
        "dataset": job.dataset,
        "seed": job.seed,
        "gpus": machine.gpus if space.model == "resnet" else 0,
        "rerun": True,  # `lacking` has left out what the store has
    }
    return prepare_space(space, request.model_copy(update=of_job), observer)
