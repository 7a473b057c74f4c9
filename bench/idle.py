"""What does an idle cluster cost, with 100 VMs on one of its nodes that are asked every 5 s whether they are alive?

For each node all its cluster processes together (outlastd and its resource hosts, without etcd): processor time over
MEASURE_S, and memory as PSS; the largest counts, and each is told. And what is written to the database meanwhile: which
keys, as its own history says. On etcd on the same three nodes, and on SQLite; `python bench/idle.py [etcd|sqlite]`.
One JSON line per figure.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.node import is_service, processes
from outlast.model import keys

GUESTS = 100
BATCH = 20
SETTLE_S = 10.0
MEASURE_S = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main(databases: list[str]) -> None:
    for database in databases or ["etcd", "sqlite"]:
        measure(database)


def measure(database: str) -> None:
    lab = Lab("bench")
    lab.down()
    lab.up(3, database=database)
    try:
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        names = [f"idle{number}" for number in range(GUESTS)]
        for start in range(0, GUESTS, BATCH):
            for name in names[start : start + BATCH]:
                cluster.protect("beacon", name, preferred_owners=["n1"], wait=False)
            cluster.wait_online(*names[start : start + BATCH], within_s=120)
        time.sleep(SETTLE_S)
        nodes = lab.state().nodes
        pids = {name: _services(lab, name) for name in nodes}
        revision = cluster.status().revision
        before = {name: sum(map(_cpu_s, pids[name])) for name in nodes}
        time.sleep(MEASURE_S)
        used = {name: 100 * (sum(map(_cpu_s, pids[name])) - before[name]) / MEASURE_S for name in nodes}
        pss = {name: sum(map(_pss_kib, pids[name])) / 1024 for name in nodes}
        written = _written(lab, revision)
        coordinator = cluster.status().coordinator
        about = f"idle cluster with {GUESTS} beacons on n1, on {database}, IsAlive every 5 s, coordinator {coordinator}"
        _print(f"{about}: processor time of a node's cluster processes, the largest", "% of one core", used)
        _print(f"{about}: memory of a node's cluster processes (PSS), the largest", "MiB", pss)
        per_s = {noun: count / MEASURE_S for noun, count in written.items()}
        _print(f"{about}: keys written", "per second", per_s, value=sum(per_s.values()))
        others = sum(count for noun, count in written.items() if noun != keys.SESSIONS)
        _print(f"{about}: writes to keys that are no session records", "writes", {}, value=others)
    finally:
        lab.down()


def _services(lab: Lab, name: str) -> list[int]:
    """The cluster service of a node, and its resource hosts."""
    return [
        found.pid
        for found in processes(lab.node(name))
        if is_service(found, "outlastd") or is_service(found, "outlast-rhs")
    ]


def _written(lab: Lab, revision: int) -> Counter[str]:
    """Which keys were written since then, by their nouns: read from the history of the database itself."""
    said = lab.exec("n1", sys.executable, "-m", "outlast.lab.history", "/", "--keys-since", str(revision))
    found: Counter[str] = Counter()
    for key, count in json.loads(said).items():
        found[key.rpartition("/")[0] + "/"] += count
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _print(name: str, unit: str, each: Mapping[str, float], *, value: float | None = None) -> None:
    figure = {"figure": name, "unit": unit, "value": round(max(each.values()) if value is None else value, 2)}
    print(json.dumps({**figure, "each": {of: round(one, 2) for of, one in sorted(each.items())}}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
