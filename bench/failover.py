"""How long is a VM away when its QEMU is killed, and when its node loses power?

Each figure counts from the kill or the power cut to the first output of the beacon on another node, read from its
serial port: nobody's word but the guest's. Medians of RUNS runs, in a lab of three nodes of its own; nothing else
should run meanwhile. The floor is measured in the same run: `virsh create` of the same beacon to its first output.

`python bench/failover.py [FIGURE...]`. One JSON line per figure:
  floor kill power fast many            on SQLite: what Outlast itself takes
  etcd-kill etcd-power etcd-fast        on etcd on the same three nodes, with fence devices; fast: node_timeout 2 s
  etcd-leader etcd-fast-leader          as before, and the node that dies leads etcd and coordinates
  etcd-watchdog etcd-fast-watchdog      no fence device at all: by the watchdog's time alone
Each etcd figure also says how many of the VMs that stood on the other nodes were restarted meanwhile: none may be.
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
from outlast.lab.layout import address_of
from outlast.model.fence_answers import FenceDeviceRow

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


def kill(database: str = "sqlite") -> None:
    """A VM of its own each time: from the third failure on a node on there is a pause, on purpose."""
    with _lab(database=database) as cluster:
        seconds = []
        for _ in range(RUNS + 1):
            cluster.clear()
            cluster.protect("beacon", "victim")
            owner = cluster.wait_online("victim").groups[0].owner
            time.sleep(REST_S)
            others = [node for node in cluster.lab.state().nodes if node != owner]
            before = cluster.outputs(["victim"], others)
            began = time.monotonic()
            os.kill(cluster.qemu_pid(owner, "victim"), signal.SIGKILL)
            seconds.append(cluster.wait_for_output(["victim"], others, before)["victim"] - began)
        on = "" if database == "sqlite" else f", on {database}"
        _print(f"QEMU killed to first output on another node{on}", seconds[1:])
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


def etcd_kill() -> None:
    kill("etcd")


def etcd_power() -> None:
    _etcd_power_cuts("node power cut to first output elsewhere, etcd, node_timeout 5 s", 5.0)


def etcd_fast() -> None:
    _etcd_power_cuts("node power cut to first output elsewhere, etcd, node_timeout 2 s", 2.0)


def etcd_leader() -> None:
    about = "power cut of the node that leads etcd and coordinates to first output elsewhere"
    _etcd_power_cuts(f"{about}, node_timeout 5 s", 5.0, leader=True)


def etcd_fast_leader() -> None:
    about = "power cut of the node that leads etcd and coordinates to first output elsewhere"
    _etcd_power_cuts(f"{about}, node_timeout 2 s", 2.0, leader=True)


def etcd_watchdog() -> None:
    _etcd_power_cuts("power cut to first output elsewhere by watchdog alone, node_timeout 5 s", 5.0, fenced=False)


def etcd_fast_watchdog() -> None:
    _etcd_power_cuts("power cut to first output elsewhere by watchdog alone, node_timeout 2 s", 2.0, fenced=False)


def _etcd_power_cuts(name: str, node_timeout_s: float, *, leader: bool = False, fenced: bool = True) -> None:
    """`leader`: of the node that leads etcd and coordinates; else of one that does neither."""
    with _lab(node_timeout_s, "etcd") as cluster:
        nodes = cluster.lab.state().nodes
        if not fenced:
            for node in nodes:
                for row in cluster.client().call("fence.list", {"node": node}, type=list[FenceDeviceRow]):
                    cluster.client().call("fence.delete", {"node": node, "device": row.device}, type=str)
        cluster.protect("beacon", "victim", failover_threshold=NEVER_TERMINAL)
        for node in nodes:
            cluster.protect("beacon", f"stays-{node}", possible_owners=[node])
        seconds: list[float] = []
        disturbed = 0
        for run in range(RUNS):
            coordinator = cluster.wait_for_members().coordinator
            victim = coordinator if leader else next(name for name in nodes if name != coordinator)
            _lead(cluster, coordinator)
            _bring(cluster, "victim", victim)
            cluster.wait_online(*(f"stays-{node}" for node in nodes))
            others = [node for node in nodes if node != victim]
            running = {node: cluster.qemu_pid(node, f"stays-{node}") for node in others}
            time.sleep(REST_S + run * 0.083)  # the cut falls on any phase of the session's renewals
            before = cluster.outputs(["victim"], others)
            began = time.monotonic()
            cluster.lab.power_off(victim, "bench")
            seconds.append(cluster.wait_for_output(["victim"], others, before)["victim"] - began)
            disturbed += sum(cluster.qemu_pid(node, f"stays-{node}") != pid for node, pid in running.items())
            cluster.lab.power_on(victim)
        _print(name, seconds, disturbed=disturbed)
        _must_be_clean(cluster)


def _lead(cluster: LabCluster, node: str) -> None:
    """From now on etcd is led there."""
    leader = cluster.call("quorum.show", node)["leader"]
    if leader != node:
        (own,) = json.loads(_etcdctl(cluster, node, node, "endpoint", "status", "--write-out", "json"))
        _etcdctl(cluster, node, leader, "move-leader", f"{own['Status']['header']['member_id']:x}")
    cluster.wait(lambda _: cluster.call("quorum.show", node)["leader"] == node, f"etcd is led on {node}")


def _etcdctl(cluster: LabCluster, on: str, member: str, *command: str) -> str:
    pki = "/etc/outlast/pki"
    access = ("--cacert", f"{pki}/authority.crt", "--cert", f"{pki}/node.crt", "--key", f"{pki}/node.key")
    endpoint = f"https://{address_of(member)}:2379"
    return cluster.lab.exec(on, "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", endpoint, *access, *command)


def _bring(cluster: LabCluster, guest: str, node: str) -> None:
    cluster.wait_online(guest)
    if cluster.owner(guest) != node:
        cluster.call("group.move", name=guest, to=node, stop="turn_off")
    cluster.wait(lambda s: any(r.name == guest and r.owner == node for r in s.groups), f"{guest} is on {node}")
    cluster.wait_online(guest)


def _gather(cluster: LabCluster, guests: list[str]) -> None:
    """All of them on n1, as in the beginning."""
    cluster.wait_online(*guests)
    for guest in guests:
        if cluster.owner(guest, "n2") != "n1":
            cluster.call("group.move", "n2", name=guest, to="n1", stop="turn_off")
    cluster.wait_online(*guests)
    cluster.wait(lambda s: all(row.owner == "n1" for row in s.groups), "all on n1")


class _lab:
    def __init__(self, node_timeout_s: float = 5.0, database: str = "sqlite") -> None:
        self._lab = Lab("bench")
        self._node_timeout_s = node_timeout_s
        self._database = database

    def __enter__(self) -> LabCluster:
        self._lab.down()
        self._lab.up(3, node_timeout_s=self._node_timeout_s, database=self._database)
        cluster = LabCluster(self._lab)
        cluster.wait_for_members()
        cluster.excuse_losses()
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


FIGURES: dict[str, Callable[[], None]] = {
    "floor": floor,
    "kill": kill,
    "power": power,
    "fast": fast,
    "many": many,
    "etcd-kill": etcd_kill,
    "etcd-power": etcd_power,
    "etcd-fast": etcd_fast,
    "etcd-leader": etcd_leader,
    "etcd-fast-leader": etcd_fast_leader,
    "etcd-watchdog": etcd_watchdog,
    "etcd-fast-watchdog": etcd_fast_watchdog,
}

if __name__ == "__main__":
    main(sys.argv[1:])
