"""A search space as read from its file: parameters and points, objective, budget, resources.

A `Space` that came from `read_space` or `override` is right in every respect. It is frozen,
pickles, and `Space.model_validate(space.model_dump(mode="json"))` gives it back.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, field_validator, model_validator

from tune_mnist.spaces.domains import Domain, Section, broken_rule
from tune_mnist.spaces.hyperparameters import Config, ModelName

SamplerName = Literal["grid", "random", "qmc", "tpe", "gp", "cmaes", "nsga2"]
SchedulerName = Literal["none", "asha"]
Metric = Literal["val_accuracy", "val_loss"]
Mode = Literal["max", "min"]

BETTER: dict[Metric, Mode] = {"val_accuracy": "max", "val_loss": "min"}
"""The direction of each metric that a search may follow."""


def _whole_above_one(amount: float) -> float:
    if amount > 1 and amount != int(amount):
        whole = int(amount)
        raise broken_rule(f"{amount} is a fraction above 1", f"write {whole} or {whole + 1}")
    return amount


Amount = Annotated[float, AfterValidator(_whole_above_one)]


class Objective(Section):
    """What a search makes best; `mode` is by default the metric's own direction."""

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
        if metric in ("test_accuracy", "test_loss"):
            problem = f"{metric} never steers a search: its winner would be tuned to the test set"
            raise broken_rule(problem, "use val_accuracy")
        return metric

    @model_validator(mode="after")
    def _towards_the_better(self) -> Objective:
        if self.mode != BETTER[self.metric]:
            problem = f"mode {self.mode} would look for the worst {self.metric}"
            raise broken_rule(problem, f"write mode: {BETTER[self.metric]}")
        return self


class Search(Section):
    """How a search proposes, stops early and ends; None is no limit."""

    sampler: SamplerName = Field(default="tpe", description="a sampler")
    scheduler: SchedulerName = Field(default="none", description="a scheduler")
    trials: int | None = Field(
        default=None, ge=1, description="a whole number of at least 1", examples=[40]
    )
    time_budget_s: float | None = Field(
        default=None, gt=0, description="a number of seconds above 0", examples=[3600]
    )
    target: float | None = Field(
        default=None, gt=0, le=1, description="a fraction above 0, at most 1", examples=[0.98]
    )
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="a whole number from 0 to 2^32 - 1", examples=[0]
    )
    max_concurrent: int | None = Field(
        default=None, ge=1, description="a whole number of at least 1", examples=[4]
    )


class Resources(Section):
    """One trial's share of a machine; below 1, several trials share the core or the GPU."""

    cpu: Amount = Field(default=1.0, gt=0, description="a number of cores above 0", examples=[1])
    gpu: Amount = Field(
        default=0.0, ge=0, description="a number of GPUs, 0 or more", examples=[0.5]
    )


class Space(Section):
    """What to search, on which data, how and with what.

    Args:
        name: "svm", "report/svm", or the stem of one's own file.
        parameters: the domain of each hyperparameter that the file mentions.
        points: explicit configurations as the file gives them, lists expanded; evaluated first,
            or the whole space if there are no parameters. Not collapsed: see `configurations`.
    """

    name: str
    model: ModelName
    dataset: str
    parameters: dict[str, Domain] = Field(default={})
    points: Annotated[tuple[Config, ...], Strict(False)] = ()
    objective: Objective = Objective()
    search: Search = Search()
    resources: Resources = Resources()
