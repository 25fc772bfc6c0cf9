"""What may be asked of a service over the network.

It is a `SearchRequest` without the fields that name a file, an address or a folder: no request
reaches the file system. A space of your own comes as a mapping, not as a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, create_model

from tune_mnist.actions.preparing import asked_space
from tune_mnist.actions.requests import (
    ConfirmRequest,
    Request,
    ResumeRequest,
    SearchRequest,
    make_request,
)
from tune_mnist.datasets import DATASET_NAMES
from tune_mnist.errors import input_error, nearest
from tune_mnist.models.own import entry_points
from tune_mnist.models.registry import model_names
from tune_mnist.spaces import Space, shipped_spaces

_OF_THE_SERVICE = {"results", "s3_endpoint", "address", "data_dir"}
_NOT_SERVED = _OF_THE_SERVICE | {
    *("space_file", "name", "resume", "allow_change", "dashboard", "confirm", "seeds", "within"),
}
"""The service knows the first ones; a name and a confirmation have resources of their own."""

MOST_TRIALS = 1_000_000


@dataclass(frozen=True)
class Offered:
    """Where a service's searches run, and what they may use.

    Args:
        results: the store, a folder or an address.
        s3_endpoint: of the store.
        address: of a running Ray cluster; None for this machine.
        data_dir: where MNIST and FashionMNIST are; None as for every search.
        data: name to folder or file of further data sets.
    """

    results: str
    s3_endpoint: str | None = None
    address: str | None = None
    data_dir: Path | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the data sets that may be searched."""
        return (*DATASET_NAMES, *(name for name in self.data if name not in DATASET_NAMES))


class _Body(Request):
    model_config = ConfigDict(defer_build=False)  # FastAPI builds on it at once


def _body_of(kind: type[Request], name: str, without: set[str], **own: Any) -> type[Request]:
    fields: dict[str, Any] = {
        key: (of.annotation, of) for key, of in kind.model_fields.items() if key not in without
    }
    made: type[Request] = create_model(name, __base__=_Body, **(fields | own))
    return made


if TYPE_CHECKING:
    SearchBody = SearchRequest
    ResumeBody = ResumeRequest
    ConfirmBody = ConfirmRequest
else:
    _SPACE = Field(
        description="A space that ships (see /api/spaces), or one of your own as an object."
    )
    SearchBody = _body_of(
        SearchRequest, "SearchBody", _NOT_SERVED, space=(str | dict[str, Any], _SPACE)
    )
    ResumeBody = _body_of(
        ResumeRequest, "ResumeBody", _OF_THE_SERVICE | {"search", "dataset", "allow_change"}
    )
    ConfirmBody = _body_of(ConfirmRequest, "ConfirmBody", _OF_THE_SERVICE | {"search", "dataset"})


def search_request(
    asked: Mapping[str, Any], search: str, offered: Offered, folder: Path
) -> tuple[SearchRequest, Space]:
    """Return the request that a body makes, and the space that it searches.

    Args:
        asked: the body's fields, as JSON.
        search: the search's name.
        offered: what the service offers.
        folder: an empty one of ours; a space of your own is written there.

    Raises: InputError: a field that cannot be used, or a data set or model that is not offered.
    """
    given = dict(asked)
    space = given.pop("space", None)
    if isinstance(space, Mapping):
        file = folder / f"{search}.yaml"
        file.write_text(json.dumps(space), "utf-8")  # JSON is YAML
        given["space_file"], given["space"] = file, _model_of(space)
    else:
        _check_shipped(space)
        given["space"] = space
    _check_dataset(given.get("dataset"), offered, "`dataset`")
    place = offered.data.get(str(given.get("dataset")))
    given |= {"name": search, **_where(offered)}
    request = make_request(SearchRequest, given)
    of_space = asked_space(request)
    if request.dataset is None:
        _check_dataset(of_space.dataset, offered, "`space`", "dataset")
        place = offered.data.get(of_space.dataset)
    _check_models(of_space)
    return request.model_copy(update={"dataset": place} if place else {}), of_space


def resume_request(asked: Mapping[str, Any], search: str, offered: Offered) -> ResumeRequest:
    """Return the request that resumes a search. Raises: InputError: a field cannot be used."""
    return make_request(ResumeRequest, {**asked, "search": search, **_where(offered)})


def confirm_request(asked: Mapping[str, Any], search: str, offered: Offered) -> ConfirmRequest:
    """Return the request that confirms a search. Raises: InputError: a field cannot be used."""
    return make_request(ConfirmRequest, {**asked, "search": search, **_where(offered)})


def _where(offered: Offered) -> dict[str, Any]:
    known = {name: getattr(offered, name) for name in _OF_THE_SERVICE}
    return {name: value for name, value in known.items() if value is not None}


def _model_of(space: Mapping[str, Any]) -> Any:
    """Return the first model that a space names; what is wrong with it, its own check says."""
    model = space.get("model")
    if isinstance(model, Mapping):
        choice = model.get("choice")
        return choice[0] if isinstance(choice, list) and choice else ""
    return model if isinstance(model, str) else ""


def _check_shipped(space: Any) -> None:
    """Raise InputError unless this is the name of a space that ships: no path is opened."""
    shipped = list(shipped_spaces())
    if space not in shipped:
        raise input_error("`space`", f"{space!r} is no space", nearest(str(space), shipped))


def _check_dataset(name: Any, offered: Offered, where: str, key: str = "") -> None:
    if name is not None and name not in offered.datasets:
        fix = nearest(str(name), offered.datasets)
        raise input_error(where, f"{name!r} is not a data set of this service", fix, key)


def _check_models(space: Space) -> None:
    """Raise InputError for a model whose code the service has not installed."""
    offered = (*model_names(), *entry_points())
    for model in space.models:
        if model not in offered:
            problem = f"{model!r} is not installed where this service runs"
            raise input_error("`space`", problem, nearest(model, offered), "model")
