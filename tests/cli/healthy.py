"""Answers of a healthy cluster, for tests that change one thing in them. One builder per noun."""

from typing import Any

import msgspec

from outlast.model.answers import (
    ClusterStatus,
    Explanation,
    GroupRow,
    NodeRow,
    ProtectReport,
    ResourceRow,
    VmDetail,
    VmRow,
)
from outlast.model.event import Event
from outlast.model.setting_answers import SettingRow
from outlast.model.type_answers import TypeOffer

AT_S = 1_790_000_000.0


def node(name: str = "n1", **changes: Any) -> NodeRow:
    row = NodeRow(
        name=name,
        state="up",
        why="",
        address=f"10.77.0.1{name[-1]}",
        coordinator=False,
        incarnation=f"life-of-{name}",
        groups=1,
        fence=("fence_outlast_lab",),
        watchdog_s=5.0,
        watchdog="hardware",
        watchdog_proves=True,
        watchdog_problem="",
        types={"vm": ""},
        last_record_s=0.4,
    )
    return msgspec.structs.replace(row, **changes)


def group(name: str = "web", **changes: Any) -> GroupRow:
    row = GroupRow(
        name=name,
        state="online",
        why="",
        owner="n1",
        wanted="online",
        wanted_by="an administrator on n1",
        epoch=3,
        move_to="",
        protected=True,
        not_protected_because=(),
        preferred_owners=(),
        possible_owners=(),
        failures=(),
        failover_threshold=2,
        failover_period_s=21600.0,
        resources=(name,),
        settled=True,
    )
    return msgspec.structs.replace(row, **changes)


def resource(name: str = "web", **changes: Any) -> ResourceRow:
    row = ResourceRow(
        name=name,
        type="vm",
        group=name,
        state="online",
        why="",
        owner="n1",
        identity="64aed7d9-7e4c-4bf5-92ca-c4596c2bc38e",
        is_alive_interval_s=5.0,
        online_timeout_s=180.0,
        offline_timeout_s=120.0,
    )
    return msgspec.structs.replace(row, **changes)


def vm(name: str = "web", **changes: Any) -> VmRow:
    row = VmRow(
        name=name,
        state="online",
        why="",
        owner="n1",
        wanted="online",
        protected=True,
        not_protected_because=(),
        identity="64aed7d9-7e4c-4bf5-92ca-c4596c2bc38e",
        memory_mib=512,
        vcpus=2,
        group=name,
    )
    return msgspec.structs.replace(row, **changes)


def detail(name: str = "web", **changes: Any) -> VmDetail:
    row = VmDetail(vm=vm(name), group=group(name), resource=resource(name), placement={"n1": "", "n2": "", "n3": ""})
    return msgspec.structs.replace(row, **changes)


def status(**changes: Any) -> ClusterStatus:
    row = ClusterStatus(
        name="outlast",
        answered_by="n1",
        coordinator="n2",
        term=1,
        node_timeout_s=5.0,
        revision=42,
        session="",
        age_s=0.0,
        nodes=(node("n1"), node("n2", coordinator=True, groups=0), node("n3", groups=0)),
        groups=(group("web"),),
        vms=(vm("web"),),
    )
    return msgspec.structs.replace(row, **changes)


def offer(node: str = "n1", **changes: Any) -> TypeOffer:
    row = TypeOffer(type="vm", node=node, version="1", digest="a5f525497dcc99", functions=("online",), problem="")
    return msgspec.structs.replace(row, **changes)


def setting() -> SettingRow:
    return SettingRow("reserve", "what happens", "refuse", "warn", '"warn" or "refuse"', ("warn", "refuse"))


def report(**changes: Any) -> ProtectReport:
    row = ProtectReport(
        name="web",
        identity="64aed7d9-7e4c-4bf5-92ca-c4596c2bc38e",
        owner="",
        wanted="online",
        done=True,
        nodes={"n1": (), "n2": ()},
        disks=("/shared/web.img",),
    )
    return msgspec.structs.replace(row, **changes)


def event(kind: str, words: str, *, at_s: float = AT_S, **changes: Any) -> Event:
    row = Event(id=f"{at_s:.3f}-{kind}", at_s=at_s, node="n1", kind=kind, words=words, group="web")
    return msgspec.structs.replace(row, **changes)


def explanation(**changes: Any) -> Explanation:
    row = Explanation(about="web", now=("web is online on n2", "it is wanted online"), story=failover())
    return msgspec.structs.replace(row, **changes)


def failover(start_s: float = AT_S) -> tuple[Event, ...]:
    return (
        event("failed", "web failed on n1: QEMU ended with signal 9", at_s=start_s),
        event(
            "decided",
            "web goes to n2 (epoch 4): it failed on n1",
            at_s=start_s + 0.012,
            reasons=("n2: fewest groups (0) of the nodes that can take it (n2, n3)",),
        ),
        event("online-pending", "web is being brought online on n2", at_s=start_s + 0.02, node="n2"),
        event("online", "web is online on n2", at_s=start_s + 0.42, node="n2"),
    )
