"""How are all VMs of a node watched at once?

Events tell a change when it happens; the poll asks libvirt once for all VMs, and QEMU's processes when libvirt does not
answer. `looks_alive` asks nobody while QEMU's process lives: what the events said last still holds then.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import libvirt

from outlast.plugin import Found, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources.vm import qemu, states, verbs
from outlast.resources.vm.connection import Connection, NoAnswer, Workers
from outlast.resources.vm.definition import uuid_of
from outlast.resources.vm.domain import VmDomain
from outlast.resources.vm.sight import Sight, Snapshot

_POLL_S = 1.0
_OPEN_S = 1.0
_DISCOVER_S = 5.0
_SCAN_IS_FRESH_S = 0.5

_APPEARING = frozenset(
    {libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STOPPED}
)


class VmType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = verbs.FUNCTIONS

    def __init__(self, host: TypeHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._by_name: dict[ResourceName, VmDomain] = {}
        self._by_uuid: dict[str, VmDomain] = {}
        self._scan: tuple[float, qemu.Scan] | None = None
        self._watch = qemu.Watch()
        self._workers = Workers()
        self._connection = Connection(self._on_event, self._on_connected)
        self._connection.start()
        self._workers.start()

    def open(self, spec: Spec) -> VmDomain:
        uuid = (spec.identity or uuid_of(spec.definition)).lower()
        if not uuid:
            raise Refusal(f'cannot open "{spec.name}": its definition has no UUID; use "parse", which gives it one')
        sight = Sight(spec, uuid, self._connection, self._watch, self._host)
        domain = VmDomain(sight, self._workers.of(uuid), self._host, self._closed)
        with self._lock:
            self._by_name[spec.name] = domain
            self._by_uuid[uuid] = domain
        # The events are on from here, so nothing is missed between this look and the first poll.
        try:
            snapshot = self._connection.ask(lambda conn: _snapshot_of_one(conn, uuid), _OPEN_S)
        except (libvirt.libvirtError, NoAnswer):
            snapshot = None
        domain.sight.look(snapshot, self._fresh_scan())
        return domain

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        with self._lock:
            asked = [domain for name in resources if (domain := self._by_name.get(name))]
        found = {domain.spec.name: domain.health() for domain in asked if domain.sight.alive()}
        doubtful = [domain.spec.name for domain in asked if domain.spec.name not in found]
        return {**found, **self.is_alive(doubtful)} if doubtful else found

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        with self._lock:
            asked = [domain for name in resources if (domain := self._by_name.get(name))]
        return {domain.spec.name: health for domain, health in self._look_at(asked)}

    def discover(self) -> Sequence[Found]:
        def ask(conn: Any) -> list[Found]:
            return [
                Found(domain.UUIDString(), domain.name(), running=states.is_active(stats.get("state.state", 0)))
                for domain, stats in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
            ]

        return self._connection.ask(ask, _DISCOVER_S)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        return verbs.carry_out(self._connection, verb, arguments)

    def close(self) -> None:
        self._connection.close()
        self._workers.close()

    def _look_at(self, domains: Sequence[VmDomain]) -> list[tuple[VmDomain, Health]]:
        before = [domain.sight.changes for domain in domains]
        try:
            snapshot: Snapshot | None = self._connection.ask(_snapshot_of_all, _POLL_S)
            scan = None
        except (libvirt.libvirtError, NoAnswer):  # An answer that is an error is none.
            snapshot, scan = None, qemu.scan()
        return [
            (domain, domain.sight.look(snapshot, scan, since=since))
            for domain, since in zip(domains, before, strict=True)
        ]

    def _on_event(self, uuid: str, name: str, event: int, detail: int) -> None:
        with self._lock:
            domain = self._by_uuid.get(uuid)
        if domain:
            domain.sight.on_event(event, detail)
        elif event in _APPEARING:
            self._host.appeared(Found(uuid, name, running=event == libvirt.VIR_DOMAIN_EVENT_STARTED))

    def _on_connected(self) -> None:
        """Events were missed while there was no connection: look at everything, and report what changed."""
        with self._lock:
            domains = list(self._by_uuid.values())
        known = [domain.health() for domain in domains]
        for (domain, health), old in zip(self._look_at(domains), known, strict=True):
            if health != old and old is not states.NOT_LOOKED_AT:  # Its `open` is about to answer.
                domain.sight.tell(health)

    def _closed(self, domain: VmDomain) -> None:
        """An open resource was closed; another one may have taken its place already."""
        with self._lock:
            if self._by_name.get(domain.spec.name) is domain:
                del self._by_name[domain.spec.name]
            if self._by_uuid.get(domain.uuid) is domain:
                del self._by_uuid[domain.uuid]

    def _fresh_scan(self) -> qemu.Scan:
        """One look at /proc serves all the opens of a host that has just started."""
        if self._scan is None or time.monotonic() - self._scan[0] > _SCAN_IS_FRESH_S:
            self._scan = (time.monotonic(), qemu.scan())
        return self._scan[1]


def _snapshot_of_all(conn: Any) -> Snapshot:
    return {
        domain.UUIDString(): (stats.get("state.state", 0), stats.get("state.reason", 0))
        for domain, stats in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
    }


def _snapshot_of_one(conn: Any, uuid: str) -> Snapshot:
    try:
        state, reason = conn.lookupByUUIDString(uuid).state()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return {}
        raise
    return {uuid: (state, reason)}
