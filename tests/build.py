"""What does a healthy cluster look like? Builders for the nouns; a test changes the one thing that it is about.

Times in `observed` are ages in seconds by the deciding node's own clock, as the core is given them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from outlast.model.fence import FenceDevice
from outlast.model.group import Failure, Group, Resource, Wanted
from outlast.model.network import NetworkState
from outlast.model.node import Coordinator, Node, Offer, Proof, ProofKind, Session, Silence
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, ResourceStatus, State
from outlast.model.view import ClusterView, FenceReport, Observed
from outlast.model.volume import VolumeState
from outlast.model.watchdog import Strength

NODES = ("n1", "n2", "n3")
AGENT = FenceDevice("fence_lab", {"plug": "1"}, name="fence_lab")


def node(name: str, *, fenced: bool = True, paused: bool = False, **more: Any) -> Node:
    """With a fence device, as a careful administrator has it."""
    return Node(name, address="192.0.2.1", fence=(AGENT,) if fenced else (), paused=paused, **more)


def session(
    name: str,
    *,
    life: int = 1,
    watchdog_s: float = 0.0,
    offers: Iterable[Offer] = (Offer("vm"),),
    peers: tuple[str, ...] = NODES,
    memory_mib: int = 0,
    cpus: int = 0,
    migration: str = "lab",
    volumes: tuple[VolumeState, ...] = (),
    processor: str = "",
) -> Session:
    return Session(
        name,
        incarnation(name, life),
        beat=7,
        machine=f"m-{name}",
        offers=tuple(offers),
        watchdog_s=watchdog_s,
        watchdog=Strength.HARDWARE if watchdog_s else None,
        peers=tuple(peer for peer in peers if peer != name),
        memory_mib=memory_mib,
        cpus=cpus,
        processor=processor,
        migration=migration,
        volumes=volumes,
    )


def incarnation(name: str, life: int = 1) -> str:
    return f"{name}-life-{life}"


def silence(name: str, *, life: int = 1, proof: ProofKind | None = None, watchdog_s: float = 0.0) -> Silence:
    words = f"{name} wrote no session record for 5.1 s"
    proven = Proof(proof, "the fence device confirmed") if proof else None
    return Silence(name, incarnation(name, life), words, watchdog_s, proven)


def group(name: str, *, on: str = "n1", wanted: Wanted = Wanted.ONLINE, epoch: int = 3, **more: Any) -> Group:
    """Of one resource of the same name, as for a VM."""
    return msgspec.structs.replace(Group(name, (name,)), owner=on, wanted=wanted, epoch=epoch, **more)


def failure(id: str, on: str = "n1") -> Failure:
    return Failure(id, on, "QEMU ended with signal 9", 0.0)


def resource(name: str, *, type: str = "vm", group: str = "", **more: Any) -> Resource:
    return Resource(name, type, group or name, identity=f"uuid-{name}", **more)


def status(of: Group, state: State, *, by: str = "", life: int = 1, epoch: int | None = None) -> GroupStatus:
    """What the owner reports, at the group's epoch."""
    reporter = by or of.owner
    resources = {name: ResourceStatus(state, "as it is") for name in of.resources}
    return GroupStatus(of.name, reporter, incarnation(reporter, life), of.epoch if epoch is None else epoch, resources)


def confirmed(name: str, *, life: int = 1) -> FenceReport:
    return FenceReport(incarnation(name, life), 1, "fence_lab confirmed: it is off", by=("fence_lab",))


def observed(**ages: Any) -> Observed:
    return Observed(**ages)


def view(*groups: Group, me: str = "n1", nodes: Iterable[Node] = (), **changes: Any) -> ClusterView:
    """Three members, n1 coordinates, and every group is online where its record says.

    `changes` replace fields; those that are mappings may be given as any iterable of the nouns.
    """
    all_nodes = tuple(nodes) or tuple(node(name) for name in NODES)
    names = [one.name for one in all_nodes]
    healthy = ClusterView(
        me=me,
        revision=100,
        settings=Settings(),
        coordinator=Coordinator("n1", incarnation("n1"), 1),
        nodes={one.name: one for one in all_nodes},
        sessions={name: session(name) for name in names},
        silences={},
        groups={one.name: one for one in groups},
        resources={name: resource(name, group=one.name) for one in groups for name in one.resources},
        statuses={one.name: status(one, State.ONLINE) for one in groups if one.owner},
        observed=Observed(),
    )
    return msgspec.structs.replace(healthy, **{field: _by_name(value) for field, value in changes.items()})


BR0 = "bridge/br0"
UP = NetworkState(BR0, uplinks=("eth1",))
LOST = NetworkState(BR0, "its uplink eth1 has no carrier", uplinks=("eth1",))
MISSING = NetworkState(BR0, "br0 does not exist", is_missing=True)


def networked(
    *groups: Group, lost: str = "n1", networks: Mapping[str, NetworkState] | None = None, **changes: Any
) -> ClusterView:
    """As `view`, and every VM is on br0. `lost`: on which nodes that is, with commas; elsewhere it is up."""
    there = networks or {name: LOST if name in lost.split(",") else UP for name in NODES}
    offers = (Offer("vm", functions=("migrate",)),)
    sessions = [
        msgspec.structs.replace(session(name, offers=offers), networks=(there[name],) if name in there else ())
        for name in NODES
    ]
    resources = [resource(one.name, networks=(BR0,)) for one in groups]
    return view(*groups, **{"sessions": sessions, "resources": resources, **changes})


def _by_name(value: Any) -> Any:
    if isinstance(value, Mapping) or not isinstance(value, tuple | list):
        return value
    return {getattr(one, _KEYS.get(type(one), "name")): one for one in value}


_KEYS: dict[type, str] = {Session: "node", Silence: "node", GroupStatus: "group"}
