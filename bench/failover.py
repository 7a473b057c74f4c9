"""How long is a VM away when its QEMU is killed, and when its node loses power?

Each figure counts from the kill or the power cut to the first output of the beacon on another node, read from its
serial port: nobody's word but the guest's. Medians of RUNS runs, in a lab of three nodes of its own; nothing else
should run meanwhile. The floor is measured in the same run: `virsh create` of the same beacon to its first output.

`python bench/failover.py [FIGURE...]`, figures: floor kill power fast many. One JSON line per figure.
"""

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab

RUNS = 10
MANY = 20
REST_S = 1.0
NEVER_TERMINAL = 1000


def main(figures: list[str]) -> None:
    for name, figure in FIGURES.items():
        if not figures or name in figures:
            figure()


def floor() -> None:
    """The beacon's start by libvirt alone."""
    with _lab() as cluster:
        lab = cluster.lab
        xml = lab.create_guest("beacon", "floor", image_lock=False)
        lab.paths.shared.joinpath("floor.xml").write_text(xml)
        seconds = []
        for _ in range(RUNS + 1):
            before = cluster.outputs(["floor"], ["n1"])
            began = time.monotonic()
            lab.virsh("n1", "create", str(lab.paths.shared / "floor.xml"))
            seconds.append(cluster.wait_for_output(["floor"], ["n1"], before)["floor"] - began)
            lab.virsh("n1", "destroy", "floor")
        _print("floor: virsh create of a beacon to its first output", seconds[1:])


def kill() -> None:
    with _lab() as cluster:
        cluster.protect("beacon", "victim", failover_threshold=NEVER_TERMINAL)
        seconds = []
        for _ in range(RUNS + 1):
            owner = cluster.wait_online("victim").groups[0].owner
            time.sleep(REST_S)
            others = [node for node in cluster.lab.state().nodes if node != owner]
            before = cluster.outputs(["victim"], others)
            began = time.monotonic()
            os.kill(cluster.qemu_pid(owner, "victim"), signal.SIGKILL)
            seconds.append(cluster.wait_for_output(["victim"], others, before)["victim"] - began)
        _print("QEMU killed to first output on another node", seconds[1:])
        _must_be_clean(cluster)


def power() -> None:
    _power_cuts("node power cut to first output elsewhere, node_timeout 5 s", 1, 5.0)


def fast() -> None:
    _power_cuts("node power cut to first output elsewhere, node_timeout 2 s", 1, 2.0)


def many() -> None:
    _power_cuts(f"node power cut to first output elsewhere of all its {MANY} beacons, node_timeout 5 s", MANY, 5.0)


def _power_cuts(name: str, count: int, node_timeout_s: float) -> None:
    with _lab(node_timeout_s) as cluster:
        guests = [f"victim{number}" for number in range(count)]
        for guest in guests:
            cluster.protect("beacon", guest, preferred_owners=["n1"], wait=False)
        seconds = []
        for run in range(RUNS):
            _gather(cluster, guests)
            coordinator = cluster.status("n2").coordinator
            others = ["n2", "n3"]
            time.sleep(REST_S + run * 0.083)  # the cut falls on any phase of the session's renewals
            before = cluster.outputs(guests, others)
            began = time.monotonic()
            cluster.lab.power_off("n1", "bench")
            seconds.append(max(cluster.wait_for_output(guests, others, before).values()) - began)
            cluster.lab.power_on("n1")
            cluster.wait_for_members()
        _print(name, seconds, coordinator=coordinator)
        _must_be_clean(cluster)


def _gather(cluster: LabCluster, guests: list[str]) -> None:
    """All of them on n1, as in the beginning."""
    cluster.wait_online(*guests)
    for guest in guests:
        if cluster.owner(guest, "n2") != "n1":
            cluster.call("group.move", "n2", name=guest, to="n1", stop="turn_off")
    cluster.wait_online(*guests)
    cluster.wait(lambda s: all(row.owner == "n1" for row in s.groups), "all on n1")


class _lab:
    def __init__(self, node_timeout_s: float = 5.0) -> None:
        self._lab = Lab("bench")
        self._node_timeout_s = node_timeout_s

    def __enter__(self) -> LabCluster:
        self._lab.down()
        self._lab.up(3, node_timeout_s=self._node_timeout_s)
        cluster = LabCluster(self._lab)
        cluster.wait_for_members()
        return cluster

    def __exit__(self, *_: object) -> None:
        self._lab.down()


def _must_be_clean(cluster: LabCluster) -> None:
    findings = cluster.lab.check_disks()
    if findings:
        raise SystemExit(f"two copies ran at once: {findings}")


def _print(name: str, seconds: list[float], **more: object) -> None:
    figure = {
        "figure": name,
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
        "runs": len(seconds),
        **more,
    }
    print(json.dumps(figure), flush=True)


FIGURES: dict[str, Callable[[], None]] = {"floor": floor, "kill": kill, "power": power, "fast": fast, "many": many}

if __name__ == "__main__":
    main(sys.argv[1:])
