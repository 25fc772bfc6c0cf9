"""Read `objective` and `constraints`: what a search makes best, and what a winner must satisfy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.metrics import MEASURED, Constraint, parse_constraint
from tune_mnist.spaces.hyperparameters import shown
from tune_mnist.spaces.space import Objective
from tune_mnist.spaces.validation import gathering, validated


def read_objectives(raw: Any) -> tuple[Objective, ...]:
    """Return the objectives that a mapping, or a list of mappings, describes.

    Raises:
        InputError: all faults of all objectives; a metric twice, or none.
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
    """Return the constraints that a list of texts states.

    Raises:
        InputError: all faults of all constraints.
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
