"""What can be searched: spaces that ship, data sets and models of this service."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from tune_mnist.models.own import entry_points
from tune_mnist.models.registry import find_model, model_names
from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import TheService
from tune_mnist.serve.resources import DataSet, HyperparameterOut, ModelOut, SpaceOut
from tune_mnist.serve.service import answered
from tune_mnist.spaces import read_space, shipped_spaces, size

router = APIRouter(prefix="/api", tags=["offered"], responses=ANSWERS)


@router.get("/spaces", response_model=list[SpaceOut])
def get_spaces(request: Request) -> Response:
    """List the search spaces that ship, each with its file."""
    return answered(request, TypeAdapter(list[SpaceOut]).dump_json(_spaces()))


@router.get("/datasets", response_model=list[DataSet])
def get_datasets(request: Request, service: TheService) -> Response:
    """List the data sets that may be searched here."""
    found = [DataSet(name=name) for name in service.offered.datasets]
    return answered(request, TypeAdapter(list[DataSet]).dump_json(found))


@router.get("/models", response_model=list[ModelOut])
def get_models(request: Request) -> Response:
    """List the models that may be searched here, with their hyperparameters."""
    return answered(request, TypeAdapter(list[ModelOut]).dump_json(_models()))


@cache
def _spaces() -> list[SpaceOut]:
    found = []
    for name, file in shipped_spaces().items():
        space = read_space(file)
        found.append(
            SpaceOut(
                name=name,
                models=list(space.models),
                dataset=space.dataset,
                configurations=size(space, "cpu"),
                sampler=space.search.sampler,
                yaml=file.read_text("utf-8"),
            )
        )
    return found


@cache
def _models() -> list[ModelOut]:
    found = []
    for name in (*model_names(), *entry_points()):
        model = find_model(name)
        known = [
            HyperparameterOut(
                name=key, meaning=of.meaning, default=of.default, allowed=of.allowed()
            )
            for key, of in model.hyperparameters.items()
        ]
        found.append(
            ModelOut(name=name, noun=model.noun, on_gpu=model.on_gpu, hyperparameters=known)
        )
    return found
