"""On which nodes has a group the networks that it needs?

A group needs the networks of its VMs, unless its `protected_networks` names fewer, or none. A node that has told that
one of them is lost gets no group that needs it: neither in a planned move nor in a failover, as long as any other node
can take it. Without its network it is better than not at all, so what is down and could start nowhere else starts
there; unless the network does not exist, for then it would not start. A node that has told nothing is as it was before:
silence is no answer.
"""

from collections.abc import Iterable, Mapping

import msgspec

from outlast.core.network.links import called
from outlast.model.group import Group, Resource
from outlast.model.network import NetworkState
from outlast.model.node import Session
from outlast.model.view import ClusterView

FLAPS, LATELY_S = 2, 1800.0
"""So many losses within so long, and a network is no more trusted at once when it comes back to that node."""
TRUSTED_AGAIN_S = 120.0
"""So long it must then be back before anything is moved there because of it, or by itself: nodes that flap in turn do
not toss a VM to and fro."""

Lost = Mapping[str, Mapping[str, NetworkState]]
"""Node to the networks that are lost there. Mostly empty."""


class CutOff(msgspec.Struct, frozen=True):
    """What keeps a node from being the place for a group."""

    words: str
    is_missing: bool


def lost_by_node(sessions: Mapping[str, Session]) -> dict[str, dict[str, NetworkState]]:
    found = {}
    for name, session in sessions.items():
        if session.networks:
            lost = {one.network: one for one in session.networks if one.lost}
            if lost:
                found[name] = lost
    return found


def needed(group: Group, resources: Mapping[str, Resource]) -> tuple[str, ...]:
    """The networks that count for the group, in the order of their names."""
    if group.protected_networks == ():
        return ()
    named = {one for name in group.resources if name in resources for one in resources[name].networks}
    if group.protected_networks is not None:
        wanted = set(group.protected_networks)
        named = {one for one in named if one in wanted or one.partition("/")[2] in wanted}
    return tuple(sorted(named))


def lost_for(group: Group, node: str, resources: Mapping[str, Resource], lost: Lost) -> tuple[NetworkState, ...]:
    """What it would miss on that node."""
    there = lost.get(node)
    return tuple(there[one] for one in needed(group, resources) if one in there) if there else ()


def cut_off(group: Group, resources: Mapping[str, Resource], lost: Lost) -> dict[str, CutOff]:
    """Nodes that are no place for the group now."""
    if not lost:
        return {}
    found = {}
    for node in lost:
        missed = lost_for(group, node, resources, lost)
        if missed:
            found[node] = CutOff(words(missed), any(one.is_missing for one in missed))
    return found


def words(missed: Iterable[NetworkState]) -> str:
    """Why that node is no place for it, for people."""
    return "; ".join(f"{called(one.network)} is lost there: {one.lost}" for one in missed)


def why_not_up(networks: Iterable[str], node: str, view: ClusterView) -> str:
    """Why it is not certain that these networks are up on that node, and have been for a while; "" when it is."""
    session = view.sessions.get(node)
    told = {one.network: one for one in session.networks} if session is not None else {}
    for network in networks:
        state = told.get(network)
        if state is None:
            return f"it has not said how {called(network)} is there"
        if state.lost:
            return words([state])
        left_s = shaky_s(network, node, view)
        if left_s > 0:
            return f"{called(network)} has only just come back there: it is trusted again in {left_s:.0f} s"
    return ""


def shaky_s(network: str, node: str, view: ClusterView) -> float:
    """In how many seconds a network that came back on that node is trusted again; 0: it is."""
    back_s = view.observed.network_back_s.get(f"{node} {network}")
    return 0.0 if back_s is None else max(0.0, TRUSTED_AGAIN_S - back_s)


def shaky(group: Group, node: str, view: ClusterView) -> float:
    """Likewise, of all that the group needs."""
    if not view.observed.network_back_s:
        return 0.0
    return max((shaky_s(one, node, view) for one in needed(group, view.resources)), default=0.0)
