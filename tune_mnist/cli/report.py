"""`report`: run what the technical report's grids still lack, and show its figures beside ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.search import RESULTS
from tune_mnist.errors import input_error, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.search.planning.machine import Machine
    from tune_mnist.spaces import Config, Device

PARTS = ("winners", "svm", "resnet", "devices")

report_app = typer.Typer(
    help="The technical report that this project grew out of, reproduced and audited.",
    no_args_is_help=True,
)


@dataclass(frozen=True)
class Job:
    """One search of the reproduction: what of a grid, on which data set, on which seed."""

    space: str
    dataset: str
    seed: int
    configs: tuple[Config, ...]


@report_app.command()
def html(
    file: Annotated[Path, typer.Argument(help="The page to write: one self-contained file.")],
    results: Annotated[Path, typer.Option(help="Folder of the results store.")] = RESULTS,
) -> None:
    """Write the report's tables, figures and claims, published and ours side by side."""
    from tune_mnist.reproduction.page import write_report

    write_report(results, file)
    print(f"wrote {file}")


@report_app.command()
def run(
    part: Annotated[
        str | None,
        typer.Option(help="winners, svm, resnet or devices; default all, in this order."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="mnist or fashion-mnist alone; default both.")
    ] = None,
    fraction: Annotated[
        float, typer.Option(help="Part of the training images, in (0, 1]; labelled wherever shown.")
    ] = 1.0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of each configuration.")] = 1,
    test_set: Annotated[
        str, typer.Option(help="standard (10,000 images) or holdout (the 12,000 of the text).")
    ] = "standard",
    cpus: Annotated[int | None, typer.Option(help="Cores for all of it; default all.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="TUNE_MNIST_DATA", help="Where to look for data sets first."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the results store.")] = RESULTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run.")] = False,
) -> None:
    """Run what the report's grids still lack in the store; call it again to go on."""
    from rich.console import Console

    from tune_mnist.search.planning.machine import this_machine

    _check(part, dataset, fraction)
    parts = [part] if part else list(PARTS)
    machine = this_machine(ask_torch=parts != ["svm"])
    device: Device = "gpu" if machine.gpus else "cpu"
    console = Console()
    if "devices" in parts and device == "cpu":
        console.print("no GPU here: of devices the CPU half runs", style="yellow")
    for job in jobs(parts, device, fraction=fraction, seeds=seeds):
        if dataset not in (None, job.dataset):
            continue
        left = lacking(results, job, device, test_set)
        what = f"{job.space} on {job.dataset}, seed {job.seed}"
        console.print(f"{what}: {len(left)} of {len(job.configs)} to run", highlight=False)
        if left and not dry_run:
            _run_job(job, left, machine, test_set, cpus, data_dir, results, console)


def _check(part: str | None, dataset: str | None, fraction: float) -> None:
    from tune_mnist.reproduction.runs import DATASETS

    if part not in (None, *PARTS):
        raise input_error("--part", f"{part!r} is unknown", nearest(str(part), PARTS))
    if dataset not in (None, *DATASETS):
        fix = nearest(str(dataset), list(DATASETS))
        raise input_error("--dataset", f"{dataset!r} is not in the report", fix)
    if not 0 < fraction <= 1:
        raise input_error("--fraction", f"{fraction:g} is not in (0, 1]", "for example 0.05")


def jobs(parts: Sequence[str], device: Device, *, fraction: float, seeds: int) -> Iterator[Job]:
    """Yield the searches that the parts of the report consist of on this device."""
    from tune_mnist.reproduction.runs import DATASETS

    for part in parts:
        for dataset in ["fashion-mnist"] if part == "devices" else DATASETS:
            for space in ("resnet", "svm") if part == "winners" else (part,):
                configs = _grid(space, device)
                if part == "winners":
                    configs = _winners(configs, dataset)
                if fraction < 1:
                    configs = [{**config, "train_fraction": fraction} for config in configs]
                for seed in range(1 if space == "svm" else seeds):  # an SVM is the same for each
                    yield Job(f"report/{space}", dataset, seed, tuple(configs))


def _grid(space: str, device: Device) -> list[Config]:
    """Return a grid's configurations, less those that need a GPU where there is none."""
    from tune_mnist.spaces import configurations, find_space, read_space

    listed = configurations(read_space(find_space(f"report/{space}")), device)
    return [config for config in listed if device == "gpu" or config.get("device") != "gpu"]


def _winners(configs: Sequence[Config], dataset: str) -> list[Config]:
    """Return those that the report names best on a data set: in Table 1 and in Table 2."""
    from tune_mnist.reproduction.runs import setting_text
    from tune_mnist.reproduction.tables import best_named

    best = best_named(dataset)
    return [config for config in configs if (_kind(config), setting_text(config)) in best]


def _kind(config: Config) -> str:
    return str(config.get("architecture") or config.get("kernel"))


def lacking(root: Path, job: Job, device: Device, test_set: str) -> list[Config]:
    """Return the job's configurations that no completed trial of the store has, by any code.

    The page shows a cell whatever code it came from, so what it shows is not run again.
    """
    from tune_mnist.reproduction.runs import setting_text, stored_runs
    from tune_mnist.store.layout import plans_folder

    if not plans_folder(root).is_dir():
        return list(job.configs)
    runs = stored_runs(root)
    runs = runs[(runs["dataset"] == job.dataset) & (runs["seed"] == job.seed)]
    runs = runs[runs["test_set"] == test_set]
    columns = ["kind", "setting", "fraction", "device", "pin_memory"]
    # None and NaN are both "not said"; text compares them alike.
    done = {
        (*row[:-1], row[-1] is True) for row in runs[columns].itertuples(index=False, name=None)
    }

    def key(config: Config) -> tuple[object, ...]:
        on = config.get("device", "cpu" if job.space == "report/svm" else device)
        part = config.get("train_fraction", 1.0)
        pinned = config.get("pin_memory") is True
        return _kind(config), setting_text(dict(config)), part, on, pinned

    return [config for config in job.configs if key(config) not in done]


def _run_job(
    job: Job,
    configs: Sequence[Config],
    machine: Machine,
    test_set: str,
    cpus: int | None,
    data_dir: Path | None,
    results: Path,
    console: Console,
) -> None:
    from tune_mnist.cli.running import run_planned
    from tune_mnist.cli.search import load_data, new_name
    from tune_mnist.search.planning.plan import plan_search, with_engine
    from tune_mnist.spaces import Search, find_space, read_space

    space = read_space(find_space(job.space)).model_copy(
        update={
            "dataset": job.dataset,
            "parameters": {},
            "points": tuple(configs),
            "search": Search(sampler="grid", seed=job.seed),
        }
    )
    gpus = machine.gpus if space.model == "resnet" else 0
    plan = plan_search(space, cpus=cpus, gpus=gpus, machine=machine)
    data = load_data(job.dataset, data_dir, test_set)
    plan = with_engine(plan, data, machine)
    run_planned(
        plan,
        data,
        results,
        new_name(space, data),
        memory=None,
        console=console,
        began=time.monotonic(),
    )
