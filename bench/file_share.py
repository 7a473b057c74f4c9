"""How long does a client of a file share wait, when the share is moved, and when its node loses power?

The client (`outlast.lab.smb_writer`) writes one small record after the other, each acknowledged when storage has it,
and tells its longest gap between two acknowledgements, with everything in it: the failover itself, the question whether
somebody has the address, the start of smbd, and how soon the client notices and connects anew. Each run also reads the
file: nothing that was acknowledged may be missing. RUNS runs each, in a lab of three nodes of its own, with the default
node time-out and SQLite.

`python bench/file_share.py [move|power...]`. One JSON line per figure; `load` is the machine's (1 min) at its end:
other work makes the figures longer.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.lab.written_share import GROUP, SERVERS, Writing, WrittenShare

RUNS = 5
NODE_TIMEOUT_S = 5.0
MOVE_BOUND_S = 3.0
POWER_BOUND_S = NODE_TIMEOUT_S + 5.0
REST_S = 1.0


def main(figures: list[str]) -> None:
    with _share() as share:
        for name, figure in FIGURES.items():
            if not figures or name in figures:
                figure(share)


def move(share: WrittenShare) -> None:
    gaps_s = []
    for _ in range(RUNS):
        to = next(name for name in SERVERS if name != share.owner)
        with share.written() as writing:
            share.outlast("group", "move", GROUP, "--to", to)
            writing.go_on()
        gaps_s.append(_judged(writing))
    _print("file share moved: the client's longest gap in acknowledged writes", gaps_s, MOVE_BOUND_S)


def power(share: WrittenShare) -> None:
    gaps_s = []
    for run in range(RUNS):
        owner = share.owner
        with share.written() as writing:
            time.sleep(REST_S + run * 0.083)  # the cut falls on any phase of the session's renewals
            share.cluster.lab.power_off(owner, "bench")
            writing.go_on()
        gaps_s.append(_judged(writing))
        share.cluster.lab.power_on(owner)
        share.cluster.wait_for_members()
    name = f"power cut of the file share's node: the client's longest gap, node_timeout {NODE_TIMEOUT_S:g} s"
    _print(name, gaps_s, POWER_BOUND_S)


def _judged(writing: Writing) -> float:
    if lost := writing.lost():
        raise SystemExit(f"lost: {len(lost)} of {writing.account.acknowledged} acknowledged records, first {lost[0]}")
    return writing.account.longest_gap_s


@contextmanager
def _share() -> Iterator[WrittenShare]:
    lab = Lab(f"bench-share-{os.getpid()}")
    try:
        lab.up(nodes=3, node_timeout_s=NODE_TIMEOUT_S)
        cluster = LabCluster(lab)
        cluster.wait_for_members()
        cluster.excuse_losses()
        share = WrittenShare(cluster)
        share.make()
        yield share
    finally:
        lab.down()


def _print(name: str, seconds: list[float], bound_s: float) -> None:
    figure = {
        "figure": name,
        "unit": "s",
        "median": round(statistics.median(seconds), 3),
        "max": round(max(seconds), 3),
        "min": round(min(seconds), 3),
        "runs": len(seconds),
        "at_most": bound_s,
        "kept": max(seconds) <= bound_s,
        "lost": 0,
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figure), flush=True)


FIGURES: dict[str, Callable[[WrittenShare], None]] = {"move": move, "power": power}

if __name__ == "__main__":
    main(sys.argv[1:])
