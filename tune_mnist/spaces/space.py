"""A search space as read from its file: parameters and points, objectives, budget, resources.

`read_space` and `override` return a `Space` that has passed every check. It is frozen, can be
pickled, and survives a round trip: `Space.model_validate(space.model_dump(mode="json"))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    Strict,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from tune_mnist.metrics import (
    BETTER,
    MEASURED,
    NEVER_CHOOSE,
    Constraint,
    Goal,
    Metric,
    Mode,
    parse_constraint,
)
from tune_mnist.models.external import is_external
from tune_mnist.models.hyperparameters import Config, Device, Hyperparameter
from tune_mnist.models.registry import (
    hyperparameters_of,
    is_at_hand,
    is_model,
    no_model,
    usual_device,
)
from tune_mnist.quantities import Count, Fraction, Seconds
from tune_mnist.spaces.choices import SamplerName, SchedulerName
from tune_mnist.spaces.domains import (
    Domain,
    Section,
    When,
    as_list,
    broken_rule,
    distinct,
    type_of,
    values_of,
)

FidelityName = Literal["epochs", "train_fraction"]


SMALLEST_SHARE = 0.0001
"""Of a core or GPU: Ray counts them in ten thousandths, and grants no less."""


def _grantable(amount: float) -> float:
    if 0 < amount < SMALLEST_SHARE:
        problem = f"{amount:g} is less than Ray can grant"
        raise broken_rule(problem, f"write {SMALLEST_SHARE:g} or more")
    if amount > 1 and amount != int(amount):
        whole = int(amount)
        raise broken_rule(f"{amount} is a fraction above 1", f"write {whole} or {whole + 1}")
    return amount


def _model(name: str) -> str:
    if not is_model(name):
        raise broken_rule(*no_model(name))
    return name


def _has_epochs(model: str, given: dict[str, Any]) -> bool:
    return "epochs" in (
        given.get("parameters", {}) if is_external(model) else hyperparameters_of(model)
    )


def _trained_in_one_place(models: tuple[str, ...]) -> tuple[str, ...]:
    if len(models) > 1 and any(map(is_external, models)):
        problem = "names a model that is trained elsewhere beside others"
        raise broken_rule(problem, "search each by itself")
    return models


def _constraint(given: Any) -> Constraint:
    return given if isinstance(given, Constraint) else parse_constraint(given, MEASURED)


def _chosen(given: Any) -> Any:
    """Return the models that `model` names: one, or those of {choice: [...]}."""
    if isinstance(given, dict) and given.keys() == {"choice"}:
        return given["choice"]
    return as_list(given)


MODEL = "model"
"""The key of a configuration that says its model, where a space names several."""

Limit = Annotated[Constraint, PlainValidator(_constraint), PlainSerializer(str)]
ModelName = Annotated[str, AfterValidator(_model)]
Models = Annotated[
    tuple[ModelName, ...],
    Strict(False),
    BeforeValidator(_chosen),
    AfterValidator(distinct),
    AfterValidator(_trained_in_one_place),
]
Amount = Annotated[float, AfterValidator(_grantable)]


class Objective(Section):
    """A metric that a search optimises; `mode` defaults to the metric's better direction."""

    metric: Metric = Field(default="val_accuracy", description="a metric")
    mode: Mode = Field(default="max", description="a direction")

    @model_validator(mode="before")
    @classmethod
    def _fill_mode(cls, given: Any) -> Any:
        if isinstance(given, dict) and "mode" not in given and given.get("metric") in BETTER:
            return {**given, "mode": BETTER[given["metric"]]}
        return given

    @field_validator("metric", mode="before")
    @classmethod
    def _never_the_test_images(cls, metric: Any) -> Any:
        if isinstance(metric, str) and metric in NEVER_CHOOSE:
            problem = f"{metric} never steers a search: its winner would be tuned to the test set"
            raise broken_rule(problem, f"use {NEVER_CHOOSE[metric]}")
        return metric

    @model_validator(mode="after")
    def _towards_the_better(self) -> Objective:
        if self.mode != BETTER[self.metric]:
            problem = f"mode {self.mode} would look for the worst {self.metric}"
            raise broken_rule(problem, f"write mode: {BETTER[self.metric]}")
        return self


class Fidelity(Section):
    """The budget that a scheduler increases for the trials it continues.

    Args:
        parameter: epochs, or train_fraction (the fraction of the training images).
        rungs: for train_fraction, the fractions at which a trial is measured, the last one 1.0;
            the default is 1/9, 1/3 and 1. An SVM's cost grows faster than its number of images:
            with 9,000, the first two rungs add 31 to 70 % to the cost of the last. Epochs have
            no declared rungs, because every epoch is measured.
    """

    parameter: FidelityName = Field(default="epochs", description="a fidelity")
    rungs: Annotated[tuple[float, ...], Strict(False)] = Field(
        default=(), description="a list of fractions", examples=["[0.111, 0.333, 1.0]"]
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_rungs(cls, given: Any) -> Any:
        fraction = isinstance(given, dict) and given.get("parameter") == "train_fraction"
        return (
            {**given, "rungs": (1 / 9, 1 / 3, 1.0)} if fraction and "rungs" not in given else given
        )

    @field_validator("rungs")
    @classmethod
    def _up_to_the_whole(cls, rungs: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        fix = "for example [0.111, 0.333, 1.0]"
        if info.data.get("parameter") != "train_fraction":
            if rungs:
                raise broken_rule("epochs are measured one by one", "leave out rungs")
            return rungs
        if not rungs:
            raise broken_rule("is empty", fix)
        if wrong := [rung for rung in rungs if not 0 < rung <= 1]:
            raise broken_rule(f"{wrong[0]:g} is not a fraction above 0, at most 1", fix)
        if sorted(set(rungs)) != list(rungs):
            raise broken_rule(f"{list(rungs)} does not ascend", fix)
        if rungs[-1] != 1.0:
            raise broken_rule(f"ends at {rungs[-1]:g}, but a whole trial has fraction 1.0", fix)
        return rungs


class Search(Section):
    """How a search proposes trials, stops them early, and ends; None sets no limit."""

    sampler: SamplerName = Field(default="tpe", description="a sampler")
    scheduler: SchedulerName = Field(default="none", description="a scheduler")
    trials: Count = Field(default=None, description="a whole number of at least 1", examples=[40])
    time_budget_s: Seconds = Field(
        default=None, description="a number of seconds above 0", examples=[3600]
    )
    target: Fraction = Field(
        default=None, description="a fraction above 0, at most 1", examples=[0.98]
    )
    plateau: Count = Field(default=None, description="a whole number of at least 1", examples=[20])
    trial_timeout_s: Seconds = Field(
        default=None, description="a number of seconds above 0", examples=[600]
    )
    retries: int = Field(default=0, ge=0, description="a whole number, 0 or more", examples=[1])
    share: bool = Field(default=True, description="true or false", examples=["false"])
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="a whole number from 0 to 2^32 - 1", examples=[0]
    )
    max_concurrent: Count = Field(
        default=None, description="a whole number of at least 1", examples=[4]
    )


class Resources(Section):
    """What one trial gets: its bundle. With less than 1, several trials share a core or a GPU.

    Args:
        cpu: cores.
        gpu: GPUs, if the trial trains on one; else it gets none.
        when: the values that hyperparameters must have, "device" among them; {} for every trial.
    """

    cpu: Amount = Field(default=1.0, gt=0, description="a number of cores above 0", examples=[1])
    gpu: Amount = Field(default=1.0, gt=0, description="a number of GPUs above 0", examples=[0.5])
    when: When = Field(default={})

    def holds(self, config: Config) -> bool:
        """Return whether a trial gets this; its configuration must say the device."""
        return all(config.get(name) in values for name, values in self.when.items())


class Space(Section):
    """What to search, on which data set, by which method, with which resources.

    A space of several models is the union of one space a model (`parts`). A configuration of it
    says its model under the key "model", and holds that model's hyperparameters beside it.

    Args:
        name: `svm`, `report/svm`, or the stem of your own file.
        models: what is trained, one or several.
        parameters: the domain of each hyperparameter that the file searches or fixes; with several
            models under the name of both: "svm.C".
        points: explicit configurations in the file's order, with lists expanded. They are tried
            first, or are the whole space if there are no parameters. They may hold values that
            cannot matter; `configurations` leaves those out.
        objectives: one objective, or several to trade off against each other.
        constraints: what a winner must satisfy.
        fidelity: the budget that a scheduler increases; None if trials have no such budget.
        resources: a trial gets the first of these that holds for its configuration.
    """

    name: str
    models: Models
    dataset: str
    parameters: dict[str, Domain] = Field(default={})
    points: Annotated[tuple[Config, ...], Strict(False)] = ()
    objectives: Annotated[tuple[Objective, ...], Strict(False)] = Field(
        default=(Objective(),), min_length=1
    )
    constraints: Annotated[tuple[Limit, ...], Strict(False)] = ()
    fidelity: Fidelity | None = None
    search: Search = Search()
    resources: Annotated[tuple[Resources, ...], Strict(False)] = Field(
        default=(Resources(),), min_length=1
    )

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        filled = dict(given)
        if MODEL in filled:  # as files and stored plans write it
            filled["models"] = _chosen(filled.pop(MODEL))
        models = filled.get("models")
        known = isinstance(models, (list, tuple)) and all(map(is_at_hand, models))
        if known and models and all(_has_epochs(one, filled) for one in models):
            filled.setdefault("fidelity", Fidelity())
        if "objective" in filled:  # a stored plan from when there could be only one
            filled["objectives"] = [filled.pop("objective")]
        if isinstance(filled.get("resources"), dict):  # so is this; its gpu 0 stood for 1
            kept = {name: n for name, n in filled["resources"].items() if (name, n) != ("gpu", 0)}
            filled["resources"] = [kept]
        return filled

    @property
    def objective(self) -> Objective:
        """The first objective, which decides the winner."""
        return self.objectives[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, then those of the constraints."""
        followed = [one.metric for one in self.objectives]
        return tuple(dict.fromkeys([*followed, *(one.metric for one in self.constraints)]))

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write `model` as a file does: a stored plan of one model is what it always was."""
        dumped = dump(self)
        if models := dumped.pop("models", None):
            dumped[MODEL] = models[0] if len(models) == 1 else {"choice": list(models)}
        return dict(dumped)

    @property
    def several(self) -> bool:
        """Whether the space names several models."""
        return len(self.models) > 1

    @property
    def model(self) -> str:
        """The only model. Raises: ValueError: the space names several."""
        (model,) = self.models
        return model

    @property
    def declared(self) -> Mapping[str, Hyperparameter]:
        """What the configurations of its only model are made of.

        A model that is trained elsewhere declares nothing. Its hyperparameters are the space's
        parameters and what the points name, with the types of their values.
        """
        if not is_external(self.model):
            return hyperparameters_of(self.model)
        return {
            name: Hyperparameter(name.replace("_", " "), (type_of(values),), None)
            for name, values in values_of(self.parameters, self.points).items()
        }

    def model_of(self, config: Config) -> str:
        """Return the model that a configuration of this space is for."""
        return str(config[MODEL]) if self.several else self.model

    def hyperparameters(self, config: Config) -> Config:
        """Return a configuration as its model knows it."""
        return {n: value for n, value in config.items() if not (self.several and n == MODEL)}

    def proposed(self, model: str, hyperparameters: Config) -> Config:
        """Return a model's hyperparameters as a configuration of this space."""
        return {MODEL: model, **hyperparameters} if self.several else hyperparameters

    def parts(self) -> list[Space]:
        """Return the space of each model; only itself if it names one."""
        return [self.part(model) for model in self.models] if self.several else [self]

    def part(self, model: str) -> Space:
        """Return the space of one of the models, its parameters and points in the model's names."""
        if not self.several:
            return self
        own = {
            name.removeprefix(f"{model}."): domain
            for name, domain in self.parameters.items()
            if name.rpartition(".")[0] == model
        }
        points = [self.hyperparameters(one) for one in self.points if one[MODEL] == model]
        if self.parameters and not own and not points:
            points = [{}]  # its defaults
        change = {"models": (model,), "parameters": own, "points": tuple(points)}
        return self.model_copy(update=change)

    def resources_of(self, config: Config, device: Device) -> Resources:
        """Return what a trial gets.

        Args:
            config: its hyperparameters.
            device: where it runs unless they name a device.
        """
        model = self.model_of(config)
        known = {"device": usual_device(model, device), MODEL: model, **config}
        return next((one for one in self.resources if one.holds(known)), Resources())

    @property
    def goal(self) -> Goal:
        """What the winner is best in, and must satisfy."""
        return Goal(tuple(one.metric for one in self.objectives), self.constraints)
