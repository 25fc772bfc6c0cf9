"""What a person may ask for, declared once: each field with its type, bounds and one sentence.

The command line's options, a JSON file, the Python API and the documentation are all made of these
declarations, so a new option is one field. Light: nothing of ours that loads a library is
imported, and Pydantic builds its validators only when a request is made.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from tune_mnist.actions.field_texts import DATA_DIR, MOVED, RESULTS, S3_ENDPOINT
from tune_mnist.errors import Fault, InputError, input_error, nearest
from tune_mnist.quantities import Cores, Count, Fraction, Gpus, Seconds, Seed, Times
from tune_mnist.wording import displayed

_ADDRESS = "Running Ray cluster to search on: host:port, or auto; default a Ray of its own."
_DATASET = "mnist, fashion-mnist, digits, or a folder or file of images."
_TEST_SET = "standard (the data set's own) or holdout (20 % of training)."
_TRANSPOSED = "Exchange rows and columns of every image, for EMNIST."
_SKIP_BAD = "Train without the images that cannot be decoded, and name them."


class Request(BaseModel):
    """A request: frozen, JSON-ready, and without fields that do not exist."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True
    )
    has_subject: ClassVar[bool] = True
    """Whether its first field is what it is about, such as the search that is resumed."""

    @field_validator("dataset", check_fields=False)
    @classmethod
    def _storable(cls, given: str | None) -> str | None:
        return None if given is None else displayed(given)

    @field_validator("data_dir", check_fields=False)
    @classmethod
    def _from_anywhere(cls, given: Path | None) -> Path | None:
        """A search is resumed from other working directories."""
        if given is None:
            return None
        return Path(os.path.expanduser(given)).absolute()  # noqa: PTH111 - ~nobody stays as it is


class SearchRequest(Request):
    """Everything that may be asked of a search. None leaves it to the space file, or is no limit.

    Raises: pydantic.ValidationError (a ValueError): an unknown field or a value out of bounds;
        `read_request` gives the same as an `InputError`.
    """

    space: str = Field(
        description="A space that ships (see `spaces`), or the model of your own space file."
    )
    space_file: Path | None = Field(None, description="A space file of your own.")
    dataset: str | None = Field(None, description=_DATASET)
    data_dir: Path | None = Field(None, description=DATA_DIR)
    test_set: str = Field("standard", description=_TEST_SET)
    skip_bad_images: bool = Field(False, description=_SKIP_BAD)
    transposed: bool = Field(False, description=_TRANSPOSED)
    cpus: Count = Field(None, description="Cores for the whole search; default all.")
    gpus: Times = Field(
        None, description="GPUs for the whole search; default none, on a cluster all."
    )
    cpus_per_trial: Cores = Field(None, description="Cores of one trial.")
    gpus_per_trial: Gpus = Field(
        None, description="GPUs of one trial that trains on a GPU; a fraction shares one."
    )
    max_concurrent: Count = Field(None, description="Trials that run side by side at most.")
    sampler: str | None = Field(
        None, description="Search algorithm: grid, random, qmc, tpe, gp, cmaes or nsga2."
    )
    scheduler: str | None = Field(
        None, description="Early stopping: none, asha, hyperband, median or pbt."
    )
    objective: str | None = Field(
        None, description="What to optimise, for example val_accuracy,wall_time_s."
    )
    where: tuple[str, ...] = Field(
        (), description='What a winner must satisfy, for example "wall_time_s <= 60"; repeatable.'
    )
    fidelity: str | None = Field(
        None, description="Budget that early stopping increases: epochs or train_fraction."
    )
    within: float | None = Field(
        None, description="Also name the cheapest trial that is worse by at most this fraction."
    )
    trials: Count = Field(None, description="Trials to run at most.")
    time_budget_s: Seconds = Field(None, description="Seconds after which the search ends.")
    target: Fraction = Field(
        None, description="Validation accuracy (0 to 1) at which the search ends."
    )
    plateau: Count = Field(
        None, description="End after this many trials in a row without a better one."
    )
    trial_timeout_s: Seconds = Field(
        None, description="Seconds after which a trial is ended as failed."
    )
    retries: Times = Field(None, description="How often a failed trial runs again; default 0.")
    share: bool = Field(
        True,
        description="Train trials that differ only in epochs once; read the shorter ones off.",
    )
    keep_models: int = Field(
        1, ge=0, le=1000, description="Keep the models of this many of the best trials."
    )
    seed: Seed = Field(None, description="Seed of the sampler and of every trial.")
    name: str | None = Field(None, description="Name of this search in the store.")
    results: str | Path = Field("results", description=RESULTS)
    s3_endpoint: str | None = Field(None, description=S3_ENDPOINT)
    rerun: bool = Field(False, description="Run trials again that the store has already.")
    warm_start: str | None = Field(
        None, description="Learn from past trials: of a search, of a data set, or auto for all."
    )
    resume: str | None = Field(
        None, description="Resume this search of the store; see also the command `resume`."
    )
    allow_change: bool = Field(
        False, description="Resume although the space, the data or the code has changed."
    )
    confirm: Count = Field(
        None, description="Run this many of the best trials again on fresh seeds; see `confirm`."
    )
    seeds: int = Field(5, ge=2, description="Fresh seeds for each when confirming.")
    dashboard: bool = Field(False, description="Start Ray's dashboard on 127.0.0.1.")
    address: str | None = Field(None, description=_ADDRESS)

    @field_validator("where", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given


class ResumeRequest(Request):
    """Everything that may be asked when a search of the store is resumed."""

    search: str = Field(description="A search of the store.")
    trials: Count = Field(None, description="Trials in total, the finished ones included.")
    time_budget_s: Seconds = Field(None, description="Seconds from now after which it ends.")
    cpus: Count = Field(None, description="Cores for the whole search; default all.")
    gpus: Times = Field(None, description="GPUs for the whole search; default as before.")
    dataset: str | None = Field(None, description=MOVED)
    data_dir: Path | None = Field(None, description=DATA_DIR)
    results: str | Path = Field("results", description=RESULTS)
    s3_endpoint: str | None = Field(None, description=S3_ENDPOINT)
    allow_change: bool = Field(
        False, description="Resume although the data or the code has changed."
    )
    address: str | None = Field(None, description=_ADDRESS)


class ConfirmRequest(Request):
    """Everything that may be asked of a confirmation."""

    search: str = Field(description="A finished search of the store.")
    top: Count = Field(None, description="How many of the best trials to run again; default 3.")
    seeds: int = Field(5, ge=2, description="Fresh seeds for each trial at most.")
    cpus: Count = Field(None, description="Cores for all of it; default all.")
    gpus: Times = Field(None, description="GPUs for all of it; default as the search had.")
    dataset: str | None = Field(None, description=MOVED)
    data_dir: Path | None = Field(None, description=DATA_DIR)
    results: str | Path = Field("results", description=RESULTS)
    s3_endpoint: str | None = Field(None, description=S3_ENDPOINT)
    address: str | None = Field(None, description=_ADDRESS)


class ExportRequest(Request):
    """Everything that may be asked when a saved model is exported."""

    search: str = Field(description="A search of the store.")
    out: Path = Field(description="Folder to write; it must not exist yet.")
    trial: str | None = Field(None, description="Trial whose model to export; default the winner.")
    format: str | None = Field(
        None, description="onnx or pt2; default safetensors for a ResNet, skops for the others."
    )
    dataset: str | None = Field(None, description=MOVED)
    data_dir: Path | None = Field(None, description=DATA_DIR)
    results: str | Path = Field("results", description=RESULTS)
    s3_endpoint: str | None = Field(None, description=S3_ENDPOINT)


class DataRequest(Request):
    """Everything that may be asked when a data set is looked at."""

    dataset: str | None = Field(None, description=_DATASET)
    data_dir: Path | None = Field(None, description=DATA_DIR)
    test_set: str = Field("standard", description=_TEST_SET)
    skip_bad_images: bool = Field(False, description=_SKIP_BAD)
    transposed: bool = Field(False, description=_TRANSPOSED)


AnyRequest = TypeVar("AnyRequest", bound=Request)


def make_request(
    kind: type[AnyRequest],
    given: Mapping[str, Any],
    file: str = "",
    beside: Collection[str] = (),
) -> AnyRequest:
    """Return the request that these values make.

    Args:
        kind: which request.
        given: field to value.
        file: where the values come from, if from a file: faults name it.
        beside: fields whose values do not come from the file.

    Raises: InputError: one fault for each unknown, missing or unusable field.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        faults = {}
        for details in error.errors():
            name = str(details["loc"][0]) if details["loc"] else ""
            problem, fix = _in_words(kind, details["type"], name, given)
            where, key = (file, name) if file and name not in beside else (f"`{name}`", "")
            faults[name] = Fault(where, key, problem, fix)
        raise InputError(faults.values()) from None


def read_request(file: Path) -> dict[str, Any]:
    """Return the fields of a request in a JSON file, not yet checked.

    Raises: InputError: the file cannot be read or is not a JSON object.
    """
    import json

    try:
        given = json.loads(file.read_text("utf-8"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise input_error(file, problem, "name a JSON file that can be read") from None
    except (ValueError, RecursionError) as error:
        raise input_error(file, f"is not JSON: {error}", 'for example {"space": "which"}') from None
    if not isinstance(given, dict):
        raise input_error(file, "is not a JSON object", 'for example {"space": "which"}')
    return given


def asked(request: Request) -> dict[str, Any]:
    """Return a request as JSON-ready values, for the record: without defaults and the store."""
    return request.model_dump(
        mode="json", exclude_defaults=True, exclude={"results", "s3_endpoint"}
    )


def _in_words(
    kind: type[Request], error: str, name: str, given: Mapping[str, Any]
) -> tuple[str, str]:
    fields = kind.model_fields
    if error == "extra_forbidden":
        return "is not a field of this request", nearest(name, list(fields))
    if error == "missing":
        return "is missing", f"add it: {fields[name].description}"
    value = given.get(name, fields[name].default)
    return f"{value!r} is not {_expected(fields[name])}", f"for example {_example(fields[name])}"


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_LIMITS = {"ge": "of at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}


def _expected(field: FieldInfo) -> str:
    """Return what a field's value must be, in words: "a whole number of at least 1"."""
    limits = _limits(field)
    bounds = ", ".join(
        text.format(limits[name]) for name, text in _LIMITS.items() if name in limits
    )
    return f"{_KINDS.get(_kind(field), 'a path')} {bounds}".strip()


def _example(field: FieldInfo) -> str:
    """Return a value that the field takes."""
    limits, kind = _limits(field), _kind(field)
    if kind not in (int, float):
        return {bool: "true", str: '"text"'}.get(kind, '"folder/file"')
    low = limits.get("ge", limits.get("gt", 0))
    return str(low if "ge" in limits else limits["le"] / 2 if "le" in limits else low + 1)


def _limits(field: FieldInfo) -> dict[str, float]:
    rules = [(name, getattr(rule, name, None)) for rule in field.metadata for name in _LIMITS]
    return {name: value for name, value in rules if value is not None}


def _kind(field: FieldInfo) -> Any:
    annotations = (field.annotation, *get_args(field.annotation))
    return next((one for one in annotations if one in _KINDS), Path)
