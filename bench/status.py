"""How long does `outlast status` take, the whole process, in a cluster of 3 nodes and 100 VMs?

In a lab of its own, with the real cluster service. The VMs are protected and switched off, so that the figure shows
the command and the service, not a hundred guests that share this machine. Beside it: how much of it Python takes to
begin at all. `python bench/status.py`. One JSON line per figure.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab

RUNS = 20
VMS = 100
LAB = "bench-status"


def main() -> None:
    lab = Lab(LAB)
    lab.down()
    try:
        lab.up(3)
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        for number in range(VMS):
            cluster.protect("beacon", f"vm{number}", wait=False, start=False)
        cluster.wait(lambda status: len(status.vms) == VMS, f"{VMS} VMs are protected")
        socket = cluster.client("n1").path
        _print("Python begins and ends", _measure([sys.executable, "-c", "pass"], socket))
        status = [sys.executable, "-m", "outlast.cli.main", "status", "--all"]
        _print(f"outlast status --all, 3 nodes, {VMS} VMs, for people", _measure(status, socket))
        _print(f"outlast status, 3 nodes, {VMS} VMs, for people", _measure(status[:-1], socket))
        _print(f"outlast status --json, 3 nodes, {VMS} VMs", _measure([*status[:-1], "--json"], socket))
        client = cluster.client("n1")
        _print(
            "of that, the service's answer", [_timed(lambda: client.call("status", type=object)) for _ in range(RUNS)]
        )
    finally:
        lab.down()


def _measure(command: list[str], socket: str) -> list[float]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OUTLAST_SOCKET": socket, "COLUMNS": "160"}

    def once() -> None:
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60)

    once()  # compiles what was not compiled yet
    return [_timed(once) for _ in range(RUNS)]


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _print(name: str, seconds: list[float]) -> None:
    figure = {
        "figure": name,
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
        "runs": len(seconds),
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
