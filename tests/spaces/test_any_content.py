"""Whatever a file holds, it is read or refused in our words, and nothing else happens."""

from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spaces.conftest import Read
from tune_mnist.errors import InputError
from tune_mnist.spaces import Device, collapsed, size

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.sampled_from([1, 2, 0.5, 16, "rbf", "poly", "scale", "grid", "tpe", "gpu", "svm", ""]),
    st.text(max_size=3),
)
SEVERAL = {"choice": ["svm", "logistic", "resnet"]}
PARAMETERS = [
    "model",
    "svm.C",
    "resnet.epochs",
    "kernel",
    "C",
    "gamma",
    "degree",
    "device",
    "pin_memory",
    "epochs",
    "train_fraction",
]
KINDS = ["choice", "uniform", "log_uniform", "int_uniform", "int_log_uniform", "when"]


def mappings(keys: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys) | st.text(max_size=3), values, max_size=4)


LISTS = st.lists(SCALARS, max_size=3)
WHENS = mappings(PARAMETERS, SCALARS | LISTS)
DOMAINS = SCALARS | mappings(KINDS, SCALARS | LISTS | WHENS)
RESOURCES = mappings(["cpu", "gpu", "when"], SCALARS | WHENS)
SECTIONS = {
    "model": st.sampled_from(["svm", "resnet", SEVERAL]) | SCALARS | mappings(["choice"], LISTS),
    "dataset": st.just("digits") | SCALARS,
    "parameters": mappings(PARAMETERS, DOMAINS) | SCALARS,
    "points": st.lists(mappings(PARAMETERS, SCALARS | LISTS), max_size=3) | SCALARS,
    "search": mappings(["sampler", "trials", "seed", "target"], SCALARS) | SCALARS,
    "objective": mappings(["metric", "mode"], SCALARS) | SCALARS,
    "resources": RESOURCES | st.lists(RESOURCES, max_size=3) | SCALARS,
}
FILES = st.fixed_dictionaries(
    {"model": SECTIONS["model"], "dataset": SECTIONS["dataset"]},
    optional={key: SECTIONS[key] for key in SECTIONS if key not in ("model", "dataset")},
)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=FILES)
def test_any_content_is_read_or_refused(read: Read, content: dict[str, Any]) -> None:
    lines: list[str] = []
    try:
        space = read(json.dumps(content))
        for device in get_args(Device):
            size(space, device)
            collapsed(space, device)
    except InputError as error:
        lines = str(error).splitlines()
    assert all("mine.yaml: " in line and "; " in line for line in lines)
