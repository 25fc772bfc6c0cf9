"""The search-space language: YAML files that say what to search.

`read_space` reads and checks a file and returns a `Space`. `configurations` lists what is in it,
`size` counts it, `suggest` draws from it. The comments of search_spaces/svm.yaml explain the
language; copy that file to write your own.
"""

from tune_mnist.metrics import Constraint, Metric, Mode
from tune_mnist.models.hyperparameters import Config, Device, Hyperparameter, Scalar
from tune_mnist.spaces.choices import (
    SAMPLER_HELP,
    SCHEDULER_HELP,
    SamplerName,
    SchedulerName,
)
from tune_mnist.spaces.configurations import (
    always_searched,
    as_asked,
    collapsed,
    config_key,
    configurations,
    point_configurations,
    possible_values,
    searched_in,
    size,
    suggest,
)
from tune_mnist.spaces.domains import (
    Choice,
    Domain,
    IntLogUniform,
    IntUniform,
    LogUniform,
    Uniform,
)
from tune_mnist.spaces.milestones import changeable, rungs, trained_rungs
from tune_mnist.spaces.reading import Overrides, override, read_space
from tune_mnist.spaces.shipped import find_space, shipped_spaces
from tune_mnist.spaces.space import (
    Fidelity,
    FidelityName,
    Objective,
    Resources,
    Search,
    Space,
)

__all__ = [
    "SAMPLER_HELP",
    "SCHEDULER_HELP",
    "Choice",
    "Config",
    "Constraint",
    "Device",
    "Domain",
    "Fidelity",
    "FidelityName",
    "Hyperparameter",
    "IntLogUniform",
    "IntUniform",
    "LogUniform",
    "Metric",
    "Mode",
    "Objective",
    "Overrides",
    "Resources",
    "SamplerName",
    "Scalar",
    "SchedulerName",
    "Search",
    "Space",
    "Uniform",
    "always_searched",
    "as_asked",
    "changeable",
    "collapsed",
    "config_key",
    "configurations",
    "find_space",
    "override",
    "point_configurations",
    "possible_values",
    "read_space",
    "rungs",
    "searched_in",
    "shipped_spaces",
    "size",
    "suggest",
    "trained_rungs",
]
