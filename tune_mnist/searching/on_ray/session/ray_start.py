"""Starts a Ray of our own that nobody else on this machine can use.

Its files lie in a private folder, it listens on 127.0.0.1 only, its token can be read by its owner
alone, and its workers import nothing from the working directory.
"""

from __future__ import annotations

import logging
import os
import resource
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services, utils
from ray._private.node import Node
from ray.job_config import JobConfig
from ray.tune.execution import class_cache

from tune_mnist.errors import InputError, input_error
from tune_mnist.wording import error_text

_PACKAGE = Path(__file__).resolve().parents[4]
"""The folder that our own package is imported from."""

_HOME_FIX = "set the environment variable HOME to a folder that you may write and that has room"
_SHARED_MEMORY = Path("/dev/shm")
_UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")
_PASSED_ON: Mapping[str, Any] = {"DEFAULT_ENV_VARS": {}, "ENV_VARS_TO_PROPAGATE": frozenset()}
"""What Tune gives to the processes of trials from the driver's environment."""
_TOKEN_SETTINGS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def token_file() -> Path:
    """Return where Ray keeps the token that its dashboard asks for.

    Raises: InputError: this user has no home folder.
    """
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return Path(path)
    try:
        return Path.home() / ".ray" / "auth_token"
    except RuntimeError as error:
        raise input_error("HOME", "is not set, and this user is unknown", _HOME_FIX) from error


def start_ray(folder: Path, *, dashboard: bool, **arguments: Any) -> Any:
    """Start Ray and return its context.

    Args:
        folder: for its files; only this user may enter it.
        dashboard: whether Ray's dashboard is started.
        arguments: of `ray.init`, beside those that make it private.

    Raises: InputError: Ray cannot start here.
    """
    _check_ray()
    _check_machine(arguments.get("object_store_memory", 0))
    if not any(name in os.environ for name in _TOKEN_SETTINGS):
        _private_token(token_file())
    # Ray puts the interpreter into a shell's line as it is.
    quoted = shlex.quote(sys.executable)
    runtime = {} if quoted == sys.executable else {"py_executable": quoted}
    try:
        with (
            _alone(folder),
            _only_used_processes(dashboard),
            replaced(services, {"ConsolePopen": _Detached}),
            # Ray stores the command line as UTF-8 and fails where a path in it is not.
            replaced(utils, {"get_entrypoint_name": lambda: "tune_mnist"}),
        ):
            return ray.init(
                address="local",
                _temp_dir=str(folder),
                include_dashboard=dashboard,
                dashboard_host="127.0.0.1",
                job_config=_SafeJob(runtime_env=runtime),
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **arguments,
            )
    except Exception as error:  # of many kinds; none is worth a traceback
        raise _cannot_start(error) from error


@contextmanager
def ready_workers() -> Iterator[None]:
    """Let the processes of trials start without a runtime environment of their own, in this block.

    Tune gives each of them one that repeats variables of our environment. On our own Ray they
    inherit all of it anyway. But for such an environment Ray first starts another interpreter,
    which imports Ray too: 0.5 of the 3.3 s of processor time that a process takes until it can
    train an SVM (Ray 2.60, measured with psutil).
    """
    _check_ray()
    with replaced(class_cache, _PASSED_ON):
        yield


def _check_ray() -> None:
    """Raise InputError if this version of Ray has not what we replace in it."""
    missing = [name for name in _UNUSED if not hasattr(Node, name)]
    missing += [name for name in _PASSED_ON if not hasattr(class_cache, name)]
    if missing:
        problem = f"{ray.__version__} has no {', '.join(missing)} that we could replace"
        raise input_error("Ray", problem, "install the version that constraints.txt names")


def _check_machine(needed: int) -> None:
    """Raise InputError where Ray's object store cannot be: Ray would try for 35 s, and not say why.

    Args:
        needed: bytes of its file.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most not in (resource.RLIM_INFINITY, -1) and most < needed:
        problem = f"no file may exceed {most:,} bytes here, and Ray needs one of {needed:,}"
        raise input_error("ulimit -f", problem, "raise the limit with `ulimit -f unlimited`")
    if sys.platform == "linux" and not os.access(_SHARED_MEMORY, os.W_OK):
        problem = "is missing or cannot be written, and Ray keeps its objects there"
        fix = "mount a tmpfs there; a container is given one when it is started"
        raise input_error(_SHARED_MEMORY, problem, fix)


class _SafeJob(JobConfig):
    """A job whose workers import only what this interpreter finds by itself, and our package.

    Ray would put the working directory and the script's folder before everything else: a file
    `random.py` there would be run by each worker.
    """

    def _serialize(self) -> str:
        own = [one for one in self._py_driver_sys_path if Path(one).resolve() == _PACKAGE]
        self._py_driver_sys_path = own
        serialized: str = super()._serialize()
        return serialized


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make a Ray that starts in the block keep to itself; afterwards all is as it was.

    It listens on 127.0.0.1, as Ray does by itself on macOS and Windows: its processes learn of it
    from the environment, this one did when Ray was imported. Temporary files of its processes go
    into `folder`. Its dashboard, which runs `python -c`, looks for no module in the working
    directory; Python 3.10 cannot be told so.
    """
    clusters = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    wanted = {"TMPDIR": str(folder), "PYTHONSAFEPATH": "1", "PL_DISABLE_FORK": "1"}
    if clusters not in os.environ:  # else somebody has chosen
        wanted[clusters] = "0"
    before = {name: os.environ.get(name) for name in wanted}
    enabled = ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(wanted)
    ray_constants.ENABLE_RAY_CLUSTER = enabled and clusters not in wanted
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _only_used_processes(dashboard: bool) -> Iterator[None]:
    """Let `ray.init` start only what a search on one machine uses: with a dashboard, everything.

    Beside the node itself, Ray starts an autoscaler, a process that forwards the logs of workers,
    and a web server, even where nothing uses them. They cost 4.5 of the 9.6 s of processor time of
    a start (Ray 2.60, measured with psutil), and another second when Ray stops. `ray.init` has no
    option that leaves them out, so we replace the methods that start them.
    """
    unused = () if dashboard else _UNUSED
    with replaced(Node, dict.fromkeys(unused, lambda *_, **__: None)):
        yield


class _Detached(services.ConsolePopen):
    """A process of Ray in a session of its own.

    A signal for our whole process group (from `timeout`, Slurm, a terminal that closes) would end
    the processes that we need for an orderly end. They still die with us: Ray sees to that.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, start_new_session=True, **named)


@contextmanager
def replaced(owner: object, values: Mapping[str, Any]) -> Iterator[None]:
    """Give attributes other values inside the block."""
    before = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def _private_token(file: Path) -> None:
    """Make Ray's token, if there is none, and keep others from reading it.

    Ray would make it readable by everybody; of two searches that start at once each would make one.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            new = file.with_name(f"{file.name}.{os.getpid()}")
            new.touch(0o600)
            new.write_text(secrets.token_hex(32))
            with suppress(FileExistsError):  # another search was faster
                os.link(new, file)
            new.unlink()
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise input_error(
            file,
            f"Ray's token cannot be kept there: {error.strerror}",
            _HOME_FIX,
        ) from error


def _cannot_start(error: Exception) -> InputError:
    text = error_text(error)
    where = tempfile.gettempdir()
    if "AF_UNIX" in str(error):
        return input_error(
            where,
            "is too long a path for Ray, whose sockets' paths may have 107 bytes",
            "set the environment variable TMPDIR to a shorter one, such as /tmp",
        )
    return input_error(
        "Ray",
        f"cannot start: {text[:500]}",
        f"see that {where} and /dev/shm have room and that there is memory, or set the environment"
        " variable TMPDIR to another folder",
    )
