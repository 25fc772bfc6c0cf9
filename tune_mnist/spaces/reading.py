"""Read a space file into a `Space`, and change a space by the values of a request.

Each part is read separately, so that every fault is found. Once all parts are right, checks.py
looks for contradictions between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.models.external import EXTERNAL, is_external
from tune_mnist.models.hyperparameters import shown
from tune_mnist.models.registry import find_model, import_model
from tune_mnist.spaces.checks import contradictions
from tune_mnist.spaces.domains import Section
from tune_mnist.spaces.goals import read_constraints, read_objectives
from tune_mnist.spaces.parameters import free_faults, read_parameters, read_points, read_resources
from tune_mnist.spaces.shipped import space_name
from tune_mnist.spaces.space import Fidelity, Models, Resources, Search, Space
from tune_mnist.spaces.strict_yaml import read_yaml
from tune_mnist.spaces.validation import gathering, validated

_FIELDS = {
    "resources.cpu": "cpus_per_trial",
    "resources.gpu": "gpus_per_trial",
    "constraints": "where",
    "objective.metric": "objective",
    "fidelity.parameter": "fidelity",
    "fidelity.rungs": "fidelity",
}
"""The request's field for a key of the file, where the two names differ."""


class _File(Section):
    """The top level of a space file, before its parts are read."""

    model: Models = Field(description="a model", examples=["logistic"])
    dataset: str = Field(min_length=1, description="the name of a data set", examples=["mnist"])
    parameters: dict[str, Any] = Field(
        default={},
        description="a mapping from parameters to domains",
        examples=["{C: {log_uniform: [0.1, 100.0]}}"],
    )
    points: list[Any] = Field(
        default=[],
        min_length=1,
        description="a list of configurations",
        examples=["- {kernel: rbf, C: [0.1, 1.0]}"],
    )
    objective: Any = None
    constraints: Any = None
    fidelity: Any = None
    search: Any = None
    resources: Any = None


@dataclass(frozen=True)
class Overrides:
    """The values of a request that replace those of the space file.

    Args:
        dataset: name of the data set; None keeps the file's.
        objective: the metrics, separated by commas; None keeps the file's.
        where: constraints to add to the file's.
        fidelity: the fidelity's parameter; None keeps the file's.
        search, resources: values of `Search` and `Resources` by key; None as a value keeps the
            file's.
    """

    dataset: str | None = None
    objective: str | None = None
    where: Sequence[str] = ()
    fidelity: str | None = None
    search: Mapping[str, object] = field(default_factory=dict)
    resources: Mapping[str, object] = field(default_factory=dict)

    def given(self) -> set[str]:
        """Return the request's fields that have a value here."""
        own = {name: getattr(self, name) for name in ("dataset", "objective", "where", "fidelity")}
        own |= {**self.search, **{f"{key}s_per_trial": n for key, n in self.resources.items()}}
        return {name for name, value in own.items() if value not in (None, ())}


def read_space(path: Path, own: Overrides | None = None) -> Space:
    """Read a space file and check it, with a request's own values if there are any.

    The rules are judged once, on the whole: a request may repair what is wrong in the file.

    Args:
        path: a YAML file in the language of search_spaces/*.yaml.
        own: values that replace those of the file.

    Raises:
        InputError: every fault, one line each. It names the request's field where the fault is in
            a value of the request, else the file and the key.
    """
    own = own or Overrides()
    tree = read_yaml(path)
    if isinstance(tree, dict) and is_external(tree.get("model")):
        fix = "give it to a service, and train its trials yourself; or name a model to train here"
        raise input_error(path, f"{tree['model']} is trained elsewhere", fix, "model")
    try:
        space = _space(tree, space_name(path), path.parent)
    except InputError as error:
        raise error.located(path) from None
    changed = _changed(space, own)
    if faults := contradictions(changed):
        given = own.given()
        raise InputError(
            _in_request(fault) if _name(fault.key) in given else replace(fault, where=str(path))
            for fault in faults
        )
    return changed


def read_external(given: Mapping[str, Any]) -> Space:
    """Return the space of a search whose trials are trained elsewhere; its name is its model's.

    Args:
        given: what a space file would hold, with `model: external` or `model: external/name`.

    Raises: InputError: every fault; each names the key, and no file.
    """
    model = given.get("model", EXTERNAL)
    if not is_external(model):
        fix = f"write {EXTERNAL}, or {EXTERNAL}/name with a name of letters, digits, '.', '_', '-'"
        raise input_error("", f"{shown(model)} is not trained elsewhere", fix, "model")
    space = _space({**given, "model": model}, model, Path())
    if faults := contradictions(space):
        raise InputError(faults)
    return space


def override(space: Space, own: Overrides) -> Space:
    """Return the space with a request's own values, checked again.

    Raises:
        InputError: every fault; each names the request's field.
    """
    changed = _changed(space, own)
    if faults := contradictions(changed):
        raise InputError(map(_in_request, faults))
    return changed


def _changed(space: Space, own: Overrides) -> Space:
    """Return the space with a request's own values, each right by itself."""
    faults: list[Fault] = []
    parts: dict[str, Any] = {}
    if own.dataset is not None:
        parts["dataset"] = own.dataset
        if not own.dataset:
            faults.append(Fault("", "dataset", "is empty", "for example mnist"))
    with gathering(faults):
        if own.objective is not None:
            named = [{"metric": name.strip()} for name in own.objective.split(",")]
            parts["objectives"] = read_objectives(named)
    with gathering(faults):
        parts["constraints"] = space.constraints + read_constraints(list(own.where))
    with gathering(faults):
        if own.fidelity not in (None, space.fidelity and space.fidelity.parameter):
            parts["fidelity"] = validated(Fidelity, {"parameter": own.fidelity}, "fidelity")
    with gathering(faults):
        parts["search"] = validated(Search, _with(space.search, own.search), "search")
    with gathering(faults):
        parts["resources"] = tuple(
            validated(Resources, _with(one, own.resources), "resources") for one in space.resources
        )
    if faults:
        raise InputError(map(_in_request, faults))
    return space.model_copy(update=parts)


def _known_models(named: Any, folder: Path) -> tuple[str, ...]:
    """Return the models' names, if they are any; a model of your own is imported.

    Raises: InputError: it cannot be.
    """
    try:
        models = TypeAdapter(Models).validate_python(named)
    except ValidationError:  # the file's own check names its faults
        return ()
    for model in models:
        import_model(model, [folder])
    return models


def _searched(models: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a file that has none: what each model says of itself."""
    several = len(models) > 1
    return {
        f"{model}.{name}" if several else name: domain
        for model in models
        for name, domain in find_model(model).searched.items()
    }


def _with(section: Section, own: Mapping[str, object]) -> dict[str, object]:
    """Return a section's values, with those of the request that are not None."""
    given = {name: value for name, value in own.items() if value is not None}
    return {**section.model_dump(), **given}


def _in_request(fault: Fault) -> Fault:
    return replace(fault, where=f"`{_name(fault.key)}`", key="")


def _name(key: str) -> str:
    """Return the request's field for a key of the file."""
    key = key.partition("[")[0]  # "constraints[0]": one of several
    return _FIELDS.get(key, key.rpartition(".")[2])


def _space(tree: Any, name: str, folder: Path) -> Space:
    """Return the space that a file in a folder describes, its parts not yet judged together.

    The faults do not name the file.
    """
    if not isinstance(tree, dict):
        fix = "begin with a line such as `model: svm`"
        raise input_error("", f"{shown(tree)} is not a mapping", fix)
    faults: list[Fault] = []
    with gathering(faults):
        validated(_File, tree, "")
    models: tuple[str, ...] = ()
    with gathering(faults):
        models = _known_models(tree.get("model"), folder)
    parameters, points = tree.get("parameters", {}), tree.get("points", [])
    free = any(map(is_external, models))
    declaring = () if free else models
    if models and not {"parameters", "points"} & tree.keys():
        parameters = _searched(models)
    parts: dict[str, Any] = {"name": name, "models": models, "dataset": tree.get("dataset")}
    with gathering(faults):
        if isinstance(parameters, dict):
            parts["parameters"] = read_parameters(parameters, declaring)
    with gathering(faults):
        if isinstance(points, list):
            parts["points"] = read_points(points, declaring)
    with gathering(faults):
        parts["objectives"] = read_objectives(tree.get("objective", {}))
    with gathering(faults):
        parts["constraints"] = read_constraints(tree.get("constraints", []))
    with gathering(faults):
        if "fidelity" in tree:
            parts["fidelity"] = validated(Fidelity, tree["fidelity"], "fidelity")
    with gathering(faults):
        parts["search"] = validated(Search, tree.get("search", {}), "search")
    with gathering(faults):
        parts["resources"] = read_resources(tree.get("resources", {}), declaring)
    if free:
        faults += free_faults(parts.get("parameters", {}), parts.get("points", ()))
    if faults:
        raise InputError(faults)
    space = Space.model_validate(parts)
    listed = not space.parameters and "sampler" not in (tree.get("search") or {})
    if listed:  # its own order is what a list of points asks for
        grid = space.search.model_copy(update={"sampler": "grid"})
        return space.model_copy(update={"search": grid})
    return space
