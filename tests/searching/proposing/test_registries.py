"""Every name that the space language knows has an entry in its registry, and no other."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from tune_mnist.models.registry import find_model, hyperparameters_of, model_names
from tune_mnist.searching.on_ray.scheduling.schedulers import SCHEDULERS
from tune_mnist.searching.proposing.samplers import SAMPLERS
from tune_mnist.spaces import SamplerName, SchedulerName
from tune_mnist.training.resnet.train import ResnetConfig
from tune_mnist.training.svm.train import SvmConfig


def test_every_sampler_name_has_a_sampler() -> None:
    assert set(SAMPLERS) == set(get_args(SamplerName))


def test_every_scheduler_name_has_a_scheduler() -> None:
    assert set(SCHEDULERS) == set(get_args(SchedulerName))


def test_every_model_is_known_by_its_own_name() -> None:
    assert {"svm", "resnet"} <= set(model_names())
    assert [find_model(name).name for name in model_names()] == list(model_names())


def test_a_models_hyperparameters_are_its_configurations_fields() -> None:
    assert {field.name for field in fields(SvmConfig)} == set(hyperparameters_of("svm"))
    resnet = set(hyperparameters_of("resnet")) - {"device"}  # where a trial runs, not what
    assert {field.name for field in fields(ResnetConfig)} == resnet
