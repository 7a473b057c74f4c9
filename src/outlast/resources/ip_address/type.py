"""The type `ip_address`: all addresses of this node at once, and who tells them that the network has changed."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from outlast.plugin import CannotStart, Found, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources.ip_address import record, rtnetlink
from outlast.resources.ip_address.address import Address
from outlast.resources.ip_address.placing import link_for, wanted_of


class IpAddressType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check",)

    def __init__(self, host: TypeHost, directory: Path = record.DIRECTORY) -> None:
        self._host = host
        self._directory = directory
        self._open: dict[ResourceName, Address] = {}
        self._watching = False
        self._closed = threading.Event()

    def open(self, spec: Spec) -> Address:
        address = Address(spec, self._host, self._directory, self._closed_one)
        self._open[spec.name] = address
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="watches addresses", daemon=True).start()
        return address

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return self.is_alive(resources)

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        return {name: address.health() for name in resources if (address := self._open.get(name))}

    def discover(self) -> Sequence[Found]:
        """By the records; and addresses with our mark that no record names, under their own name."""
        there = {str(one.ip) for one in rtnetlink.addresses() if one.is_ours}
        records = record.load_all(self._directory)
        named = {str(ip_address(one.address)) for one in records}
        known = [Found(one.identity, one.name, running=one.address in there) for one in records]
        return [*known, *(Found(ip, ip, running=True) for ip in sorted(there - named))]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return _problems(arguments.get("properties") or {})
        raise Refusal(f'the type "ip_address" has no function "{verb}"; it has: {", ".join(self.functions)}')

    def close(self) -> None:
        self._closed.set()

    def _closed_one(self, address: Address) -> None:
        if self._open.get(address.name) is address:
            del self._open[address.name]

    def _watch(self) -> None:
        """Until the host ends. When the kernel tells nothing any more, polling goes on."""
        with suppress(OSError):
            news = rtnetlink.News()
            while not self._closed.is_set():
                news.wait()
                for address in list(self._open.values()):
                    address.report_change()


def _problems(properties: Mapping[str, Json]) -> list[str]:
    """Why an address with these properties could not be on this node at all, for people."""
    try:
        link_for(wanted_of(properties), rtnetlink.links(), rtnetlink.addresses())
    except (ValueError, CannotStart) as problem:
        return [str(problem)]
    return []
