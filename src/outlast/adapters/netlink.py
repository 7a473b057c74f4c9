"""The links of this machine, by rtnetlink: what `ip link` shows, from where it has it.

A reader of our own, because all that is needed is one request and one group of notices. (pyroute2 does much more; its
wheel has 480 KiB.) The kernel's side: rtnetlink(7), netlink(7); the numbers are those of linux/rtnetlink.h,
linux/if_link.h and linux/if.h.
"""

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator

from outlast.model.network import Link

_GROUP_LINK = 1
_NEW_LINK, _GET_LINK = 16, 18
_DONE, _ERROR = 3, 2
_REQUEST, _DUMP = 0x1, 0x300
_IFNAME, _MASTER, _LINKINFO, _INFO_KIND = 3, 10, 18, 1
_UP, _LOWER_UP = 0x1, 0x10000
_NESTED = 0x8000
"""A flag in the type of an attribute that holds others."""

_HEADER = struct.Struct("=IHHII")
"""Of a message: length, type, flags, sequence number, port."""
_INTERFACE = struct.Struct("=BxHiII")
"""Of what a message about a link begins with: family, type, index, flags, changes."""
_ATTRIBUTE = struct.Struct("=HH")
_ALIGN = 4
_BUFFER_BYTES = 64 * 1024
_ANSWER_S = 2.0
_ANY_PORT = 9
_NO_WAY_THERE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN)
_MOMENT_S = 0.02
"""What happens to several links at once is looked at once."""


class NetlinkLinks:
    """The port `Links`. The socket for notices is opened with the first wait, and again after it failed."""

    def __init__(self) -> None:
        self._notices: socket.socket | None = None

    def read(self) -> list[Link]:
        if self._notices is None:  # before it is read, so that no change falls between the two
            self._notices = _open(_GROUP_LINK)
            self._notices.setblocking(False)
        return _links(_dump())

    def address_in(self, network: str) -> str:
        """The one from which the kernel would speak to somebody there. Nothing is sent."""
        there = ipaddress.ip_network(network)
        family = socket.AF_INET6 if there.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            try:
                asking.connect((str(next(iter(there.hosts()))), _ANY_PORT))
            except OSError as error:
                if error.errno in _NO_WAY_THERE:
                    return ""
                raise
            address = str(asking.getsockname()[0])
        return address if ipaddress.ip_address(address) in there else ""

    async def changed(self) -> None:
        notices = self._notices
        assert notices is not None
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_recv(notices, _BUFFER_BYTES)
            await asyncio.sleep(_MOMENT_S)
            while notices.recv(_BUFFER_BYTES):
                pass
        except BlockingIOError:
            return
        except OSError as error:
            # ENOBUFS: more notices came than there is room for; then all is looked at anyway.
            if error.errno != errno.ENOBUFS:
                self._notices = None
                notices.close()
                raise


def _open(groups: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened


def _dump() -> Iterator[tuple[int, int, dict[int, bytes]]]:
    """Index, flags and attributes of every link."""
    with _open(0) as asked:
        asked.settimeout(_ANSWER_S)
        body = _INTERFACE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        asked.send(_HEADER.pack(_HEADER.size + len(body), _GET_LINK, _REQUEST | _DUMP, 1, 0) + body)
        while True:
            data = asked.recv(_BUFFER_BYTES)
            for kind, payload in _messages(data):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    (code,) = struct.unpack_from("=i", payload)
                    raise OSError(-code, "the kernel does not tell its links")
                if kind == _NEW_LINK:
                    _, _, index, flags, _ = _INTERFACE.unpack_from(payload)
                    yield index, flags, dict(_attributes(payload[_INTERFACE.size :]))


def _links(told: Iterator[tuple[int, int, dict[int, bytes]]]) -> list[Link]:
    found = list(told)
    names = {index: _text(attributes.get(_IFNAME, b"")) for index, _, attributes in found}
    links = []
    for index, flags, attributes in found:
        inside = dict(_attributes(attributes.get(_LINKINFO, b"")))
        master = attributes.get(_MASTER)
        links.append(
            Link(
                name=names[index],
                kind=_text(inside.get(_INFO_KIND, b"")),
                is_up=bool(flags & _UP),
                has_carrier=bool(flags & _LOWER_UP),
                bridge=names.get(struct.unpack("=I", master)[0], "") if master is not None else "",
            )
        )
    return links


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += _aligned(length)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & ~_NESTED, data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + _ALIGN - 1) // _ALIGN * _ALIGN


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
