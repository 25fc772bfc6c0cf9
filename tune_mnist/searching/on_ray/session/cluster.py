"""A Ray cluster that runs already: found, looked at, joined and left. Nothing is started there."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray import _raylet
from ray._private import services
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from ray._private.state import GlobalState
from ray.exceptions import AuthenticationError
from ray.job_config import JobConfig

from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.planning.machine import Cluster, Machine
from tune_mnist.wording import error_text

ANSWERS_WITHIN_S = 5.0
"""A cluster's head accepts a connection within so many seconds."""

SHIPPED = {"py_modules": [str(Path(__file__).resolve().parents[3])], "excludes": ["__pycache__"]}
"""How Ray sends our own package to the nodes, as a part of its runtime_env."""

_ADDRESS = "use auto or host:port, for example `address=10.0.0.1:6379`"
TOKEN = (
    "set RAY_AUTH_TOKEN to the cluster's token, or RAY_AUTH_TOKEN_PATH to the file that holds it"
)


def find_cluster(address: str) -> Cluster:
    """Find a running cluster and look at its nodes, without joining it.

    Args:
        address: "host:port" of its head; "auto" for that of the environment variable RAY_ADDRESS,
            or else the one that `ray start` made this machine a node of.

    Raises: InputError: no such cluster, or it refuses us.
    """
    found = _canonical(address)
    who = f"the Ray cluster at {found}"
    if not answers(found, ANSWERS_WITHIN_S):
        fix = "check that it runs and that this machine can reach it"
        raise input_error(who, f"does not answer within {ANSWERS_WITHIN_S:g} s", fix)
    use_token()
    try:
        with _quiet():
            raylet: Any = _raylet
            raylet.GcsClient(address=found)  # unlike the state, it says what is wrong with a token
            state = GlobalState()
            options = raylet.GcsClientOptions.create(found, None, True, False)
            state._initialize_global_state(options)
            nodes = [node for node in state.node_table() if node["Alive"]]
    except AuthenticationError as error:
        given = (
            "refuses the token" if os.environ.get("RAY_AUTH_MODE") == "token" else "wants a token"
        )
        raise input_error(who, given, TOKEN) from error
    except Exception as error:  # of many kinds; none is worth a traceback
        problem = f"cannot be asked for its nodes: {type(error).__name__}: {error}"
        raise input_error(who, problem, "check that a Ray of our version runs there") from error
    if not {node["NodeID"] for node in nodes} & set(services.find_node_ids()):
        fix = "run the command on one of its nodes, or submit the search as a job"
        raise input_error(who, "has no node on this machine", fix)
    return Cluster(found, tuple(node["Resources"] for node in nodes))


def machine_of(cluster: Cluster) -> Machine:
    """Return what a cluster has for a search."""
    working = [node for node in cluster.nodes if node.get("CPU", 0) >= 1]
    return Machine(
        cpus=cluster.total("CPU"),
        gpus=cluster.total("GPU"),
        memory_bytes=int(min((node.get("memory", 0) for node in working), default=0)),
        cluster=cluster,
    )


def answers(address: str, seconds: float) -> bool:
    """Return whether something accepts a connection at "host:port" within so many seconds."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
            return True
    except OSError:
        return False


def _canonical(address: str) -> str:
    """Return "host:port", with a host that all nodes know.

    Only what `ray start` wrote down counts for "auto": Ray itself would also take the private Ray
    of another search on this machine.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or services.find_bootstrap_address(None) or ""
        if not address:
            problem = "auto, but RAY_ADDRESS is not set and `ray start` has not run on this machine"
            raise input_error("`address`", problem, "name the head as host:port")
    if "://" in address:
        problem = f"{address} is the address of Ray's dashboard or of Ray Client"
        raise input_error("`address`", problem, f"{_ADDRESS}; submit takes the dashboard's")
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 2**16):
        raise input_error("`address`", f"{address!r} is not an address", _ADDRESS)
    try:
        return str(services.canonicalize_bootstrap_address(address))
    except (OSError, ValueError) as error:
        problem = f"{address!r} names a host that is not known here: {error}"
        raise input_error("`address`", problem, _ADDRESS) from error


def use_token() -> None:
    """Let Ray send its token where there is one; RAY_AUTH_MODE has the last word.

    Ray does so by itself when it starts a cluster, not when it joins one.
    """
    log = logging.getLogger("ray")
    level = log.level
    log.setLevel(logging.CRITICAL)  # it would warn that a token is used
    try:
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    finally:
        log.setLevel(level)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what Ray's C++ writes to stderr inside the block; it knows no level of logging here."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


class _ClusterJob(JobConfig):
    """A job whose workers import the package that is sent to them, and nothing of our folders."""

    def _serialize(self) -> str:
        self._py_driver_sys_path = []
        serialized: str = super()._serialize()
        return serialized


@contextmanager
def joined(cluster: Cluster, modules: Iterable[Path] = ()) -> Iterator[Any]:
    """Join a cluster for the block, and give Ray's context. Its nodes get our package.

    Args:
        cluster: to join.
        modules: files and folders of others that the nodes get too.

    Raises: InputError: it refuses us, or is gone.
    """
    try:
        context = ray.init(
            address=cluster.address,
            job_config=_ClusterJob(runtime_env=_runtime_env(modules)),
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
    except Exception as error:  # of many kinds; none is worth a traceback
        raise input_error(
            f"the Ray cluster at {cluster.address}",
            f"cannot be joined: {error_text(error)[:500]}",
            "check that it still runs, with the same versions of Python and Ray as this process",
        ) from error
    yield context


def _runtime_env(modules: Iterable[Path]) -> dict[str, Any]:
    """Return how the nodes get the code; in a job of Ray's, the job has sent it already."""
    job = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR) or "{}")
    if (job.get("runtime_env") or {}).get("py_modules"):
        return {}
    return {**SHIPPED, "py_modules": [*SHIPPED["py_modules"], *map(str, modules)]}


def lost(cluster: Cluster) -> InputError:
    """Return the error of a cluster that does not answer any more."""
    fix = "check that its head runs and can be reached"
    return input_error(f"the Ray cluster at {cluster.address}", "does not answer any more", fix)


def local_node_answers() -> bool:
    """Return whether the node that this process is joined to accepts connections."""
    from ray._private import worker

    node: Any = worker._global_node
    name = getattr(node, "raylet_socket_name", None)
    if not name:
        return True
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWERS_WITHIN_S)
        asking.connect(name)
        return True
    return False
