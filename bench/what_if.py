"""How long does `outlast what-if node-down` take, the whole process, in a cluster of 3 nodes and 1,000 groups?

In a lab of its own, with the real cluster service. The groups hold one resource of the type `dummy` each, which costs
nothing to run, with the memory and processors of a VM: what is asked about them is the same. The goal: 0.5 s.
`python bench/what_if.py`. One JSON line per figure; the machine's load stands beside it, because it shows in the time.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

from outlast.client.control import Client
from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab

RUNS = 15
GROUPS = 1000
MEMORY_MIB = 512
GOAL_S = 0.5
LAB = "bench-what-if"
NODE_MIB = 2 * GROUPS * MEMORY_MIB // 3


def main() -> None:
    lab = Lab(LAB)
    lab.down()
    try:
        lab.up(3, memory_mib=NODE_MIB)
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        client = cluster.client("n1")
        for number in range(GROUPS):
            _make(client, f"g{number:04}")
        cluster.wait(lambda status: all(row.state == "online" for row in status.groups), "all are online", 600.0)
        ask = [sys.executable, "-m", "outlast.cli.main", "what-if", "node-down", "n2"]
        _print("for people", [*ask], client.path)
        _print("for people, every group named", [*ask, "--all"], client.path)
        _print("--json", [*ask, "--json"], client.path)
        _print("two of three nodes, --json", [*ask, "n3", "--json"], client.path)
        _answers(client)
    finally:
        lab.down()


def _make(client: Client, name: str) -> None:
    values = {"memory_mib": str(MEMORY_MIB), "vcpus": "1"}
    client.call("group.create", {"name": name}, type=object)
    client.call(
        "resource.create", {"name": f"{name}-vm", "type": "dummy", "group": name, "values": values}, type=object
    )
    client.call("group.online", {"name": name}, type=object)


def _answers(client: Client) -> None:
    """The service's part."""
    seconds = []
    for _ in range(RUNS):
        began = time.monotonic()
        client.call("what_if.node_down", {"nodes": ["n2"]}, type=object)
        seconds.append(time.monotonic() - began)
    line = {"figure": "of that, the service's answer", "unit": "s", "median": round(statistics.median(seconds), 3)}
    print(json.dumps(line), flush=True)


def _print(name: str, command: list[str], socket: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OUTLAST_SOCKET": socket, "COLUMNS": "160"}
    seconds, processor_s = [], []
    for run in range(RUNS + 1):
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
        if run:  # the first one compiles what was not compiled yet
            seconds.append(time.monotonic() - began)
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor_s.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
    line = {
        "figure": f"outlast what-if node-down, 3 nodes, {GROUPS} groups, {name}",
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
        "goal": GOAL_S,
        "processor": round(statistics.median(processor_s), 3),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
