"""What does Outlast add to a live migration, compared with plain `virsh migrate --live` between the same two nodes?

Command against command, alternating, in a lab of three nodes of its own: the linux guest (128 MiB), RUNS times each;
and the drain of MANY beacons against a loop of `virsh migrate` over as many, with the same number under way at once.
`python bench/migration.py [one|drain]`. One JSON line per figure; nothing else should run meanwhile.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.layout import address_of

RUNS = 10
DRAINS = 3
MANY = 20
AT_ONCE = 4
MOST_ONE = 1.3
MOST_DRAIN = 1.2
OTHER = {"n1": "n2", "n2": "n1"}


def main(figures: list[str]) -> None:
    for name, figure in {"one": one, "drain": drain}.items():
        if not figures or name in figures:
            figure()


def one() -> None:
    with _lab() as cluster:
        cluster.protect("linux", "ours", preferred_owners=["n1"])
        _plain_guest(cluster, "linux", "plain", "n1")
        ready = lambda: all(_is_ready(cluster, guest) for guest in ("ours", "plain"))  # noqa: E731
        cluster.lab.wait(ready, 120, "both have booted")
        node, ours_s, plain_s = "n1", [], []
        for _ in range(RUNS + 1):
            to = OTHER[node]
            ours_s.append(_took(cluster.lab.exec, node, "outlast", "vm", "migrate", "ours", "--to", to))
            plain_s.append(_took(_virsh_migrate, cluster, node, "plain", to))
            node = to
        _print("live migration of the linux guest", ours_s[1:], plain_s[1:], MOST_ONE)


def drain() -> None:
    """Each round: all of ours leave n1, then all plain ones do; and back, which is not counted."""
    ours = [f"ours{number}" for number in range(MANY)]
    plain = [f"plain{number}" for number in range(MANY)]
    with _lab() as cluster:
        cluster.call("cluster.set", values={"parallel_moves": AT_ONCE})
        for guest in ours:
            cluster.protect("beacon", guest, possible_owners=["n1", "n2"], preferred_owners=["n1"], wait=False)
        cluster.wait_online(*ours)
        for guest in plain:
            _plain_guest(cluster, "beacon", guest, "n1")
        ours_s, plain_s = [], []
        for _ in range(DRAINS):
            ours_s.append(_took(cluster.lab.exec, "n1", "outlast", "node", "drain", "n1", "--wait", "300"))
            plain_s.append(_took(_all, cluster, "n1", plain, "n2"))
            cluster.call("node.resume", name="n1")
            _all(cluster, "n2", plain, "n1")
            for guest in ours:
                cluster.call("group.move", name=guest, to="n1", stop="live")
            cluster.wait(lambda s: all(row.owner == "n1" and row.state == "online" for row in s.groups), "all back")
        _print(f"drain of {MANY} beacons, {AT_ONCE} at once", ours_s, plain_s, MOST_DRAIN)


def _all(cluster: LabCluster, node: str, guests: list[str], to: str) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda guest: _virsh_migrate(cluster, node, guest, to), guests))


def _virsh_migrate(cluster: LabCluster, node: str, guest: str, to: str) -> None:
    address = address_of(to)
    cluster.lab.virsh(
        node, "migrate", "--live", "--p2p", "--persistent", "--undefinesource", "--unsafe", "--auto-converge", guest,
        f"qemu+tcp://{address}/system", "--migrateuri", f"tcp://{address}",
    )  # fmt: skip


def _plain_guest(cluster: LabCluster, kind: str, name: str, node: str) -> None:
    file = cluster.lab.paths.shared / f"{name}.xml"
    file.write_text(cluster.lab.create_guest(kind, name, image_lock=False))
    cluster.lab.virsh(node, "define", str(file))
    cluster.lab.virsh(node, "start", name)


def _is_ready(cluster: LabCluster, guest: str) -> bool:
    log = cluster.lab.node("n1").guest_logs / f"{guest}.log"
    return log.exists() and "READY" in log.read_text(errors="replace")


def _took(deed: Callable[..., object], *arguments: object) -> float:
    began = time.monotonic()
    deed(*arguments)
    return time.monotonic() - began


def _print(name: str, ours_s: list[float], plain_s: list[float], most: float) -> None:
    ours, plain = statistics.median(ours_s), statistics.median(plain_s)
    line = {
        "figure": name,
        "unit": "s",
        "median": round(ours, 3),
        "min": round(min(ours_s), 3),
        "max": round(max(ours_s), 3),
        "virsh_median": round(plain, 3),
        "virsh_min": round(min(plain_s), 3),
        "virsh_max": round(max(plain_s), 3),
        "ratio": round(ours / plain, 2),
        "goal": most,
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


class _lab:
    def __enter__(self) -> LabCluster:
        self._lab = Lab(f"bench-{os.getpid()}")
        self._lab.up(nodes=3, memory_mib=4096)
        cluster = LabCluster(self._lab)
        cluster.wait_for_members()
        return cluster

    def __exit__(self, *_: object) -> None:
        self._lab.down()


if __name__ == "__main__":
    main(sys.argv[1:])
