"""Does somebody else on the link have this address? And: everybody, it is here now.

IPv4: ARP probes and announcements (RFC 5227). IPv6: the kernel itself asks (RFC 4862); here is listened who answers,
and unsolicited neighbour advertisements are sent (RFC 4861, 7.2.6).
"""

import array
import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address

from outlast.resources.ip_address.rtnetlink import IpAddress, Link

PROBES = 3
PROBE_INTERVAL_S = 0.2
"""RFC 5227 has 1 to 2 s, for hosts that boot at the same time behind switches that still learn. Here everybody waits
for this address: who has it answers within milliseconds."""
ANNOUNCE_AFTER_S = (0.0, 0.2, 0.8, 2.0, 4.0)
"""Each counts from the one before. Several, because frames are lost, and switches that just learn drop them."""

_ARP, _IPV6 = 0x0806, 0x86DD
_ARP_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_BROADCAST, _NOBODY = b"\xff" * 6, bytes(6)
_SOLICITATION, _ADVERTISEMENT = 135, 136
_OVERRIDE = 0x20000000
_LINK_LAYER_OPTION = 2
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_OUTGOING = 4  # PACKET_OUTGOING


def find_other_ipv4(ip: IPv4Address, link: Link, own: Set[bytes], stop: threading.Event) -> str:
    """The hardware address of somebody who has it, or asks for it too; "" when nobody answered or `stop` was set."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_ARP)) as listening:
        listening.bind((link.name, _ARP))
        for _ in range(PROBES):
            listening.send(_arp(_REQUEST, link.mac, bytes(4), ip))
            for packet, _ in _packets(listening, PROBE_INTERVAL_S, stop):
                if found := _rival_ipv4(packet[14:], ip, own):
                    return _spelled(found)
    return ""


def _rival_ipv4(packet: bytes, ip: IPv4Address, own: Set[bytes]) -> bytes:
    if len(packet) < _ARP_PACKET.size:
        return b""
    *_, sender, sender_ip, _, target_ip = _ARP_PACKET.unpack_from(packet)
    claims = sender_ip == ip.packed or (sender_ip == bytes(4) and target_ip == ip.packed)
    return sender if claims and sender not in own else b""


class ListenerIPv6:
    """Hears who else has an address, or asks for it too, while the kernel asks for it."""

    def __init__(self, ip: IPv6Address, own: Set[bytes], listening: socket.socket) -> None:
        self._ip = ip
        self._own = own
        self._socket = listening

    def other(self) -> str:
        """The hardware address of the one that was heard; "" when none was."""
        for packet, sender in _packets(self._socket, 0.0, threading.Event()):
            if (found := _rival_ipv6(packet, sender, self._ip)) and found not in self._own:
                return _spelled(found)
        return ""


@contextmanager
def listen_ipv6(ip: IPv6Address, link: Link, own: Set[bytes]) -> Iterator[ListenerIPv6]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0) as listening:
        _take_only_neighbour_discovery(listening)
        listening.bind((link.name, _IPV6))
        yield ListenerIPv6(ip, own, listening)


def _rival_ipv6(packet: bytes, sender: bytes, ip: IPv6Address) -> bytes:
    kind, target, asker = packet[40], packet[48:64], packet[8:24]
    if target != ip.packed or (kind == _SOLICITATION and asker != bytes(16)):
        return b""
    option = packet[64:72]
    named = kind == _ADVERTISEMENT and len(option) == 8 and option[0] == _LINK_LAYER_OPTION
    return option[2:8] if named else sender


def announce(ip: IpAddress, link: Link) -> None:
    """Once. A link that is gone or down meanwhile is the matter of whoever watches it."""
    with suppress(OSError):
        if isinstance(ip, IPv4Address):
            _announce_ipv4(ip, link)
        else:
            _announce_ipv6(ip, link)


def keep_announcing(ip: IpAddress, link: Link, is_here: Callable[[], bool]) -> None:
    """The rest of the announcements, in a thread of their own, as long as it is here."""

    def go_on() -> None:
        for pause_s in ANNOUNCE_AFTER_S[1:]:
            time.sleep(pause_s)
            if not is_here():
                return
            announce(ip, link)

    threading.Thread(target=go_on, name=f"announces {ip}", daemon=True).start()


def _announce_ipv4(ip: IPv4Address, link: Link) -> None:
    """As a question, which RFC 5227 wants, and as an answer: there is old equipment that hears but one of the two."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sending:
        sending.bind((link.name, 0))
        sending.send(_arp(_REQUEST, link.mac, ip.packed, ip))
        sending.send(_arp(_REPLY, link.mac, ip.packed, ip, target=_BROADCAST))


def _announce_ipv6(ip: IPv6Address, link: Link) -> None:
    """The kernel fills the check sum in."""
    option = struct.pack("!BB6s", _LINK_LAYER_OPTION, 1, link.mac)
    advertisement = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, _OVERRIDE) + ip.packed + option
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6) as sending:
        sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link.index)
        sending.bind((str(ip), 0, 0, link.index))
        sending.sendto(advertisement, ("ff02::1", 0, 0, link.index))


def _arp(operation: int, mac: bytes, sender_ip: bytes, ip: IPv4Address, target: bytes = _NOBODY) -> bytes:
    packet = _ARP_PACKET.pack(1, 0x0800, 6, 4, operation, mac, sender_ip, target, ip.packed)
    return _BROADCAST + mac + struct.pack("!H", _ARP) + packet


def _packets(listening: socket.socket, within_s: float, stop: threading.Event) -> Iterator[tuple[bytes, bytes]]:
    """What comes in, with the sender's hardware address; not what this node itself sends."""
    ends_s = time.monotonic() + within_s
    while not stop.is_set():
        listening.settimeout(max(0.0, min(0.05, ends_s - time.monotonic())))
        try:
            packet, (_, _, direction, _, sender) = listening.recvfrom(2048)
        except (TimeoutError, BlockingIOError):
            if time.monotonic() >= ends_s:
                return
            continue
        except OSError as error:
            if error.errno == errno.ENETDOWN:
                return
            raise
        if direction != _OUTGOING:
            yield packet, sender


def _take_only_neighbour_discovery(listening: socket.socket) -> None:
    """A filter in the kernel: a busy link has more IPv6 than this process could look at."""
    load, equal, take = 0x30, 0x15, 0x06  # BPF: a byte; jump if equal; return
    program = (
        (load, 0, 0, 6),  # next header
        (equal, 0, 4, socket.IPPROTO_ICMPV6),
        (load, 0, 0, 40),  # kind of ICMPv6
        (equal, 1, 0, _ADVERTISEMENT),
        (equal, 0, 1, _SOLICITATION),
        (take, 0, 0, 2048),
        (take, 0, 0, 0),
    )
    code = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in program))
    listening.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(program), code.buffer_info()[0]))


def _spelled(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
