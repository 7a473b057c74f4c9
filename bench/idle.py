"""What does an idle node cost, with 100 VMs on it that are asked every 5 s whether they are alive?

All cluster processes of that node together (outlastd and its resource hosts, without etcd): processor time over
MEASURE_S, and memory as PSS. On etcd on the same three nodes, and on SQLite; `python bench/idle.py [etcd|sqlite]`.
One JSON line per figure.
"""

import json
import os
import sys
import time
from pathlib import Path

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.node import is_service, processes

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
        pids = [
            found.pid
            for found in processes(lab.node("n1"))
            if is_service(found, "outlastd") or is_service(found, "outlast-rhs")
        ]
        revision = cluster.status().revision
        before = {pid: _cpu_s(pid) for pid in pids}
        time.sleep(MEASURE_S)
        used_s = sum(_cpu_s(pid) - before[pid] for pid in pids)
        writes = cluster.status().revision - revision
        pss_mib = sum(_pss_kib(pid) for pid in pids) / 1024
        about = f"idle node with {GUESTS} beacons on {database}, IsAlive every 5 s"
        _print(f"{about}: processor time of its cluster processes", "% of one core", 100 * used_s / MEASURE_S)
        _print(f"{about}: memory of its cluster processes (PSS)", "MiB", pss_mib)
        _print(f"the idle cluster of three nodes on {database}: database commits", "per second", writes / MEASURE_S)
    finally:
        lab.down()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _print(name: str, unit: str, value: float) -> None:
    print(json.dumps({"figure": name, "unit": unit, "value": round(value, 2)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
