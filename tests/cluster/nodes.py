"""Real Ray nodes on this machine, each with an address and a host name of its own.

Run as a process, it starts a head and says so; then it reads a command a line and answers "done".

    python -m tests.cluster.nodes FOLDER [--hide OTHER] CPUS[+GPUS] [CPUS[+GPUS] ...]

FOLDER is for Ray's files. The other nodes do not see what is in OTHER, as if it lay on a disk of
the head; each has an empty folder of its own there.

The head has no CPU, as on Kubernetes; the others have as many as are given, and declare as many
GPUs, which nothing stands behind. "kill 1" kills the first of these, "kill 0" the head.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from ray._private import utils
from ray._private.node import Node
from ray.cluster_utils import Cluster

_NEW_UTS = 0x04000000  # CLONE_NEWUTS: host names
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS: what is mounted where
_PRIVATE = 0x4000 | 0x40000  # MS_REC and MS_PRIVATE: the others see no mount of ours


def main(folder: str, hidden: list[str], processors: list[str]) -> None:
    """Start the nodes, print the head's address, and obey until stdin ends."""
    for unused in ("start_monitor", "start_log_monitor"):
        setattr(Node, unused, lambda *_, **__: None)
    write_address = utils.write_ray_address
    utils.write_ray_address = lambda *_: None  # nobody else's `address=auto` shall find it
    small = {"object_store_memory": 2**27, "dashboard_agent_listen_port": 0}
    head = {**small, "num_cpus": 0, "temp_dir": folder, "dashboard_port": 0}
    head["include_dashboard"] = True
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes: list[Any] = [cluster.head_node]
    address = cluster.gcs_address
    write_address(address, folder)  # jobs ask for it
    for number, has in enumerate(processors, start=1):
        _become(f"node-{number}")
        unpacked = Path(nodes[0].get_session_dir_path(), "runtime_resources")
        _hide([str(unpacked), *hidden])
        cpus, _, gpus = has.partition("+")
        how: dict[str, Any] = {"num_cpus": int(cpus), "num_gpus": int(gpus or 0)}
        how["node_ip_address"] = f"127.0.0.{number + 1}"
        nodes.append(cluster.add_node(wait=False, **how, **small))
    cluster.wait_for_nodes(timeout=300)
    print(address, nodes[0].webui_url, flush=True)
    for line in sys.stdin:
        command, which = line.split()
        assert command == "kill"
        _kill(nodes[int(which)])
        print("done", flush=True)
    for node in nodes:
        _kill(node)


def _become(host: str) -> None:
    """Give the processes that are started from now on a host name of their own, if we may."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_UTS) == 0:
        with suppress(OSError):
            socket.sethostname(host)


def _hide(folders: list[str]) -> None:
    """Give the processes that are started from now on empty folders in their place, if we may.

    All nodes share one session folder of Ray. What a node unpacks there would take the place of
    what another has unpacked: the working folder of a running job, for example.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.unshare(_NEW_MOUNTS) or kernel.mount(b"none", b"/", None, _PRIVATE, None):
        return
    for folder in folders:
        kernel.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, None)


def _kill(node: Any) -> None:
    """Kill all processes of a node at once, its workers too, as a power cut does."""
    infos = [info for infos in node.all_processes.values() for info in infos]
    for info in infos:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(info.process.pid)
            for process in [server, *server.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--hide", action="append", default=[])
    parser.add_argument("processors", nargs="+")
    asked = parser.parse_args()
    main(asked.folder, asked.hide, asked.processors)
