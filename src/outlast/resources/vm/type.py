"""How are all VMs of a node watched at once?

Events tell a change when it happens; the poll asks libvirt once for all VMs, and QEMU's processes when libvirt does not
answer. `looks_alive` asks nobody while QEMU's process lives: what the events said last still holds then.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import libvirt

from outlast.plugin import Found, Halt, Health, Json, Refusal, ResourceName, Spec, TypeHost
from outlast.resources.vm import definition, qemu, starts, states, verbs
from outlast.resources.vm.connection import Connection, NoAnswer, Workers
from outlast.resources.vm.definition import uuid_of
from outlast.resources.vm.domain import VmDomain
from outlast.resources.vm.following import FILES, GONE, XML_FLAGS, stamp
from outlast.resources.vm.guest import Asking
from outlast.resources.vm.incidents import Incidents
from outlast.resources.vm.sight import Sight, Snapshot

_POLL_S = 1.0
_OPEN_S = 1.0
_DISCOVER_S = 5.0
_SCAN_IS_FRESH_S = 0.5
_DEFINITIONS_S = 0.25
_ASK_S = 0.5
"""Beside the poll, which must be answered in time."""
_QUESTIONS = 4
"""At a time: what takes longer must not hold up the poll, nor each other."""
_APPEARS_S = 1.0
"""How long libvirt may take from "it starts" to a QEMU process; normally some 10 ms."""

_APPEARING = frozenset(
    {libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STOPPED}
)

_DEFINITION = frozenset({libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED})


class VmType:
    api_version = 1
    version = "1"
    functions: Sequence[str] = verbs.FUNCTIONS

    def __init__(self, host: TypeHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._closed_all = threading.Event()
        self._by_name: dict[ResourceName, VmDomain] = {}
        self._by_uuid: dict[str, VmDomain] = {}
        self._scan: tuple[float, qemu.Scan] | None = None
        self._watch = qemu.Watch()
        self._workers = Workers()
        self._asking = Asking()
        incidents = Incidents(self._domain_of)
        self._connection = Connection(self._on_event, self._on_connected, self._on_agent, incidents)
        self._questions = Connection(calls=_QUESTIONS)
        starts.clear_away()
        self._connection.start()
        self._questions.start()
        self._workers.start()
        self._asking.start()
        threading.Thread(target=self._watch_definitions, name="vm definitions", daemon=True).start()

    def open(self, spec: Spec) -> VmDomain:
        uuid = (spec.identity or uuid_of(spec.definition)).lower()
        if not uuid:
            raise Refusal(f'cannot open "{spec.name}": its definition has no UUID; use "parse", which gives it one')
        sight = Sight(spec, uuid, self._questions, self._watch, self._host)
        domain = VmDomain(sight, self._workers, self._asking, self._host, self._closed)
        with self._lock:
            self._by_name[spec.name] = domain
            self._by_uuid[uuid] = domain
        # The events are on from here, so nothing is missed between this look and the first poll.
        snapshot = self._look_at_one(uuid)
        health = domain.sight.look(snapshot, self._fresh_scan())
        ends_s = time.monotonic() + _APPEARS_S
        # libvirt is about to make its QEMU, for what another node begins to hand over just now.
        while health == states.NO_QEMU and _starts_up(snapshot, uuid) and time.monotonic() < ends_s:
            time.sleep(0.02)
            snapshot = self._look_at_one(uuid)
            health = domain.sight.look(snapshot, None)
        if snapshot:
            self._follow(domain)
        return domain

    def _look_at_one(self, uuid: str) -> Snapshot | None:
        try:
            return self._connection.ask(lambda conn: _snapshot_of_one(conn, uuid), _OPEN_S)
        except (libvirt.libvirtError, NoAnswer):
            return None

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        with self._lock:
            asked = [domain for name in resources if (domain := self._by_name.get(name))]
        found = {domain.spec.name: domain.health() for domain in asked if domain.sight.alive()}
        doubtful = [domain.spec.name for domain in asked if domain.spec.name not in found]
        return {**found, **self.is_alive(doubtful)} if doubtful else found

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        with self._lock:
            asked = [domain for name in resources if (domain := self._by_name.get(name))]
        found = {domain.spec.name: health for domain, health in self._look_at(asked)}
        self._look_inside(asked)
        self._look_for_io_errors(asked)
        self._look_at_definitions(asked)
        now = [domain for domain in asked if domain.sight.answers or domain.health().halt is Halt.NO_SPACE]
        return {**found, **{domain.spec.name: domain.health() for domain in now}}

    def discover(self) -> Sequence[Found]:
        def ask(conn: Any) -> list[Found]:
            return [
                Found(
                    domain.UUIDString(),
                    domain.name(),
                    running=_may_run(domain.UUIDString(), stats),
                    stands=stats.get("state.state", 0) == libvirt.VIR_DOMAIN_PAUSED,
                    brought=_was_brought(domain, stats),
                )
                for domain, stats in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
            ]

        return self._questions.ask(ask, _DISCOVER_S)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        return verbs.carry_out(self._questions, verb, arguments)

    def close(self) -> None:
        self._closed_all.set()
        self._connection.close()
        self._questions.close()
        self._workers.close()
        self._asking.close()

    def _look_at(self, domains: Sequence[VmDomain]) -> list[tuple[VmDomain, Health]]:
        for domain in domains:
            if not domain.settle():
                break  # The poll has no time for another one that libvirt does not answer.
        before = [domain.sight.changes for domain in domains]
        try:
            snapshot: Snapshot | None = self._connection.ask(_snapshot_of_all, _POLL_S)
        except (libvirt.libvirtError, NoAnswer):  # An answer that is an error is none.
            snapshot = None
        # One look at /proc for all of which it must be known that no process has their UUID. After the answer: a QEMU
        # that libvirt started meanwhile is found.
        scan = qemu.scan() if snapshot is None or any(domain.sight.unproven for domain in domains) else None
        return [
            (domain, domain.sight.look(snapshot, scan, since=since))
            for domain, since in zip(domains, before, strict=True)
        ]

    def _on_event(self, uuid: str, name: str, event: int, detail: int) -> None:
        with self._lock:
            domain = self._by_uuid.get(uuid)
        if domain and event in _DEFINITION:
            threading.Thread(target=self._follow, args=(domain,), name=f"{name} definition", daemon=True).start()
        elif domain:
            domain.sight.on_event(event, detail)
        elif event in _APPEARING:
            running = event == libvirt.VIR_DOMAIN_EVENT_STARTED
            stands = running and detail == libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED
            self._host.appeared(Found(uuid, name, running=running, stands=stands))

    def _watch_definitions(self) -> None:
        seen = stamp(FILES)
        while not self._closed_all.wait(_DEFINITIONS_S):
            now = stamp(FILES)
            if now == seen:
                continue
            seen = now
            with self._lock:
                domains = list(self._by_uuid.values())
            for domain in domains:
                following = domain.following
                before, following.seen_stamp = following.seen_stamp, stamp(following.file)
                if following.seen_stamp != before:
                    self._follow(domain)

    def _follow(self, domain: VmDomain) -> bool:
        """Was its definition changed by somebody else? False when libvirt does not answer."""
        following = domain.following
        following.to_be_seen = True
        # While a call of ours defines, starts or stops it: afterwards, by the next poll.
        if domain.sight.busy or not following.lock.acquire(blocking=False):
            return True
        try:
            change = following.found(self._questions.ask(partial(_definition_of, domain.uuid), _ASK_S))
        except (libvirt.libvirtError, NoAnswer):
            return False
        finally:
            following.lock.release()
        if change:
            self._host.redefined(domain.spec.name, change)
        return True

    def _look_at_definitions(self, domains: Sequence[VmDomain]) -> None:
        """Those that may have changed unseen; as many as a poll has time for, the others with the next one."""
        ends_s = time.monotonic() + _DEFINITIONS_S
        for domain in domains:
            if domain.following.to_be_seen and (not self._follow(domain) or time.monotonic() > ends_s):
                return

    def _look_inside(self, domains: Sequence[VmDomain]) -> None:
        """Whose agent answers, and what they have: once for each start, from then on events tell. Of those without an
        agent, as many as a poll has time for."""
        ends_s = time.monotonic() + _DEFINITIONS_S
        for domain in domains:
            asks_for_agent = domain.sight.asks_for_agent
            if asks_for_agent or (domain.sight.asks_for_devices and time.monotonic() < ends_s):
                try:
                    xml = domain.sight.xml()
                except (libvirt.libvirtError, NoAnswer):
                    return
                domain.sight.attached.look(xml)
                if asks_for_agent:
                    domain.sight.agent(bool(definition.agent_state(xml)))

    def _look_for_io_errors(self, domains: Sequence[VmDomain]) -> None:
        """Of those that were paused by one while nobody listened."""
        for domain in domains:
            if domain.sight.asks_for_io_error:
                try:
                    errors = self._questions.ask(partial(_disk_errors_of, domain.uuid), _ASK_S)
                except (libvirt.libvirtError, NoAnswer):
                    return
                for disk, error in errors.items():
                    full = error == libvirt.VIR_DOMAIN_DISK_ERROR_NO_SPACE
                    domain.sight.on_io_error(disk, states.NO_SPACE if full else "")

    def _domain_of(self, uuid: str) -> VmDomain | None:
        with self._lock:
            return self._by_uuid.get(uuid)

    def _on_agent(self, uuid: str, connected: bool) -> None:
        with self._lock:
            domain = self._by_uuid.get(uuid)
        if domain:
            domain.sight.agent(connected)

    def _on_connected(self) -> None:
        """Events were missed while there was no connection: look at everything, and report what changed."""
        with self._lock:
            domains = list(self._by_uuid.values())
        for domain in domains:
            domain.sight.agent(None)
            domain.following.to_be_seen = True
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


def _may_run(uuid: str, stats: Mapping[str, int]) -> bool:
    return states.is_active(stats.get("state.state", 0)) or starts.Starts(uuid).may_come


def _was_brought(domain: Any, stats: Mapping[str, int]) -> bool:
    """Was it handed over to this node as it ran?"""
    if not states.is_active(stats.get("state.state", 0)):
        return False
    process = qemu.find_by_pid_file(domain.UUIDString(), domain.name())
    return process is not None and process.incoming


def _definition_of(uuid: str, conn: Any) -> str:
    try:
        domain = conn.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return GONE
        raise
    return str(domain.XMLDesc(XML_FLAGS)) if domain.isPersistent() else GONE


def _disk_errors_of(uuid: str, conn: Any) -> dict[str, int]:
    """By what the guest calls the disk."""
    return dict(conn.lookupByUUIDString(uuid).diskErrors())


def _snapshot_of_all(conn: Any) -> Snapshot:
    return {
        domain.UUIDString(): (stats.get("state.state", 0), stats.get("state.reason", 0))
        for domain, stats in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
    }


def _starts_up(snapshot: Snapshot | None, uuid: str) -> bool:
    return snapshot is not None and snapshot.get(uuid) == states.STARTS_UP


def _snapshot_of_one(conn: Any, uuid: str) -> Snapshot:
    try:
        state, reason = conn.lookupByUUIDString(uuid).state()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return {}
        raise
    return {uuid: (state, reason)}
