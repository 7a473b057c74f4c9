"""Which address, on which interface? What the properties say, against what the node has; pure.

An address is put beside those that the node has in its network, as a host address (/32, /128): the network's route is
there already, and an address of the node's own in the same network never hangs on ours (as the kernel would have it of
two IPv4 addresses with one network mask: the second goes when the first does).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_interface

import msgspec

from outlast.plugin import CannotStart, Json
from outlast.resources.ip_address.rtnetlink import IpAddress, Link, NodeAddress


class Properties(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    """`192.0.2.10`, `2001:db8::10`; with `/24` after it where the node has no address of its own in that network."""
    interface: str = ""
    """Empty: the one that has an address in the same network."""


@dataclass(frozen=True, slots=True)
class Wanted:
    ip: IpAddress
    prefix_length: int | None = None
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    link: Link
    prefix_length: int
    route: IPv4Network | None = None
    """To be added, because nothing on this interface leads to the address' neighbours."""


def wanted_of(properties: Mapping[str, Json]) -> Wanted:
    """Raises `ValueError` in words."""
    try:
        told = msgspec.convert(dict(properties), Properties)
    except msgspec.ValidationError as error:
        raise ValueError(f"its properties are not right: {error}; see docs/types-network.md") from None
    try:
        if "/" in told.address:
            both = ip_interface(told.address)
            ip, prefix_length = both.ip, both.network.prefixlen
        else:
            ip, prefix_length = ip_address(told.address), None
    except ValueError as error:
        raise ValueError(f'"{told.address}" is no address: {error}') from None
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback:
        raise ValueError(f"{ip} is no address that a host can have for others")
    if ip.is_link_local and ip.version == 6 and not told.interface:
        raise ValueError(f"{ip} is good on one link only; say on which: --property interface=NAME")
    return Wanted(ip, prefix_length, told.interface)


def place(wanted: Wanted, links: Mapping[int, Link], addresses: Sequence[NodeAddress]) -> Place:
    """Raises `CannotStart` when there is no place for it here."""
    link = link_for(wanted, links, addresses)
    near = _near(wanted, addresses)
    if not link.is_up or not link.has_carrier:
        raise CannotStart(f"{link.name} {_trouble(link)}")
    longest = wanted.ip.max_prefixlen
    if wanted.prefix_length is None or any(there.link == link.index for there in near):
        return Place(link, longest)
    if isinstance(wanted.ip, IPv4Address):
        return Place(link, longest, IPv4Network((wanted.ip, wanted.prefix_length), strict=False))
    return Place(link, wanted.prefix_length)


def link_for(wanted: Wanted, links: Mapping[int, Link], addresses: Sequence[NodeAddress]) -> Link:
    """Whether anything gets through it now or not. Raises `CannotStart` when this node has none."""
    if wanted.interface:
        return _named(wanted, links)
    return _nearest(wanted, links, addresses, _near(wanted, addresses))


def _near(wanted: Wanted, addresses: Sequence[NodeAddress]) -> list[NodeAddress]:
    return [there for there in addresses if not there.is_ours and _contains(there, wanted.ip)]


def _trouble(link: Link) -> str:
    return "has no carrier" if link.is_up else "is switched off (ip link set up)"


def trouble(link: Link) -> str:
    """Why nothing gets through, for people; empty when it does."""
    return "" if link.is_up and link.has_carrier else f"{link.name} {_trouble(link)}"


def _named(wanted: Wanted, links: Mapping[int, Link]) -> Link:
    for link in links.values():
        if link.name == wanted.interface:
            return link
    names = ", ".join(sorted(link.name for link in links.values()))
    raise CannotStart(f"this node has no interface {wanted.interface} (it has {names})")


def _nearest(
    wanted: Wanted, links: Mapping[int, Link], addresses: Sequence[NodeAddress], near: Sequence[NodeAddress]
) -> Link:
    """The interface whose network is the smallest one that contains it."""
    near = [there for there in near if there.link in links and not links[there.link].is_loopback]
    best = max((there.prefix_length for there in near), default=0)
    found = {there.link for there in near if there.prefix_length == best}
    names = ", ".join(sorted(links[index].name for index in found))
    if len(found) > 1:
        raise CannotStart(f"{wanted.ip} could be on {names}; say on which: --property interface=NAME")
    if not found:
        own = ", ".join(
            f"{links[there.link].name} {there.ip}/{there.prefix_length}"
            for there in addresses
            if there.link in links and not links[there.link].is_loopback and not there.ip.is_link_local
        )
        raise CannotStart(
            f"no interface of this node is in a network with {wanted.ip} (there is {own or 'no address at all'}); "
            "name one, and the network: --property interface=NAME --property address=ADDRESS/LENGTH"
        )
    return links[found.pop()]


def _contains(there: NodeAddress, ip: IpAddress) -> bool:
    if there.ip.version != ip.version or there.prefix_length == ip.max_prefixlen:
        return False
    return ip in ip_interface((there.ip, there.prefix_length)).network
