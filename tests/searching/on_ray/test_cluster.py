"""Addresses of clusters: what is no address, and where nothing answers, is one line."""

from __future__ import annotations

import socket

import pytest
from ray._private import services

from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.session import cluster
from tune_mnist.searching.on_ray.session.cluster import find_cluster

BAD = {
    "head": "'head' is not an address; use auto or host:port",
    "head:": "'head:' is not an address",
    "head:0": "'head:0' is not an address",
    ":6379": "':6379' is not an address",
    "head:sixty": "'head:sixty' is not an address",
    "no-such-host.invalid:6379": "does not answer|names a host that is not known here",
    "http://127.0.0.1:8265": "is the address of Ray's dashboard or of Ray Client",
    "ray://127.0.0.1:10001": "is the address of Ray's dashboard or of Ray Client",
}


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_address_is_one_line(address: str) -> None:
    with pytest.raises(InputError, match=BAD[address]) as refused:
        find_cluster(address)
    assert len(refused.value.faults) == 1


def test_where_nothing_answers_is_one_line_within_seconds() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=rf"the Ray cluster at .*:{port}: does not answer within"):
        find_cluster(f"127.0.0.1:{port}")


def test_auto_takes_ray_s_variable_or_what_ray_start_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "answers", lambda *_: False)
    monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
    with pytest.raises(InputError, match=r"10\.1\.2\.3:6379"):
        find_cluster("auto")
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: "10.1.2.4:6379")
    with pytest.raises(InputError, match=r"10\.1\.2\.4:6379"):
        find_cluster("auto")
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: None)
    with pytest.raises(InputError, match="`ray start` has not run on this machine"):
        find_cluster("auto")
