"""The network between a writer and its store is lost, for a while or for good."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.store.example_trials import PARAMETERS, report, trial
from tests.store.far.server import s3_server
from tune_mnist.store.files import bucket as bucket_module
from tune_mnist.store.files import lease as lease_module
from tune_mnist.store.files.place import opened
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import StoreError, Writer

ADDRESS = "s3://bucket/network"


class Network:
    """An S3 server that can be cut off; moto keeps its objects meanwhile."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.endpoint = self._stack.enter_context(s3_server())

    def cut(self) -> None:
        self._stack.close()

    def mend(self) -> None:
        self._stack.enter_context(s3_server(urlsplit(self.endpoint).port or 0))


@pytest.fixture
def network(s3_address: str) -> Iterator[Network]:
    there = Network()
    yield there
    there.cut()


def test_a_network_that_is_gone_for_a_while_is_waited_for(network: Network) -> None:
    with Writer(opened(ADDRESS, network.endpoint), "waits", PARAMETERS) as writer:
        writer.append_trial(trial("t0"), [report(1)])
        network.cut()
        back = threading.Timer(1.0, network.mend)
        back.start()
        writer.append_trial(trial("t1"), [report(1)])
        back.join()
    root = opened(ADDRESS, network.endpoint)
    assert read_trials(root, search="waits")["trial"].to_pylist() == ["t0", "t1"]
    assert len(read_reports(root, search="waits")) == 2


def test_a_network_that_is_lost_ends_with_one_line_and_loses_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "_WRITING", bucket_module._READING)
    monkeypatch.setattr(lease_module, "LASTS_S", 0.0)
    writer = Writer(opened(ADDRESS, network.endpoint), "lost", PARAMETERS)
    writer.append_trial(trial("t0"), [report(1)])
    network.cut()
    with pytest.raises(StoreError) as caught:
        writer.append_trial(trial("t1"), [report(1)])
    [line] = str(caught.value).splitlines()
    assert f"no answer from {network.endpoint} after 5 retries" in line
    assert "what was written before is whole" in line
    assert line.endswith("then resume the search lost")
    writer.close()
    network.mend()
    with Writer(opened(ADDRESS, network.endpoint), "lost", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("t1"), [report(1)])
        writer.compact()
    root = opened(ADDRESS, network.endpoint)
    assert read_trials(root, search="lost")["trial"].to_pylist() == ["t0", "t1"]
    assert len(read_reports(root, search="lost")) == 2
