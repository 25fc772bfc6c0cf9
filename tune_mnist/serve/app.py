"""The FastAPI app of a service, and the server that runs it."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from tune_mnist.actions.service.bodies import Offered
from tune_mnist.actions.service.dispatcher import Dispatch, Dispatcher
from tune_mnist.actions.service.queue import Capacity
from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.session.ray_session import find_machine
from tune_mnist.searching.planning.machine import this_machine
from tune_mnist.serve.api import asking, events, exports, health, offered, searches, trials
from tune_mnist.serve.guard import Access, Guard
from tune_mnist.serve.logs import log_json_lines
from tune_mnist.serve.problems import add_handlers
from tune_mnist.serve.request import ServeRequest, offered_data, tokens
from tune_mnist.serve.service import Service
from tune_mnist.serve.watching import Watching
from tune_mnist.store.files.place import is_address, opened
from tune_mnist.version import __version__

_LOG = logging.getLogger(__name__)
_END_WITHIN_S = 5
"""So long may open requests take when the service ends; event streams never end by themselves."""


def make_app(service: Service, access: Access) -> FastAPI:
    """Return the app of a service.

    Args:
        service: what the answers are made of; its dispatcher begins with the app and ends with it.
        access: who may use it.
    """

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        app.state.watching = Watching(service)
        if service.dispatcher is not None:
            service.dispatcher.start()
        yield
        if service.dispatcher is not None:
            service.dispatcher.end()

    app = FastAPI(
        title="tune_mnist",
        summary="Hyperparameter search for image classifiers, as a service.",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # their pages load scripts from another machine
        redoc_url=None,
        lifespan=living,
    )
    app.state.service = service
    add_handlers(app)
    for one in (searches, asking, trials, events, exports, offered, health):
        app.include_router(one.router)
    app.add_middleware(Guard, access=access)
    return app


def serve(request: ServeRequest, listening: Callable[[str], None]) -> None:
    """Run a service until a signal ends it; its searches go on.

    Args:
        request: what is asked for.
        listening: called with the address, once requests are answered.

    Raises: InputError: it cannot listen there, or something that it offers cannot be used.
    """
    submit, read = tokens(request)
    root = opened(request.results, request.s3_endpoint)
    here = Offered(
        results=str(request.results if is_address(request.results) else root.absolute()),
        s3_endpoint=request.s3_endpoint,
        address=request.address,
        data_dir=request.data_dir,
        data=offered_data(request),
    )
    dispatcher = Dispatcher(Dispatch(root.absolute(), here, _capacity(request)))
    with _listening_socket(request) as listener:
        port = listener.getsockname()[1]
        app = make_app(Service(here, dispatcher), Access(_hosts(request, port), submit, read))
        log_json_lines()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_END_WITHIN_S,
            ssl_certfile=request.tls_certificate,
            ssl_keyfile=request.tls_key,
        )
        scheme = "https" if request.tls_certificate else "http"
        name = f"[{request.host}]" if ":" in request.host else request.host
        listening(f"{scheme}://{name}:{port}")
        uvicorn.Server(config).run(sockets=[listener])


def _capacity(request: ServeRequest) -> Capacity:
    """Return what all searches may use. Raises: InputError: no such cluster, or not so much."""
    if request.address is None:
        machine = this_machine(ask_torch=request.gpus != 0)
    else:
        machine = find_machine(request.address)
    for name, asked, there in (
        ("cpus", request.cpus, machine.cpus),
        ("gpus", request.gpus, machine.gpus),
    ):
        if asked is not None and asked > there:
            raise input_error(
                f"`{name}`", f"{asked} are more than the {there} there are", "ask for less"
            )
    gpus = machine.gpus if request.gpus is None else request.gpus
    return Capacity(request.cpus or machine.cpus, gpus)


@contextmanager
def _listening_socket(request: ServeRequest) -> Iterator[socket.socket]:
    host, port = request.host.strip("[]"), request.port
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(where[:2], family=family, backlog=2048)
    except OSError as error:
        problem = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise input_error("`port`", problem, "choose another `port` or `host`") from error
    with listener:
        yield listener


def _hosts(request: ServeRequest, port: int) -> frozenset[str]:
    """Return what the header `Host` may be."""
    names = {request.host.strip("[]"), "localhost", "127.0.0.1", "[::1]", socket.gethostname()}
    names = {f"[{name}]" if ":" in name and name[0] != "[" else name for name in names}
    with_port = {f"{name}:{port}" for name in {*names, *request.allow_host}}
    usual = 443 if request.tls_certificate else 80
    bare = set(request.allow_host) | (names if port == usual else set())
    return frozenset(name.lower() for name in with_port | bare)
