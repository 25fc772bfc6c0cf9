"""What may be asked of the command that starts a service."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from pydantic import Field

from tune_mnist.actions.field_texts import DATA_DIR, RESULTS, S3_ENDPOINT
from tune_mnist.actions.requests import Request
from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.quantities import Count, Times

TOKEN = "TUNE_MNIST_TOKEN"
READ_TOKEN = "TUNE_MNIST_READ_TOKEN"


class ServeRequest(Request):
    """Where a service listens, what it offers, and who may use it."""

    has_subject = False

    results: str | Path = Field("results", description=RESULTS)
    s3_endpoint: str | None = Field(None, description=S3_ENDPOINT)
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    address: str | None = Field(
        None, description="Running Ray cluster to search on: host:port, or auto."
    )
    data: tuple[str, ...] = Field(
        (), description="A data set of your own to offer, as NAME=PATH; repeatable."
    )
    data_dir: Path | None = Field(None, description=DATA_DIR)
    cpus: Count = Field(None, description="Cores for all searches together; default all.")
    gpus: Times = Field(None, description="GPUs for all searches together; default all.")
    token_file: Path | None = Field(
        None, description=f"File with the token that may submit; or set {TOKEN}."
    )
    read_token_file: Path | None = Field(
        None, description=f"File with a token that may only read; or set {READ_TOKEN}."
    )
    allow_host: tuple[str, ...] = Field(
        (), description="Another name under which browsers reach the service; repeatable."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the certificate, for https."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")


def offered_data(request: ServeRequest) -> dict[str, str]:
    """Return name to absolute path of the data sets that a service offers.

    Raises: InputError: one that is not NAME=PATH, or whose path does not exist.
    """
    offered: dict[str, str] = {}
    faults = []
    for given in request.data:
        name, equals, path = given.partition("=")
        fix = "for example `data=cats=/data/cats`"
        if not equals or not name or not path:
            faults.append(Fault("`data`", "", f"{given!r} is not NAME=PATH", fix))
        elif not Path(path).expanduser().exists():
            faults.append(Fault("`data`", "", f"{path} does not exist", "name a folder or a file"))
        else:
            offered[name] = str(Path(path).expanduser().absolute())
    if faults:
        raise InputError(faults)
    return offered


def tokens(request: ServeRequest) -> tuple[str | None, str | None]:
    """Return the token that may submit and the one that may only read; None for none.

    Raises: InputError: a file that cannot be read or is empty, or a service off loopback without a
        token that may submit.
    """
    submit = _token("token_file", request.token_file, TOKEN)
    read = _token("read_token_file", request.read_token_file, READ_TOKEN)
    if submit is None and not is_loopback(request.host):
        problem = f"{request.host} can be reached from other machines, and no token is set"
        raise input_error("`host`", problem, f"give a `token_file`, or set {TOKEN}")
    return submit, read


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _token(field: str, file: Path | None, variable: str) -> str | None:
    if file is None:
        return os.environ.get(variable) or None
    try:
        found = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(f"`{field}`", f"{file} cannot be read: {error}", "name a file") from error
    if not found:
        raise input_error(f"`{field}`", f"{file} is empty", "put the token into it")
    return found
