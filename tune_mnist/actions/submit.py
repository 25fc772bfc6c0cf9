"""A search as a job of a Ray cluster: submitted, followed, listed, stopped.

The job's driver runs on the cluster, so nobody's laptop needs to stay open. What the job runs
starts the search, or resumes it if the store has it. So a job may be submitted again, by a person
or by KubeRay after an eviction, and no trial runs twice.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tune_mnist.actions.naming import new_name
from tune_mnist.actions.preparing import asked_space, store_folder
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.code_hash import own_modules
from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.on_ray.session.cluster import SHIPPED
from tune_mnist.searching.on_ray.session.jobs import job_client, lost_connection, send
from tune_mnist.spaces import find_space
from tune_mnist.store.catalog import list_searches
from tune_mnist.store.files.place import is_address

REQUEST = "request.json"
"""In the job's working folder: what is asked for."""

_OF = "tune_mnist_search"
"""The key of a job's metadata that names its search."""

_TRIES = 5
"""A connection that breaks while a job is followed is made again so often."""

_ENDS_WITHIN_S = 30.0
"""Ray gives a job 3 s to end by itself, and kills it then."""

_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Job:
    """A job of a cluster that runs a search.

    Args:
        id: its submission's: the search and the attempt.
        search: in the store.
        status: Ray's word for it: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        started: UTC; None if it has not.
        ended: UTC; None if it has not.
        exit_code: of its driver; None if it has none.
    """

    id: str
    search: str
    status: str
    started: datetime | None
    ended: datetime | None
    exit_code: int | None

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self.status in _ENDED


def submit(request: SearchRequest) -> Job:
    """Submit a search as a job; the cluster is the request's `address`, or the one that Ray finds.

    Args:
        request: what is asked for. Its `results` is a path or address that means the same on the
            cluster; so is its data set, if that is a folder.

    Returns: the job, which has just been submitted.
    Raises: InputError: the request cannot be met, no such cluster, or a job runs this search now.
    """
    space = asked_space(request)  # refused now, not on the cluster
    if not (is_address(request.results) or Path(request.results).is_absolute()):
        problem = f"{request.results} is a folder of this process, and the job runs elsewhere"
        raise input_error(
            "`results`",
            problem,
            "name a folder of the cluster, from the root on, or s3://bucket/prefix",
        )
    name = request.resume or request.name or new_name(space, space.dataset)
    client = job_client(request.address)
    job = f"{name}-{1 + _attempts(client, name)}"
    file = request.space_file or find_space(request.space)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file, folder)
        _copy(own_modules(*space.models), Path(folder))
        sent = {**request.model_dump(mode="json", exclude_defaults=True), "address": "auto"}
        sent |= {"name": name, "space": space.models[0], "space_file": file.name}
        sent.pop("resume", None)
        (Path(folder) / REQUEST).write_text(json.dumps(sent), "utf-8")
        how = {
            "runtime_env": {"working_dir": folder, **SHIPPED},
            "metadata": {_OF: name},
        }
        try:
            send(client, entrypoint=_entrypoint(), submission_id=job, **how)
        except InputError:
            _attempts(client, name)  # somebody else may have submitted it in the same moment
            raise
    return job_of(client, job)


def _attempts(client: Any, name: str) -> int:
    """Return how many jobs have run a search. Raises: InputError: one runs it now."""
    earlier = [job for job in _jobs(client) if job.search == name]
    if running := [job.id for job in earlier if not job.has_ended]:
        fix = "follow its log, or stop it first"
        raise input_error(f"search {name}", f"is run by the job {running[0]} now", fix)
    return len(earlier)


def _copy(modules: Iterable[Path], folder: Path) -> None:
    """Copy the modules of a model of your own into the job's working folder, where all find them.

    Ray's client of jobs sends no single file as a module.
    """
    for module in modules:
        if module.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(module, folder / module.name, ignore=ignored)
        else:
            shutil.copy(module, folder)


def as_job(request: SearchRequest) -> SearchRequest:
    """Return the request that a job runs: it resumes the search if the store has it already."""
    known: list[str] = []
    with suppress(InputError):  # there is no store yet
        known = list_searches(store_folder(request))
    if request.name not in known:
        return request
    return request.model_copy(update={"resume": request.name, "name": None, "warm_start": None})


def list_jobs(address: str | None) -> list[Job]:
    """Return the jobs of a cluster that run or ran searches, oldest first."""
    return _jobs(job_client(address))


def find_job(address: str | None, job: str) -> Job:
    """Return a job by its id. Raises: InputError: no such job."""
    return job_of(job_client(address), job)


def stop(address: str | None, job: str) -> Job:
    """Ask a running job to end, and wait for it; its search can be resumed.

    Returns: the job, which has ended unless that takes Ray very long.
    Raises: InputError: no such job.
    """
    client = job_client(address)
    if job_of(client, job).has_ended:
        return job_of(client, job)
    with lost_connection(client):
        client.stop_job(job)
    until = time.monotonic() + _ENDS_WITHIN_S
    while not (found := job_of(client, job)).has_ended and time.monotonic() < until:
        time.sleep(0.5)
    return found


def follow(address: str | None, job: str) -> Iterator[str]:
    """Yield what a job has printed, and what it prints until it ends.

    Raises: InputError: no such job, or the cluster cannot be reached again and again.
    """
    client = job_client(address)
    job_of(client, job)
    loop, seen, left = asyncio.new_event_loop(), 0, _TRIES
    try:
        while True:
            skip = seen  # a new connection begins at the beginning
            texts = client.tail_job_logs(job)
            try:
                with suppress(StopAsyncIteration):
                    while True:
                        text = loop.run_until_complete(texts.__anext__())
                        new, skip = text[skip:], max(0, skip - len(text))
                        seen += len(new)
                        left = _TRIES
                        if new:
                            yield new
                if job_of(client, job).has_ended:
                    return
            except (OSError, RuntimeError) as error:  # aiohttp's are among them
                left -= 1
                if not left:
                    fix = "the job goes on; follow it again when the cluster can be reached"
                    raise input_error(f"job {job}", f"cannot be followed: {error}", fix) from error
            time.sleep(1)
    finally:
        loop.close()


def _jobs(client: Any) -> list[Job]:
    with lost_connection(client):
        found = client.list_jobs()
    jobs = [_job(one) for one in found if (one.metadata or {}).get(_OF)]
    return sorted(jobs, key=lambda job: job.started or datetime.now(timezone.utc))


def job_of(client: Any, job: str) -> Job:
    """Return a job by its id. Raises: InputError: no such job, or it runs no search."""
    known = {one.id: one for one in _jobs(client)}
    if job not in known:
        problem = f"no job {job!r} runs or ran a search there"
        raise input_error("`job`", problem, f"known: {', '.join(known) or 'none'}")
    return known[job]


def _job(details: Any) -> Job:
    def moment(milliseconds: int | None) -> datetime | None:
        if not milliseconds:
            return None
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)

    return Job(
        id=details.submission_id,
        search=details.metadata[_OF],
        status=str(details.status.value),
        started=moment(details.start_time),
        ended=moment(details.end_time),
        exit_code=details.driver_exit_code,
    )


def _entrypoint() -> str:
    """Return the shell's line that runs the request: with the first Python that has Ray.

    A job gets the PATH of the node's Ray, on which its own Python need not be.
    """
    pythons = shlex.join(["python", "python3", sys.executable])
    run = f"-m tune_mnist jobs run {REQUEST}"
    return (
        f"for python in {pythons}; do "
        f'"$python" -c "import ray" 2>/dev/null && exec "$python" {run}; done; '
        'echo "no Python on PATH has Ray" >&2; exit 127'
    )
