"""The client of a cluster's jobs (Ray's Jobs API, which its dashboard serves)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.exceptions import AuthenticationError

from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.session.cluster import TOKEN, use_token
from tune_mnist.wording import error_text

_TALKATIVE = (
    *("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk"),
    "_private.runtime_env.packaging",
)
"""Modules of Ray that tell of each upload and connection on stderr."""

READY_WITHIN_S = 60.0
"""A head that has just started takes jobs only once its agent runs."""


def job_client(address: str | None) -> Any:
    """Return a client of the cluster's jobs.

    Args:
        address: of its dashboard, "http://host:8265"; or of its head, as `find_cluster` takes it;
            None for what Ray finds (RAY_API_SERVER_ADDRESS, RAY_ADDRESS, this machine).

    Raises: InputError: nothing answers there, or it refuses us.
    """
    from ray.job_submission import JobSubmissionClient

    use_token()
    for module in _TALKATIVE:
        logging.getLogger(f"ray.{module}").setLevel(logging.CRITICAL)
    where = address or "the Ray cluster"
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise input_error(where, "refuses the token, or wants one", TOKEN) from error
    except Exception as error:  # of many kinds; none is worth a traceback
        text = error_text(error)[:300]
        fix = "name the dashboard of a running cluster, for example `address=http://10.0.0.1:8265`"
        raise input_error(where, f"takes no jobs: {text}", fix) from error


def send(client: Any, **job: Any) -> None:
    """Submit a job, waiting for a head that has just started.

    Args:
        client: from `job_client`.
        job: as `JobSubmissionClient.submit_job` takes it.

    Raises: InputError: the cluster does not take it.
    """
    until = time.monotonic() + READY_WITHIN_S
    with lost_connection(client):
        while True:
            try:
                client.submit_job(**job)
                return
            except RuntimeError as error:
                if "No available agent" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(1)


@contextmanager
def lost_connection(client: Any) -> Iterator[None]:
    """Turn what goes wrong in a call of the client into one line."""
    try:
        yield
    except AuthenticationError as error:
        raise input_error(client.get_address(), "refuses the token", TOKEN) from error
    except Exception as error:
        text = error_text(error)[:500]
        fix = "check that the cluster runs and that it has room for the job"
        raise input_error(client.get_address(), f"does not take this: {text}", fix) from error
