"""How fast is the HTTP API in a cluster of 1,000 groups, and how much memory does `outlast-web` take?

In a lab of its own, with the real programs. The groups hold one resource of the type `dummy` each: a row of one takes
the same work as that of a VM. Asked from inside a node, over TLS, on one connection. The goals: 100 ms at the median,
100 MiB.
`python bench/web.py`. One JSON line per figure; the machine's load stands beside it, because it shows in the time.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from what_if import GROUPS, _make

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.node import find_processes

RUNS = 30
LAB = "bench-web"
PATHS = ("/api/v1/groups", "/api/v1/resources", "/api/v1/status", "/metrics")
ASKED = """
import http.client, json, ssl, statistics, sys, time
paths, token, runs = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = http.client.HTTPSConnection("n1", 9443, context=context)
def once(path):
    began = time.monotonic()
    connection.request("GET", path, headers={"Authorization": "Bearer " + token})
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return time.monotonic() - began, len(body)
for path in paths:
    once(path)
    found = [once(path) for _ in range(runs)]
    seconds = [each for each, _ in found]
    print(json.dumps([path, statistics.median(seconds), min(seconds), max(seconds), found[0][1]]))
"""


def main() -> None:
    lab = Lab(LAB)
    lab.down()
    try:
        lab.up(3, web=True, memory_mib=2 * GROUPS * 512 // 3)
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        client = cluster.client("n1")
        for number in range(GROUPS):
            _make(client, f"g{number:04}")
        cluster.wait(lambda status: all(row.state == "online" for row in status.groups), "all are online", 600.0)
        token = cluster.call("token.create", "n1", name="bench")["token"]
        told = lab.exec("n2", sys.executable, "-c", ASKED, json.dumps(PATHS), token, str(RUNS), timeout_s=300)
        for line in told.splitlines():
            path, median, least, most, size = json.loads(line)
            figure = f"GET {path}, {GROUPS} groups, {size // 1024} KiB"
            _print(figure, "s", median=round(median, 4), min=round(least, 4), max=round(most, 4))
        answers = [_timed(lambda: client.call("metrics", type=object)) for _ in range(RUNS)]
        figure = f"of GET /metrics, {GROUPS} groups: the cluster service's answer"
        _print(figure, "s", median=round(statistics.median(answers), 4), max=round(max(answers), 4))
        (pid,) = find_processes(lab.node("n1"), "outlast-web")
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        _print("memory of outlast-web after that", "MiB", rss=round(int(status["VmRSS"].split()[0]) / 1024, 1))
    finally:
        lab.down()


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _print(figure: str, unit: str, **values: float) -> None:
    print(json.dumps({"figure": figure, "unit": unit, **values, "load": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    main()
