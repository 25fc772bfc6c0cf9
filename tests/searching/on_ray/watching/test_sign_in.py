"""The address that opens the dashboard: for who knows it, and for nobody else."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tune_mnist.searching.on_ray.watching import sign_in
from tune_mnist.searching.on_ray.watching.sign_in import signing_in

DASHBOARD = "http://127.0.0.1:1"


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch, token: str, own: str = DASHBOARD) -> Iterator[str]:
    """The address to open of a dashboard with this token."""
    monkeypatch.setattr(sign_in, "_token", lambda: token)
    said: list[tuple[str, str]] = []
    with signing_in(lambda *addresses: said.append(addresses)) as started:
        started(own)
        ((address, dashboard),) = said
        assert dashboard == own
        yield address


def answer(address: str, path: str | None = None, method: str = "GET") -> http.client.HTTPResponse:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    connection.request(method, url.path if path is None else path)
    return connection.getresponse()


def test_the_address_sets_the_token_as_a_cookie_and_leads_to_the_trials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(monkeypatch, "secret") as address:
        for _ in range(2):  # a link may be clicked again
            got = answer(address)
            assert got.status == 302
            assert got.headers["Location"] == f"{DASHBOARD}/#/actors"
            cookie = got.headers["Set-Cookie"]
            assert cookie == "ray-authentication-token=secret; Path=/; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize("path", ["/", "/index.html", "/x?secret", "//", "/%00"])
def test_who_does_not_know_the_page_gets_no_token(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with opened(monkeypatch, "secret") as address:
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            got = answer(address, path, method)
            assert got.status in (404, 501)
            assert "secret" not in f"{got.headers}{got.read().decode()}"


def test_the_page_s_name_differs_each_time_and_cannot_be_guessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = set()
    for _ in range(3):
        with opened(monkeypatch, "secret") as address:
            names.add(urlsplit(address).path)
    assert len(names) == 3
    assert all(len(name) > 30 for name in names)  # 6 bits a character


def test_it_listens_on_this_machine_alone_and_ends_with_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(monkeypatch, "secret") as address:
        assert address.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        answer(address)


def test_a_ray_without_a_token_has_nothing_to_sign_in_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, "") as address:
        assert address == DASHBOARD


def test_the_token_goes_to_no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, "secret", "http://head.example:8265") as address:
        assert address == "http://head.example:8265"
