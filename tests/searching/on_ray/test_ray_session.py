"""The Ray of a search is private; one that runs already must have what the plan needs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.searching.conftest import RESNET, SVM, plan_text
from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.session import ray_start
from tune_mnist.searching.on_ray.session.ray_session import (
    _object_store_bytes,
    check_resources,
    check_running_ray,
)
from tune_mnist.searching.on_ray.session.ray_start import token_file


def listening(process: psutil.Process) -> set[str]:
    """The addresses on which the process and its descendants accept connections."""
    addresses = set()
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # Ray ends idle workers when it likes
            sockets = one.net_connections("inet")
            addresses |= {each.laddr.ip for each in sockets if each.status == "LISTEN"}
    return {address.removeprefix("::ffff:") for address in addresses}


def test_nobody_else_can_reach_the_ray_of_a_search(running_ray: None) -> None:
    import ray

    assert listening(psutil.Process()) == {"127.0.0.1"}
    files = Path(ray.get_runtime_context().get_temp_dir())
    assert any(folder.stat().st_mode & 0o077 == 0 for folder in files.parents)
    assert token_file().stat().st_mode & 0o077 == 0


def test_a_search_without_a_dashboard_starts_no_process_that_it_does_not_use(
    running_ray: None,
) -> None:
    started = " ".join(" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True))
    assert "gcs_server" in started
    for unused in ("monitor.py", "log_monitor.py", "dashboard/dashboard.py"):
        assert unused not in started


def test_a_trial_s_process_starts_without_an_environment_of_its_own(running_ray: None) -> None:
    """It costs another interpreter for each process; what it would hold, they inherit."""
    import ray
    from ray.tune.execution.class_cache import _ActorClassCache

    class Told:
        def environment(self) -> tuple[dict[str, str], str | None]:
            return dict(ray.get_runtime_context().runtime_env), os.environ.get("PL_DISABLE_FORK")

    told = _ActorClassCache().get(Told).remote()
    assert ray.get(told.environment.remote()) == ({}, "1")


def test_a_token_that_others_can_read_is_closed_to_them_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret")
    file.chmod(0o644)
    ray_start._private_token(file)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("secret", 0o600)


def test_a_home_that_takes_no_token_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"token cannot be kept there.*HOME"):
        ray_start._private_token(tmp_path / "file" / "auth_token")


def test_a_version_of_ray_without_what_is_replaced_in_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_start, "_UNUSED", ("start_monitor", "start_nothing"))
    with pytest.raises(InputError, match="has no start_nothing that we could replace; inst"):
        ray_start.start_ray(tmp_path, dashboard=False)


SEARCHES = """
import resource, sys
from tune_mnist.cli import run
if sys.argv[1] == "small files":
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**24, resource.RLIM_INFINITY))
sys.exit(run(["search", "svm", "--dataset", "digits", "--trials", "1", "--results", sys.argv[2]]))
"""
MACHINES = {
    "small files": ("", "ulimit -f: no file may exceed 16,777,216 bytes here"),
    "no shared memory": ("mount -t tmpfs -o ro tmpfs /dev/shm && ", "/dev/shm: is missing or"),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted")
@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_on_which_ray_cannot_keep_its_objects_is_one_line(
    tmp_path: Path, machine: str
) -> None:
    mount, expected = MACHINES[machine]
    command = shlex.join([sys.executable, "-W", "ignore", "-c", SEARCHES, machine, str(tmp_path)])
    ended = subprocess.run(
        ["unshare", "-m", "bash", "-c", mount + command], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert [line for line in ended.stderr.splitlines() if line.startswith(expected)]
    assert "Traceback" not in ended.stderr


def test_a_path_too_long_for_sockets_is_one_line(tmp_path: Path) -> None:
    """Told in a process of its own: this one runs a Ray already."""
    long = tmp_path / ("long" * 20)
    long.mkdir()
    module = "tune_mnist.searching.on_ray.session.ray_start"
    start = f"from {module} import start_ray; from pathlib import Path;"
    ended = subprocess.run(
        [sys.executable, "-c", f"{start} start_ray(Path({str(long)!r}), dashboard=False)"],
        env={**os.environ, "TMPDIR": str(long)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = ended.stderr.strip().splitlines()[-1]
    assert "InputError" in last
    assert "is too long a path for Ray" in last
    assert "TMPDIR to a shorter one" in last


def test_workers_search_our_package_s_folder_at_most() -> None:
    job = ray_start._SafeJob(_py_driver_sys_path=["/home/user", str(ray_start._PACKAGE)])
    job._serialize()
    assert job._py_driver_sys_path == [str(ray_start._PACKAGE)]


def test_a_running_ray_with_too_few_processors_is_refused(
    running_ray: None, tmp_path: Path
) -> None:
    plan = plan_text(tmp_path, SVM)
    check_running_ray(plan)
    with pytest.raises(
        InputError, match=r"has 2 of the 64 CPUs that the search wants; use `cpus=2`, or end it"
    ):
        check_running_ray(replace(plan, cpus=64))


def test_a_running_ray_that_pbt_cannot_take_turns_on_is_refused(tmp_path: Path) -> None:
    text = RESNET.replace("[0.01, 0.001]", "[0.1, 0.03, 0.01, 0.003]")
    plan = plan_text(tmp_path, text, scheduler="pbt", trials=4)
    check_resources(plan, [{"CPU": 2, "turn": 1}])
    with pytest.raises(InputError, match=r"no resource 'turn'.*start it with \{'turn': 1\}"):
        check_resources(plan, [{"CPU": 2}])


def test_a_trial_that_fits_on_no_single_node_is_refused(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, SVM + "resources: {cpu: 2}\n")
    with pytest.raises(InputError, match=r"has no single node with CPU=2 for a trial"):
        check_resources(plan, [{"CPU": 1}, {"CPU": 1}])


@pytest.mark.parametrize("megabytes", [1, 300, 1000])
def test_ray_has_room_for_the_data_set_twice(few_digits: Dataset, megabytes: int) -> None:
    many = np.broadcast_to(np.uint8(0), (megabytes * 2**20, 1, 1))  # it takes one byte
    train = Images(many, few_digits.train.labels)
    room = _object_store_bytes(replace(few_digits, train=train))
    assert room >= max(2 * many.nbytes, 512 * 2**20)
