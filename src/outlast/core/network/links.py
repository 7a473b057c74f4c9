"""Is a network up on this node, as its links are now?

A link is up when it exists, is switched on and has carrier. A bridge has no carrier of its own that says anything: it
is up when it exists, is switched on, and one of its uplinks is up. Its uplinks are its ports that are no guest's (a
tap): physical ones, bonds, VLANs, veths. A bridge that never had any is an isolated one, and counts by itself; one that
has lost the last of them is lost. (The original watches the switch's uplink, event 1255.)

What cannot be judged so is not told at all: the ports of Open vSwitch are not known to the kernel as those of a bridge.
"""

from collections.abc import Mapping

from outlast.model.network import Link, NetworkState, Place

BRIDGE, NETWORK, DEVICE = "bridge", "network", "device"
GUEST_PORTS = frozenset(("tun",))
"""Links of this kind belong to guests: taps."""
NOT_JUDGED = frozenset(("openvswitch",))


def called(network: str) -> str:
    """For people: "the bridge br0"."""
    kind, _, name = network.partition("/")
    return f"the {kind} {name}"


def places_of(network: str, resolved: Mapping[str, Place]) -> Place | None:
    """Which links it is. `resolved`: libvirt's networks. None: that is not known."""
    kind, _, name = network.partition("/")
    return resolved.get(name) if kind == NETWORK else Place((name,))


def state_of(network: str, place: Place, links: Mapping[str, Link], before: NetworkState | None) -> NetworkState | None:
    """`before`: as it was told last, for the uplinks that it had. None: it cannot be judged."""
    if place.problem:
        return NetworkState(network, place.problem, is_missing=True)
    uplinks_before = before.uplinks if before is not None else ()
    found = [_link(network, name, links, uplinks_before) for name in place.links]
    known = [one for one in found if one is not None]
    if not known:
        return None
    return next((one for one in known if not one.lost), known[0])


def _link(network: str, name: str, links: Mapping[str, Link], uplinks_before: tuple[str, ...]) -> NetworkState | None:
    link = links.get(name)
    if link is None:
        return NetworkState(network, f"{name} does not exist", is_missing=True, uplinks=uplinks_before)
    if link.kind in NOT_JUDGED:
        return None
    if link.kind == BRIDGE:
        return _bridge(network, link, links, uplinks_before)
    why = "" if _carries(link) else f"{name} {_why_not(link)}"
    return NetworkState(network, why)


def _bridge(network: str, link: Link, links: Mapping[str, Link], uplinks_before: tuple[str, ...]) -> NetworkState:
    ports = sorted(
        (one for one in links.values() if one.bridge == link.name and one.kind not in GUEST_PORTS),
        key=lambda one: one.name,
    )
    uplinks = tuple(one.name for one in ports) or uplinks_before
    if not link.is_up:
        why = f"{link.name} is switched off"
    elif not ports and uplinks:
        why = f"{_uplinks(uplinks)} {'is' if len(uplinks) == 1 else 'are'} gone"
    elif ports and not any(_carries(one) for one in ports):
        why = f"{_uplinks(uplinks)} {_why_not(ports[0]) if len(ports) == 1 else 'have no carrier'}"
    else:
        why = ""
    return NetworkState(network, why, uplinks=uplinks)


def _uplinks(names: tuple[str, ...]) -> str:
    return f"its uplink {names[0]}" if len(names) == 1 else f"its uplinks {', '.join(names)}"


def _carries(link: Link) -> bool:
    return link.is_up and link.has_carrier


def _why_not(link: Link) -> str:
    return "has no carrier" if link.is_up else "is switched off"
