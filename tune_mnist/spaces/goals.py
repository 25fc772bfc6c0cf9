"""Read `objective` and `constraints`: what a search optimises, and what a winner must satisfy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.metrics import MEASURED, Constraint, parse_constraint
from tune_mnist.models.hyperparameters import shown
from tune_mnist.spaces.space import Objective
from tune_mnist.spaces.validation import gathering, validated


def read_objectives(raw: Any) -> tuple[Objective, ...]:
    """Return the objectives that a mapping or a list of mappings describes.

    Raises:
        InputError: every fault of every objective; an empty list, or a metric given twice.
    """
    if not isinstance(raw, list):
        return (validated(Objective, raw, "objective"),)
    if not raw:
        raise input_error("", "is empty", "add {metric: val_accuracy}", "objective")
    faults: list[Fault] = []
    found: list[Objective] = []
    for i, one in enumerate(raw):
        with gathering(faults):
            objective = validated(Objective, one, f"objective[{i}]")
            if objective.metric in [earlier.metric for earlier in found]:
                problem = f"{objective.metric} is given twice"
                raise input_error("", problem, "keep one of them", f"objective[{i}].metric")
            found.append(objective)
    if faults:
        raise InputError(faults)
    return tuple(found)


def read_constraints(raw: Any) -> tuple[Constraint, ...]:
    """Return the constraints in a list of texts such as "wall_time_s <= 60".

    Raises:
        InputError: every fault of every constraint.
    """
    if not isinstance(raw, list):
        fix = 'for example ["wall_time_s <= 60"]'
        raise input_error("", f"{shown(raw)} is not a list of constraints", fix, "constraints")
    faults: list[Fault] = []
    found: list[Constraint] = []
    for i, text in enumerate(raw):
        wrong: list[Fault] = []
        with gathering(wrong):
            found.append(parse_constraint(str(text), MEASURED))
        faults += [replace(fault, where="", key=f"constraints[{i}]") for fault in wrong]
    if faults:
        raise InputError(faults)
    return tuple(found)
