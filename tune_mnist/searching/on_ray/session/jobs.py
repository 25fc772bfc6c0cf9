"""The client of a cluster's jobs (Ray's Jobs API, which its dashboard serves)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.exceptions import AuthenticationError

from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.session.cluster import PACKAGE, TOKEN, use_token

__all__ = ["PACKAGE", "job_client", "lost_connection"]


def job_client(address: str | None) -> Any:
    """Return a client of the cluster's jobs.

    Args:
        address: of its dashboard, "http://host:8265"; or of its head, as `find_cluster` takes it;
            None for what Ray finds (RAY_API_SERVER_ADDRESS, RAY_ADDRESS, this machine).

    Raises: InputError: nothing answers there, or it refuses us.
    """
    from ray.job_submission import JobSubmissionClient

    use_token()
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # it would tell of its uploads
    where = address or "the Ray cluster"
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise input_error(where, "refuses the token, or wants one", TOKEN) from error
    except Exception as error:  # of many kinds; none is worth a traceback
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        fix = "name the dashboard of a running cluster, for example `address=http://10.0.0.1:8265`"
        raise input_error(where, f"takes no jobs: {text}", fix) from error


@contextmanager
def lost_connection(client: Any) -> Iterator[None]:
    """Turn what goes wrong in a call of the client into one line."""
    try:
        yield
    except AuthenticationError as error:
        raise input_error(client.get_address(), "refuses the token", TOKEN) from error
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        fix = "check that the cluster runs and that it has room for the job"
        raise input_error(client.get_address(), f"does not take this: {text}", fix) from error
