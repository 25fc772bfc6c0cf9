"""The plan of a search: how many trials, on which bundles, how many at once, and what to know.

A plan is computed without Ray, so it can be shown before anything runs. The store keeps it in the
record of the search.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.code_hash import code_hash_of
from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.models.registry import usual_device
from tune_mnist.provenance import git_commit, host, versions
from tune_mnist.searching.planning.limits import check_grid, most_trials
from tune_mnist.searching.planning.machine import Cluster, Machine
from tune_mnist.searching.planning.places import Room, room_for, side_by_side
from tune_mnist.searching.proposing.prefixes import shared_lengths, trainings
from tune_mnist.spaces import Config, Device, Resources, Space, collapsed, possible_values, size
from tune_mnist.spaces.space import MODEL
from tune_mnist.store.plans import Granted, SearchRecord
from tune_mnist.training.images import LARGEST_KEPT, View
from tune_mnist.training.model import Engine, Planned, find_model
from tune_mnist.wording import displayed


@dataclass(frozen=True)
class Plan:
    """A search, ready to run.

    Args:
        space: the space with the request's overrides in it.
        device: where trials run, unless a configuration names its own device.
        cpus, gpus: the processors that the whole search may use.
        concurrency: trials side by side at most.
        configurations: distinct configurations in the space; None if it is infinite.
        trials: trials to run at most; None if only time or a target ends the search.
        lengths: epochs at which a longer training also measures a shorter trial (`prefixes.py`).
        engine: the implementation that trains the model which has several, and why it was chosen;
            None if there is one only.
        notes: a line for each thing that was collapsed, capped or ignored.
        cluster: that it runs on; None for a Ray of its own on this machine.
        keep_models: how many of the best trials keep their models.
    """

    space: Space
    device: Device
    cpus: int
    gpus: int
    concurrency: int
    configurations: int | None
    trials: int | None
    lengths: tuple[int, ...]
    engine: Engine | None
    notes: tuple[str, ...]
    cluster: Cluster | None = None
    keep_models: int = 1

    def bundle(self, config: Config, share: int = 1) -> dict[str, float]:
        """Return the Ray resources of a trial of this configuration.

        Args:
            config: its hyperparameters.
            share: how many bundles it gets, as far as the search has as much.
        """
        one = self.space.resources_of(config, self.device)
        usual = usual_device(self.space.model_of(config), self.device)
        on_gpu = config.get("device", usual) == "gpu"
        cpus = max(one.cpu, min(share * one.cpu, self.cpus))
        gpus = max(one.gpu, min(share * one.gpu, self.gpus))
        return {"cpu": cpus, "gpu": gpus if on_gpu else 0.0}

    def bundles(self) -> list[dict[str, float]]:
        """Return each kind of bundle that the plan's trials may ask for."""
        found = [
            {"cpu": one.cpu, "gpu": one.gpu if device == "gpu" else 0.0}
            for part in self.space.parts()
            for device in devices(part, self.device)
            for one in resources_on(part, device)
        ]
        return [one for i, one in enumerate(found) if one not in found[:i]]

    def room(self) -> Room:
        """Return how the trials share the search's processors."""
        return room_for(self.bundles(), self.cpus, self.gpus, self.cluster)

    def record(self, search: str, data: Dataset) -> SearchRecord:
        """Return the record of a search that begins now on this plan and data."""
        granted = Granted(
            cpus=self.cpus,
            gpus=self.gpus,
            bundles=tuple(self.bundles()),
            concurrency=self.concurrency,
        )
        return SearchRecord(
            search=search,
            space=self.space.model_dump(mode="json"),
            device=self.device,
            resources=granted,
            configurations=self.configurations,
            trials=self.trials,
            first_trials=self.space.search.trials,
            engine=self.engine,
            notes=(*self.notes, *data.notes),
            dataset=data.name,
            data_hash=data.content_hash,
            split=data.split,
            seed=self.space.search.seed,
            host=host(),
            versions=versions(),
            git_commit=git_commit(),
            code_hash=code_hash_of(self.space.models),
            model_files=own_files(self.space.models),
            started=datetime.now(timezone.utc).isoformat(),
        )


def own_files(models: Iterable[str]) -> dict[str, str]:
    """Return each model of your own among these, and the file of its code."""
    files = ((model, find_model(model).file) for model in models)
    return {model: displayed(file) for model, file in files if file}


def devices(space: Space, default: Device) -> list[Device]:
    """Return the devices that the trials of a space of one model run on."""
    named: set[Any] = {config["device"] for config in space.points if "device" in config}
    if "device" in space.parameters:
        named |= set(space.parameters["device"].values())
    return sorted(named) or [usual_device(space.model, default)]


def resources_on(space: Space, device: Device) -> list[Resources]:
    """Return what trials on this device may get, in a space of one model."""
    found = []
    known = {"device": device, MODEL: space.model}
    for one in space.resources:
        others = {name: values for name, values in one.when.items() if name not in known}
        if all(value in one.when.get(name, (value,)) for name, value in known.items()):
            found.append(one)
            if not others:
                return found
    return [*found, Resources()]


def plan_search(space: Space, *, cpus: int | None, gpus: int | None, machine: Machine) -> Plan:
    """Decide how the space is searched on this machine or cluster.

    Args:
        space: with the request's overrides in it.
        cpus: cores for the whole search; None for all.
        gpus: GPUs for the whole search; None for none, and on a cluster for all.
        machine: what there is.

    Raises:
        InputError: more GPUs than there are, a number format that the processor lacks, a bundle
            that never fits, a search without an end, a sampler or scheduler that cannot work on
            the space.
    """
    # Here, because Optuna is not loaded in the processes of trials, which import this module.
    from tune_mnist.searching.proposing.samplers import helper

    notes = [f"{model}: the code in {file}" for model, file in own_files(space.models).items()]
    gpus = _usable_gpus(space, gpus, machine, notes)
    cores = _usable_cpus(cpus, machine, notes)
    device: Device = "gpu" if gpus else "cpu"
    for part in space.parts():
        _check_devices(part, device)
        _check_precision(part, device, machine)
    notes += collapsed(space, device)
    if left_to_another := helper(space, device):
        notes.append(left_to_another)
    count = size(space, device)
    check_grid(space, count)
    lengths = shared_lengths(space, device)
    notes += _sharing(space, device, lengths)
    plan = Plan(
        space=space,
        device=device,
        cpus=cores,
        gpus=gpus,
        concurrency=1,
        configurations=count,
        trials=most_trials(space, count),
        lengths=lengths,
        engine=None,
        notes=tuple(notes),
        cluster=machine.cluster,
    )
    return replace(plan, concurrency=concurrency(plan))


def _sharing(space: Space, device: Device, lengths: tuple[int, ...]) -> list[str]:
    """Return a line on what is trained once for several trials, and on what is not."""
    if not lengths:
        return []
    count, many = size(space, device), trainings(space, device)
    at = " and ".join(map(str, lengths))
    lines = [
        f"epochs: {many} trainings cover {count} configurations; the shorter ones are read off "
        f"after {at} epochs (`share=false` trains each by itself)"
    ]
    if device == "gpu" and any("pin_memory" in part.parameters for part in space.parts()):
        lines.append("pin_memory: changes only the time, so each of its trials runs")
    return lines


def _usable_gpus(space: Space, asked: int | None, machine: Machine, notes: list[str]) -> int:
    models = [find_model(model) for model in space.models]
    on_gpu = any(model.on_gpu for model in models)
    if asked is None:
        asked = machine.gpus if machine.cluster and on_gpu else 0
    if asked < 0:
        raise input_error("`gpus`", f"{asked} is negative", "use 0 or more")
    if asked > machine.gpus:
        seen = f"torch sees {machine.gpus} CUDA device(s) on this machine"
        fix = f"use `gpus={machine.gpus}`, or install a GPU and its driver"
        if machine.cluster:
            seen = f"the cluster at {machine.cluster.address} has {machine.gpus}"
            fix = f"use `gpus={machine.gpus}`, or add nodes with GPUs"
        raise input_error("`gpus`", f"{asked} asked for, but {seen}", fix)
    for model in models:
        if asked and not model.on_gpu:
            free = "" if on_gpu else "; the GPUs stay free"
            notes.append(f"`gpus`: {model.noun} trains on the CPU{free}")
    if not on_gpu:
        return 0
    if not asked and machine.gpus:
        notes.append(f"{_named(machine)} has {machine.gpus} GPU(s); `gpus=1` would use one")
    return asked


def _usable_cpus(cpus: int | None, machine: Machine, notes: list[str]) -> int:
    if cpus is None:
        return machine.cpus
    if cpus < 1:
        raise input_error("`cpus`", f"{cpus} is less than 1", "use 1 or more")
    if cpus > machine.cpus:
        has = f"{_named(machine)} has {machine.cpus}"
        notes.append(f"`cpus`: {cpus} asked for, {has}; using those")
    return min(cpus, machine.cpus)


def _named(machine: Machine) -> str:
    return "the cluster" if machine.cluster else "this machine"


def _check_devices(space: Space, device: Device) -> None:
    if device == "cpu" and "gpu" in devices(space, device):
        raise input_error(
            space.name,
            "has configurations with device gpu, but the search has no GPU",
            "add `gpus=1` on a machine with a GPU, or leave gpu out",
            key="parameters.device",
        )


def _check_precision(space: Space, device: Device, machine: Machine) -> None:
    """Refuse bfloat16 on a processor that would only emulate it; on a GPU its trials decide."""
    asked = [config for config in space.points if "precision" in config]
    if domain := space.parameters.get("precision"):
        on = domain.when.get("device", devices(space, device))
        asked += [{"precision": one, "device": where} for one in domain.values() for where in on]
    for config in asked:
        on_cpu = config.get("device", device) == "cpu"
        if on_cpu and config["precision"] == "bfloat16" and machine.bfloat16 is False:
            raise input_error(
                space.name,
                "bfloat16, but torch finds no instructions for it on this processor",
                "use float32, or leave precision out",
                key="parameters.precision",
            )


def concurrency(plan: Plan) -> int:
    """Return how many trials fit side by side; raise InputError if one bundle never fits."""
    for bundle in plan.bundles():
        for name, there in (("cpu", plan.cpus), ("gpu", plan.gpus)):
            if bundle[name] > there:
                raise input_error(
                    f"`{name}s_per_trial`",
                    f"{bundle[name]:g} asked for one trial, and the search has {there}",
                    f"use at most {there}, or raise `{name}s`",
                )
    fits = side_by_side(plan.bundles(), plan.room(), plan.cluster)
    limits = [plan.trials, plan.space.search.max_concurrent]
    return min([fits, *(limit for limit in limits if limit is not None)])


def with_engine(plan: Plan, data: Dataset, machine: Machine) -> Plan:
    """Return the plan with the engine that trains its model on this data, if there are several."""
    part = with_engines(plan.space)
    if part is None:
        return plan
    planned = Planned(
        values=partial(possible_values, part),
        views=views(part),
        train=len(data.train),
        evaluated=len(data.val) + len(data.test),
        classes=len(data.classes),
        memory_bytes=machine.memory_bytes,
    )
    return replace(plan, engine=find_model(part.model).choose_engine(planned))


def with_engines(space: Space) -> Space | None:
    """Return the part of the space whose model has several engines; None if none has."""
    return next((part for part in space.parts() if find_model(part.model).has_engines), None)


def notes_before(plan: Plan, data: Dataset) -> tuple[str, ...]:
    """Return what a person should read before it runs: of the data, then of the plan."""
    images = data.train.images
    seen = (line for part in plan.space.parts() for line in seen_note(part, images))
    return (*data.described(), *seen, *_no_model_notes(plan), *plan.notes)


def _no_model_notes(plan: Plan) -> list[str]:
    """Return a line for each model that cannot be saved, though its search would keep some."""
    models = [find_model(name) for name in plan.space.models] if plan.keep_models else []
    return [
        f"{model.name}: no model is kept, for it does not say how to save one"
        for model in models
        if model.save is None
    ]


def seen_note(space: Space, images: npt.NDArray[np.uint8]) -> tuple[str, ...]:
    """Return a line on how the models see the images; none if they see them as they are stored.

    Args:
        space: of one model, whose configurations are trained.
        images: (n, h, w) or (n, h, w, 3), as stored.
    """
    height, width = images.shape[1:3]
    usual = find_model(space.model).side(images)
    if usual is None and max(height, width) > LARGEST_KEPT:
        usual = LARGEST_KEPT
    sides = sorted({view.side or usual or 0 for view in views(space)})  # 0: as stored
    sizes = [(side, side) if side else (width, height) for side in sides]
    greys = {view.colour == "grey" for view in views(space)} if images.ndim == 4 else {False}
    if sizes == [(width, height)] and greys == {False}:
        return ()
    also = ", in colour and in grey" if len(greys) > 1 else ", in grey" if True in greys else ""
    pixels = " or ".join(f"{across}x{down}" for across, down in sizes)
    return (f"{space.model}: sees the images at {pixels} pixels{also}",)


def views(space: Space) -> set[View]:
    """Return the ways in which configurations of a space of one model see the images."""
    sides, colours = possible_values(space, "image_size"), possible_values(space, "colour")
    return {
        View(side if isinstance(side, int) else None, "grey" if colour == "grey" else "keep")
        for side in sides
        for colour in colours
    }
