"""A plan on a cluster: all of it by default, a share if asked, and nothing that never fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.searching.conftest import RESNET, SVM
from tune_mnist.errors import InputError
from tune_mnist.searching.planning.machine import Cluster, Machine
from tune_mnist.searching.planning.plan import Plan, plan_search
from tune_mnist.spaces import Overrides, override, read_space

NODES = ({"CPU": 0.0}, {"CPU": 3.0}, {"CPU": 3.0}, {"CPU": 8.0, "GPU": 2.0})
CLUSTER = Cluster("10.0.0.1:6379", NODES)
MACHINE = Machine(cpus=14, gpus=2, memory_bytes=2**33, cluster=CLUSTER)


def planned(
    folder: Path, text: str, *, cpus: int | None = None, gpus: int | None = None, **bundle: float
) -> Plan:
    (folder / "space.yaml").write_text(text)
    space = override(read_space(folder / "space.yaml"), Overrides(resources=bundle))
    return plan_search(space, cpus=cpus, gpus=gpus, machine=MACHINE)


def test_by_default_a_search_takes_the_whole_cluster(tmp_path: Path) -> None:
    on_cpus, on_gpus = planned(tmp_path, SVM), planned(tmp_path, RESNET)
    assert (on_cpus.cpus, on_cpus.gpus, on_cpus.device) == (14, 0, "cpu")
    assert (on_gpus.cpus, on_gpus.gpus, on_gpus.device) == (14, 2, "gpu")
    assert on_gpus.concurrency == 2


def test_trials_side_by_side_are_counted_by_node(tmp_path: Path) -> None:
    many = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]")
    assert planned(tmp_path, many, cpu=2).concurrency == 1 + 1 + 4
    assert planned(tmp_path, many, cpus=6, cpu=2).concurrency == 3


def test_cpus_and_gpus_limit_our_share(tmp_path: Path) -> None:
    plan = planned(tmp_path, RESNET, cpus=4, gpus=1)
    assert (plan.cpus, plan.gpus, plan.concurrency) == (4, 1, 1)
    more = planned(tmp_path, SVM, cpus=99)
    assert more.cpus == 14
    assert "`cpus`: 99 asked for, the cluster has 14; using those" in more.notes


def test_a_trial_that_fits_on_no_node_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        planned(tmp_path, SVM, cpu=9)
    assert str(refused.value) == (
        "the cluster at 10.0.0.1:6379: no node has 9 CPUs for a trial; its nodes have 3 CPUs;"
        " 8 CPUs and 2 GPUs; ask for less with `cpus_per_trial` and `gpus_per_trial`,"
        " or add a larger node"
    )


def test_more_gpus_than_the_cluster_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 asked for, but the cluster at .* has 2; use `gpus=2`"):
        planned(tmp_path, RESNET, gpus=3)
