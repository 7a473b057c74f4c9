"""How soon does `outlast` show what somebody has done with virsh on the owner of a VM?

In a lab of three nodes of its own, on etcd, with one beacon on n1, and asked on n2: so the change has gone through
the cluster database. Each change is made RUNS times. Counted from the moment in which virsh has returned: until the
service's answer to `status` shows it ("shown"), and until a whole `outlast status --json`, begun right then and again
until it shows it, has ended ("with the command"). What virsh takes by itself is beside it.
`python bench/console.py`. One JSON line per figure; nothing else should run meanwhile.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.model.answers import ClusterStatus

RUNS = 10
GOAL_S = 0.3
LONGEST_S = 20.0
VM = "web"
MEMORY_MIB = (2, 3)
LOOKS_S = 0.002

Shown = Callable[[ClusterStatus], bool]


def main() -> None:
    lab = Lab(f"bench-{os.getpid()}")
    try:
        lab.up(nodes=3, database="etcd")
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        cluster.protect("beacon", VM, preferred_owners=["n1"])
        took: dict[str, list[tuple[float, float, float]]] = {}
        for number in range(RUNS + 1):  # the first is not counted
            for name, arguments, shown in _changes(cluster, number):
                one = _made(cluster, arguments, shown)
                took.setdefault(name, []).extend([one] if number else [])
        for name, times in took.items():
            virsh_s, shown_s, whole_s = zip(*times, strict=True)
            _print(f"virsh {name}, shown", shown_s, virsh_s)
            _print(f"virsh {name}, with the command", whole_s, virsh_s)
    finally:
        lab.down()


def _changes(cluster: LabCluster, number: int) -> Iterator[tuple[str, list[str], Shown]]:
    """Each begins with what the one before it has left."""
    yield "suspend", ["suspend", VM], lambda s: "paused" in s.groups[0].why
    yield "resume", ["resume", VM], lambda s: "paused" not in s.groups[0].why and s.groups[0].state == "online"
    memory_mib = MEMORY_MIB[number % 2]
    file = cluster.lab.paths.shared / f"{VM}.xml"
    now = cluster.lab.virsh("n1", "dumpxml", "--inactive", VM)
    old = cluster.status().vms[0].memory_mib
    file.write_text(now.replace(f">{old * 1024}<", f">{memory_mib * 1024}<"))
    yield "define", ["define", str(file)], lambda s: s.vms[0].memory_mib == memory_mib
    vcpus = 1 + (number + 1) % 2
    arguments = ["setvcpus", VM, str(vcpus), "--config", "--maximum"]
    yield "setvcpus --config", arguments, lambda s: s.vms[0].vcpus == vcpus
    yield "destroy", ["destroy", VM], lambda s: (s.groups[0].state, s.groups[0].wanted) == ("offline", "offline")
    yield "start", ["start", VM], lambda s: (s.groups[0].state, s.groups[0].wanted) == ("online", "online")


def _made(cluster: LabCluster, arguments: list[str], shown: Shown) -> tuple[float, float, float]:
    """How long virsh took; and from then on, until it is shown, and until a whole command has shown it."""
    socket = cluster.client("n2").path
    command = [sys.executable, "-m", "outlast.cli.main", "status", "--json"]
    environment = {**os.environ, "OUTLAST_SOCKET": socket}
    began = time.monotonic()
    cluster.lab.virsh("n1", *arguments)
    done = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    shown_s = 0.0
    while not shown_s and time.monotonic() - done < LONGEST_S:
        if shown(cluster.status("n2")):
            shown_s = time.monotonic() - done
        else:
            time.sleep(LOOKS_S)
    if not shown_s:
        raise SystemExit(f"virsh {' '.join(arguments)} was not shown within {LONGEST_S:g} s")
    while True:
        output, _ = process.communicate(timeout=LONGEST_S)
        if shown(msgspec.json.decode(output, type=ClusterStatus)):
            return done - began, shown_s, time.monotonic() - done
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def _print(name: str, seconds: tuple[float, ...], virsh_s: tuple[float, ...]) -> None:
    line = {
        "figure": name,
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
        "runs": len(seconds),
        "virsh_median": round(statistics.median(virsh_s), 3),
        "goal": GOAL_S,
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
