"""What interfaces and addresses does this node have, as its kernel tells it? Add one, take one away, hear of changes.

As much of rtnetlink(7) as that takes. A library for all of it (pyroute2) was measured: 0.25 s of import and 23 MiB more
in every resource host.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

IpAddress = IPv4Address | IPv6Address

OURS = 0x6F
"""In an address' IFA_PROTO, which tells who put it there (0x00 to 0x03 are the kernel's): so that a node's own address
is never taken for one of ours. Linux keeps it since 5.18."""
FOREVER_S = 0xFFFFFFFF

_HEADER, _LINK = struct.Struct("=IHHII"), struct.Struct("=BxHiII")
_ADDRESS, _ROUTE = struct.Struct("=BBBBI"), struct.Struct("=BBBBBBBBI")
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _DEL_ADDRESS, _GET_ADDRESS, _NEW_ROUTE = 16, 18, 20, 21, 22, 24
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP_INTERRUPTED, _EXCLUSIVE, _DUMP, _CREATE = 0x1, 0x4, 0x10, 0x200, 0x300, 0x400
_IFLA_ADDRESS, _IFLA_IFNAME = 1, 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_PROTO, _IFA_FLAGS = 1, 2, 6, 11, 8
_RTA_DST, _RTA_OIF, _RTA_PREFSRC = 1, 4, 7
_UP, _LOOPBACK, _NOARP, _LOWER_UP = 0x1, 0x8, 0x80, 0x10000
_DAD_FAILED, _TENTATIVE = 0x08, 0x40
_ETHERNET = 1
_MAIN_TABLE, _LINK_SCOPE, _UNICAST = 254, 253, 1
_GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
_ANSWER_WITHIN_S = 5.0
"""The kernel answers at once; longer than that, something is wrong, and the caller must not hang."""


class NetlinkError(OSError):
    """The kernel refused, or did not answer."""


@dataclass(frozen=True, slots=True)
class Link:
    index: int
    name: str
    mac: bytes
    is_up: bool
    has_carrier: bool
    is_loopback: bool
    resolves: bool
    """It is an Ethernet, where others learn the hardware address that belongs to an IP address."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    ip: IpAddress
    prefix_length: int
    link: int
    """The interface's index."""
    is_ours: bool = False
    is_tentative: bool = False
    """IPv6: it is not known yet whether somebody else has it."""
    is_duplicate: bool = False
    """IPv6: somebody else has it."""


def links() -> Mapping[int, Link]:
    found = {}
    for kind, body in _ask(_GET_LINK, _REQUEST | _DUMP, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        if kind != _NEW_LINK:
            continue
        _, hardware, index, flags, _ = _LINK.unpack_from(body)
        attributes = _attributes(body[_LINK.size :])
        name = attributes.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace")
        found[index] = Link(
            index,
            name,
            attributes.get(_IFLA_ADDRESS, b""),
            is_up=bool(flags & _UP),
            has_carrier=bool(flags & _LOWER_UP),
            is_loopback=bool(flags & _LOOPBACK),
            resolves=hardware == _ETHERNET and not flags & _NOARP,
        )
    return found


def addresses() -> Sequence[NodeAddress]:
    found = []
    for kind, body in _ask(_GET_ADDRESS, _REQUEST | _DUMP, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        if kind != _NEW_ADDRESS:
            continue
        _, prefix_length, few_flags, _, link = _ADDRESS.unpack_from(body)
        attributes = _attributes(body[_ADDRESS.size :])
        packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
        if packed is None:
            continue
        flags = int.from_bytes(attributes[_IFA_FLAGS], "little") if _IFA_FLAGS in attributes else few_flags
        found.append(
            NodeAddress(
                ip_address(packed),
                prefix_length,
                link,
                is_ours=attributes.get(_IFA_PROTO) == bytes([OURS]),
                is_tentative=bool(flags & _TENTATIVE),
                is_duplicate=bool(flags & _DAD_FAILED),
            )
        )
    return found


def add_address(ip: IpAddress, prefix_length: int, link: Link) -> None:
    """Of IPv6 it is one that the node does not choose by itself for what it sends (its preferred life is over), so
    that the node's own connections do not end when the address moves; IPv4's routes see to that.

    Raises `NetlinkError`; also when the kernel does not keep the mark, and then the address is not there.
    """
    own = [(_IFA_LOCAL, ip.packed), (_IFA_ADDRESS, ip.packed), (_IFA_PROTO, bytes([OURS]))]
    if ip.version == 6:
        own.append((_IFA_CACHEINFO, struct.pack("=IIII", 0, FOREVER_S, 0, 0)))
    body = _ADDRESS.pack(_family(ip), prefix_length, 0, 0, link.index) + _packed(own)
    _ask(_NEW_ADDRESS, _REQUEST | _ACK | _CREATE | _EXCLUSIVE, body)
    if not any(there.is_ours and there.ip == ip for there in addresses()):
        _ask(_DEL_ADDRESS, _REQUEST | _ACK, body)
        raise NetlinkError(errno.EOPNOTSUPP, "this kernel does not keep the mark of an address (Linux 5.18 does)")


def remove_address(there: NodeAddress) -> None:
    """Not being there any more is fine."""
    body = _ADDRESS.pack(_family(there.ip), there.prefix_length, 0, 0, there.link)
    try:
        _ask(_DEL_ADDRESS, _REQUEST | _ACK, body + _packed([(_IFA_LOCAL, there.ip.packed)]))
    except NetlinkError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
            raise


def add_route(network: IPv4Network, ip: IPv4Address, link: Link) -> None:
    """To the neighbours of an address that is alone in its network here. The kernel takes it away with the address.
    One that is there already will do."""
    attributes = [
        (_RTA_DST, network.network_address.packed),
        (_RTA_OIF, struct.pack("=I", link.index)),
        (_RTA_PREFSRC, ip.packed),
    ]
    about = (socket.AF_INET, network.prefixlen, 0, 0, _MAIN_TABLE, OURS, _LINK_SCOPE, _UNICAST, 0)
    try:
        _ask(_NEW_ROUTE, _REQUEST | _ACK | _CREATE | _EXCLUSIVE, _ROUTE.pack(*about) + _packed(attributes))
    except NetlinkError as error:
        if error.errno != errno.EEXIST:
            raise


class News:
    """Wakes up whoever waits for it when an interface or an address of the node has changed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, _GROUPS))

    def wait(self) -> None:
        """Returns after a change, or more of them than were counted. Raises `OSError` when closed."""
        try:
            self._socket.recv(65536)
            while True:
                self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # Some were lost: whatever they said, it is looked at now.
                raise

    def close(self) -> None:
        self._socket.close()


def _ask(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """The answers. An answer that was overtaken by a change is asked for again: it may lack something."""
    while (answers := _answers(kind, flags, body)) is None:
        pass
    return answers


def _answers(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]] | None:
    found: list[tuple[int, bytes]] = []
    interrupted = False
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asking:
        asking.settimeout(_ANSWER_WITHIN_S)
        asking.bind((0, 0))
        asking.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        while True:
            try:
                received = asking.recv(1 << 18)
            except TimeoutError:
                raise NetlinkError(errno.ETIMEDOUT, "the kernel does not answer") from None
            for answer, answer_flags, content in _messages(received):
                interrupted = interrupted or bool(answer_flags & _DUMP_INTERRUPTED)
                if answer == _ERROR:
                    number = -int.from_bytes(content[:4], "little", signed=True)
                    if number:
                        raise NetlinkError(number, os.strerror(number))
                    return found
                if answer == _DONE:
                    return None if interrupted else found
                found.append((answer, content))


def _messages(received: bytes) -> Iterator[tuple[int, int, bytes]]:
    while len(received) >= _HEADER.size:
        length, kind, flags, _, _ = _HEADER.unpack_from(received)
        yield kind, flags, received[_HEADER.size : length]
        received = received[_aligned(length) :]


def _attributes(packed: bytes) -> dict[int, bytes]:
    found = {}
    while len(packed) >= 4:
        length, kind = struct.unpack_from("=HH", packed)
        if length < 4:
            break
        found[kind & 0x3FFF] = packed[4:length]
        packed = packed[_aligned(length) :]
    return found


def _packed(attributes: Sequence[tuple[int, bytes]]) -> bytes:
    parts = (struct.pack("=HH", 4 + len(value), kind) + value for kind, value in attributes)
    return b"".join(part.ljust(_aligned(len(part)), b"\0") for part in parts)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _family(ip: IpAddress) -> int:
    return socket.AF_INET if ip.version == 4 else socket.AF_INET6
