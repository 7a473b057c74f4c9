"""One address on this node: brought online, watched, taken away.

Only what is marked as ours (`rtnetlink.OURS`) is ever taken away, and only by the resource whose record names it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import msgspec

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, Spec, TypeHost
from outlast.resources.ip_address import neighbours, record, rtnetlink
from outlast.resources.ip_address.health import health_of
from outlast.resources.ip_address.placing import Place, place, wanted_of
from outlast.resources.ip_address.record import Record
from outlast.resources.ip_address.rtnetlink import IpAddress, Link, NetlinkError, NodeAddress

_DAD_WITHIN_S = 10.0
"""The kernel needs up to 2 s: a pause of up to 1 s, and 1 s of waiting for answers."""
_LOOK_AGAIN_S = 0.02
_STOPPED = "it was stopped while it started"


class Address:
    def __init__(self, spec: Spec, host: TypeHost, directory: Path, on_close: Callable[["Address"], None]) -> None:
        self.name = spec.name
        self.identity = spec.identity or spec.name
        self._spec = spec
        self._host = host
        self._directory = directory
        self._on_close = on_close
        self._lock = threading.Lock()
        """Held while the node's address and its record change together, and while somebody looks at both."""
        self._stop = threading.Event()
        """Of the last start, which may be under way."""
        self._is_starting = False
        self._last: Health | None = None

    # -- how it is ---------------------------------------------------------------------------------------------

    def health(self) -> Health:
        with self._lock:
            self._last = Health(Condition.UNKNOWN, "it starts", running=True) if self._is_starting else self._look()
            return self._last

    def report_change(self) -> None:
        """Something on the node's network has changed. What the cluster itself changes is no news: a word about it
        could be heard after the call has ended that it is about, and be taken for somebody's intent."""
        with self._lock:
            if self._last is None or self._is_starting or self._stop.is_set():
                return
            before, self._last = self._last, self._look()
            if self._last != before:
                self._host.report(self.name, self._last)

    def _look(self) -> Health:
        try:
            known = self._record()
            ip = ip_address(known.address) if known else wanted_of(self._spec.properties).ip
            return health_of(known, ip, rtnetlink.links(), rtnetlink.addresses())
        except ValueError:
            return Health(Condition.OFFLINE)  # Nothing is recorded, and what is wanted is no address.
        except OSError as error:
            return Health(Condition.UNKNOWN, f"cannot ask the kernel: {error.strerror or error}")

    # -- online and offline ------------------------------------------------------------------------------------

    def online(self, progress: Progress) -> None:
        with self._lock:
            stop = self._stop = threading.Event()
            self._is_starting = True
        try:
            self._start(progress, stop)
        finally:
            with self._lock:
                self._is_starting = False
                self._last = self._look()

    def _start(self, progress: Progress, stop: threading.Event) -> None:
        try:
            wanted = wanted_of(self._spec.properties)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        links, addresses = rtnetlink.links(), rtnetlink.addresses()
        known = self._record()
        is_same = known is not None and ip_address(known.address) == wanted.ip
        if is_same and health_of(known, wanted.ip, links, addresses).condition is Condition.ONLINE:
            return
        self._remove()  # What a former start has left, or one with other properties.
        addresses = rtnetlink.addresses()
        self._refuse_own(wanted.ip, links, addresses)
        where = place(wanted, links, addresses)
        own = frozenset(link.mac for link in links.values())
        progress(f"asking on {where.link.name} whether somebody has {wanted.ip}")
        if isinstance(wanted.ip, IPv4Address):
            self._bring_ipv4(wanted.ip, where, own, stop)
        else:
            self._bring_ipv6(wanted.ip, where, own, stop)
        neighbours.keep_announcing(wanted.ip, where.link, lambda: not stop.is_set() and _is_here(wanted.ip))
        progress(f"{wanted.ip} is on {where.link.name}")

    def offline(self, progress: Progress, timeout_s: float) -> None:
        self.terminate()
        progress("taken away")

    def terminate(self) -> None:
        self._stop.set()
        self._remove()

    def _bring_ipv4(self, ip: IPv4Address, where: Place, own: frozenset[bytes], stop: threading.Event) -> None:
        if where.link.resolves and (other := neighbours.find_other_ipv4(ip, where.link, own, stop)):
            raise _taken(ip, other, where.link)
        self._add(ip, where, stop, is_up=True)
        if where.link.resolves:
            neighbours.announce(ip, where.link)

    def _bring_ipv6(self, ip: IPv6Address, where: Place, own: frozenset[bytes], stop: threading.Event) -> None:
        """It is there from the start, and serves when the kernel has found nobody else with it."""
        with neighbours.listen_ipv6(ip, where.link, own) as listener:
            self._add(ip, where, stop, is_up=False)
            try:
                self._wait_until_unique(ip, where, listener, stop)
                with self._lock:
                    if stop.is_set():
                        raise CannotStart(_STOPPED)
                    record.save(msgspec.structs.replace(self._must_know(), is_up=True), self._directory)
            except CannotStart:
                self._remove()
                raise
        neighbours.announce(ip, where.link)

    def _wait_until_unique(
        self, ip: IPv6Address, where: Place, listener: neighbours.ListenerIPv6, stop: threading.Event
    ) -> None:
        for _ in range(int(_DAD_WITHIN_S / _LOOK_AGAIN_S)):
            there = next((one for one in rtnetlink.addresses() if one.ip == ip and one.is_ours), None)
            if stop.is_set():
                raise CannotStart(_STOPPED)
            if there is None:
                raise CannotStart(f"somebody deleted {ip} from {where.link.name} as it started")
            if there.is_duplicate:
                raise _taken(ip, listener.other() or "somebody", where.link)
            if not there.is_tentative:
                return
            stop.wait(_LOOK_AGAIN_S)
        raise CannotStart(f"the kernel cannot tell whether somebody else on {where.link.name} has {ip}")

    def _add(self, ip: IpAddress, where: Place, stop: threading.Event, *, is_up: bool) -> None:
        """The record comes first: whatever ends in between, a later host knows what to take away."""
        with self._lock:
            if stop.is_set():
                raise CannotStart(_STOPPED)
            new = Record(self.name, self.identity, str(ip), where.link.name)
            record.save(new, self._directory)
            try:
                rtnetlink.add_address(ip, where.prefix_length, where.link)
                if where.route is not None and isinstance(ip, IPv4Address):
                    rtnetlink.add_route(where.route, ip, where.link)
            except NetlinkError as error:
                self._remove_held()
                raise CannotStart(f"cannot put {ip} on {where.link.name}: {error.strerror}") from None
            if is_up:
                record.save(msgspec.structs.replace(new, is_up=True), self._directory)

    def _refuse_own(self, ip: IpAddress, links: Mapping[int, Link], addresses: Sequence[NodeAddress]) -> None:
        for there in addresses:
            if there.ip == ip:
                name = links[there.link].name if there.link in links else "an interface"
                whose = self._other_owner(ip)
                why = f"its resource {whose} has it" if whose else "it has it by itself, not from the cluster"
                raise CannotStart(f"{ip} is on {name} of this node already: {why}")

    def _remove(self) -> None:
        with self._lock:
            self._remove_held()

    def _remove_held(self) -> None:
        for ip in self._mine():
            for there in rtnetlink.addresses():
                if there.ip == ip and there.is_ours:
                    rtnetlink.remove_address(there)
            if any(there.ip == ip and there.is_ours for there in rtnetlink.addresses()):
                raise RuntimeError(f"{ip} is still there after it was taken away")
        record.remove(self.name, self._directory)

    def _mine(self) -> set[IpAddress]:
        """The recorded one. And the wanted one, if nobody's record names it: then a record was lost."""
        known = self._record()
        mine: set[IpAddress] = {ip_address(known.address)} if known else set()
        try:
            wanted = wanted_of(self._spec.properties)
        except ValueError:
            return mine
        return mine if self._other_owner(wanted.ip) else mine | {wanted.ip}

    def _other_owner(self, ip: IpAddress) -> str:
        others = (one for one in record.load_all(self._directory) if one.name != self.name)
        return next((one.name for one in others if ip_address(one.address) == ip), "")

    def _record(self) -> Record | None:
        return record.load(self.name, self._directory)

    def _must_know(self) -> Record:
        known = self._record()
        if known is None:
            raise CannotStart("its record was deleted as it started")
        return known

    # -- the rest ----------------------------------------------------------------------------------------------

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'an address cannot "{verb}": there is nothing to be asked of it')

    def forget(self) -> None:
        """What is forgotten does not run: nothing of it is left but a record of a start that failed."""
        self._remove()

    def close(self) -> None:
        self._on_close(self)


def _is_here(ip: IpAddress) -> bool:
    """Who announces what somebody has deleted keeps it from every other node."""
    return any(there.ip == ip and there.is_ours for there in rtnetlink.addresses())


def _taken(ip: IpAddress, other: str, link: Link) -> CannotStart:
    return CannotStart(f"{other} on {link.name} has {ip} already: two hosts must not have one address")
