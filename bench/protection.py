"""How long does it take to find out what is protected in the largest cluster: 64 nodes and 8,000 VMs, on one core?

All healthy; with 1,000 rules; with memory so short that not all of a node would find room; with a plugin missing; with
disks that half of the nodes do not see; and one group alone. The goal is that it costs no more than the decision itself
(`bench/decision.py`). `python bench/protection.py`. One JSON line per figure.
"""

import json
import os
import statistics
import time

import msgspec
from decision import cluster, with_rules

from outlast.core.foresight.protection import Level, Protections
from outlast.model.group import Blind
from outlast.model.view import ClusterView

RUNS = 5
GOAL_S = 1.0


def main() -> None:
    healthy = cluster()
    tell("all protected", healthy, {Level.PROTECTED: 8000})
    tell("1,000 rules", with_rules(healthy), {Level.PROTECTED: 8000})
    short = shortened(healthy, memory_mib=252 * 1024)
    tell("no room for some", short, None)
    damaged = {
        name: session if name != "n64" else msgspec.structs.replace(session, offers=())
        for name, session in healthy.sessions.items()
    }
    tell("a plugin is missing on one node", msgspec.structs.replace(healthy, sessions=damaged), None)
    tell("half of the nodes do not see the disks", half_blind(healthy), {Level.PROTECTED: 8000})
    began = time.process_time()
    Protections(healthy).of(healthy.groups["vm0000"])
    show("one group alone", [time.process_time() - began])


def shortened(view: ClusterView, memory_mib: int) -> ClusterView:
    sessions = {
        name: msgspec.structs.replace(session, memory_mib=memory_mib) for name, session in view.sessions.items()
    }
    return msgspec.structs.replace(view, sessions=sessions)


def half_blind(view: ClusterView) -> ClusterView:
    """Each VM's disk is seen by the half of the nodes in which its owner is."""
    names = sorted(view.nodes)
    halves = names[::2], names[1::2]
    resources = {}
    for name, resource in view.resources.items():
        disk = f"/srv/{name}.img"
        seen, unseen = halves if view.groups[resource.group].owner in halves[0] else halves[::-1]
        blind = {node: Blind(f"it does not see the disk {disk}: nothing is there", disk) for node in unseen}
        resources[name] = msgspec.structs.replace(resource, seen_by=tuple(seen), blind_on=blind)
    return msgspec.structs.replace(view, resources=resources)


def tell(figure: str, view: ClusterView, expected: dict[Level, int] | None) -> None:
    took_s = []
    for _ in range(RUNS):
        began = time.process_time()
        protections = Protections(view)
        levels = [protections.of(group).level for group in view.groups.values()]
        took_s.append(time.process_time() - began)
    count = {level: levels.count(level) for level in Level if level in levels}
    if expected is not None and count != expected:
        raise SystemExit(f"{figure}: {count} instead of {expected}; the figure would say nothing")
    show(figure, took_s, **{level.value: number for level, number in count.items()})


def show(figure: str, took_s: list[float], **more: int) -> None:
    line = {
        "figure": f"protection, 64 nodes, 8,000 VMs: {figure}",
        "unit": "s",
        "median": round(statistics.median(took_s), 3),
        "min": round(min(took_s), 3),
        "max": round(max(took_s), 3),
        "goal": GOAL_S,
        "load_average": round(os.getloadavg()[0], 1),
        **more,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
