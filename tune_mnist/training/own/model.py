"""A `Model` from what your module names: a training function, or a `Model` of your own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, get_type_hints

from tune_mnist.errors import input_error
from tune_mnist.models.registry import Definition
from tune_mnist.training.model import Model, Trainer
from tune_mnist.training.own.function import OF_US, Function
from tune_mnist.training.own.parameters import check_columns, domains, read_parameters

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset
    from tune_mnist.training.measurement import Measurement, Report, Save
    from tune_mnist.training.options import TrainOptions

_SIGNATURE = "write def train(config: Config, data: TrainingData, report: Reporter)"


@dataclass(frozen=True, kw_only=True)
class OwnModel(Model):
    """A model of your own.

    Args:
        definitions: what the space file names, then the type of its configurations: where the
            code hash begins.
        (The others are `Model`'s.)
    """

    definitions: tuple[Definition, ...]

    @property
    def roots(self) -> tuple[Definition, ...]:
        """Where the code that can change its results begins: yours, and what calls it."""
        return (*self.definitions, _of(Function), _of(Checked))


def model_of(found: Any, name: str, definition: Definition, file: str) -> OwnModel:
    """Return the model that a module of your own names.

    Args:
        found: a function `train(config, data, report)`, or a `Model`.
        name: that it has in space files and in the store.
        definition: the module, and the name in it.
        file: of the module.

    Raises: InputError: it is neither, or a parameter cannot be searched; the key is `model`.
    """
    if isinstance(found, Model):
        check_columns(found.hyperparameters, name)
        given = {one.name: getattr(found, one.name) for one in dataclasses.fields(Model)}
        own = {"name": name, "train": Checked(found.train), "file": file}
        return OwnModel(**{**given, **own}, definitions=(definition,))
    if not inspect.isfunction(found):
        kind = "a class" if inspect.isclass(found) else f"a {type(found).__name__}"
        fix = "name a function train(config, data, report), or a tune_mnist.training.model.Model"
        raise input_error("", f"{name} is {kind}, and no model", fix, "model")
    return _of_function(found, name, definition, file)


def _of_function(
    train: Callable[..., Any], name: str, definition: Definition, file: str
) -> OwnModel:
    from tune_mnist.training.own.building import first_reported
    from tune_mnist.training.own.reporter import Abilities
    from tune_mnist.training.own.saving import Saving, predictor

    config = _config_type(train, name)
    abilities = getattr(train, "__tune_mnist__", Abilities())
    where = f"{config.__module__}.{config.__qualname__}"
    function = Function(train, config, abilities, name)
    known = read_parameters(config, where, on_gpu=abilities.on_gpu)
    own = {one: parameter for one, parameter in known.items() if one not in OF_US}
    saving = Saving(name, own, partial(first_reported, function))
    return OwnModel(
        name=name,
        noun=name,
        hyperparameters=known,
        train=function,
        predictor=predictor,
        save=saving.save,
        load=saving.load,
        libraries=(),  # the code hash finds them in the code
        on_gpu=abilities.on_gpu,
        has_loss=abilities.has_loss,
        resumable=abilities.resumable,
        searched=domains(config),
        file=file,
        definitions=(definition, (config.__module__, config.__qualname__.partition(".")[0])),
    )


def _config_type(train: Callable[..., Any], name: str) -> type:
    """Return the dataclass that is the type of a training function's first parameter."""
    parameters = list(inspect.signature(train).parameters.values())
    positional = [one for one in parameters if one.kind is not one.KEYWORD_ONLY]
    needed = [one for one in parameters if one.default is one.empty]
    variadic = any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)
    if len(positional) < 3 or len(needed) > 3 or variadic:
        problem = f"{name} takes ({', '.join(map(str, parameters))}), not config, data and report"
        raise input_error("", problem, _SIGNATURE, "model")
    try:
        hints = get_type_hints(train)
    except Exception as error:  # whatever evaluating a stranger's annotation raises
        problem = f"the types of {name} cannot be read: {error}"
        raise input_error("", problem, "import what they name", "model") from None
    config = hints.get(positional[0].name)
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        problem = f"the first parameter of {name}, {positional[0].name}, has no dataclass as type"
        raise input_error("", problem, f"{_SIGNATURE}, with a dataclass Config", "model")
    return config


@dataclass(frozen=True)
class Checked:
    """The training of a `Model` of your own; what it measures is checked before anyone uses it.

    Args:
        train: the model's.
    """

    train: Trainer

    def __call__(
        self, config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
    ) -> Measurement:
        """Train one configuration. Raises: ValueError: a measurement that cannot be one."""
        from tune_mnist.training.own.measured import wrong

        last: Measurement | None = None

        def checked(measurement: Measurement, save: Save | None) -> None:
            nonlocal last
            if problems := wrong(measurement, last, data):
                raise ValueError(f"a measurement is wrong: {'; '.join(problems)}")
            last = measurement.copy()
            report(measurement, save)

        return self.train(config, data, checked, options)


def _of(kind: type) -> Definition:
    return kind.__module__, kind.__qualname__
