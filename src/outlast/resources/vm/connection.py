"""How does the plugin talk to libvirt without ever hanging on it?

A connection is made and remade by a thread of its own; one more thread delivers libvirt's events. libvirtd may be gone,
restart, or hang at any time: whoever asks gives a deadline and gets `NoAnswer` instead of an answer. A keepalive drops
a connection to a daemon that hangs, which frees the thread that waits in it.

One thread at a time calls libvirt in a connection. Its library allows more, but up to 10.3 (Debian 12 has 9.0) a call
that another one wakes leaves a pointer to its stack behind (CVE-2024-4418), and the whole process ends sooner or later:
seen here when a hung daemon was given up. So there are several connections, for what must not wait for each other.
"""

import contextlib
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar

import libvirt
import libvirt_qemu

from outlast.resources.vm import qemu

URI = "qemu:///system"
_T = TypeVar("_T")

_KEEPALIVE_INTERVAL_S = 3
_KEEPALIVE_COUNT = 3
_REQUESTS = 8
_STARTS = 12
"""Of the 20 workers that libvirtd has by default."""
_FIRST_RETRY_S = 0.05
_LAST_RETRY_S = 1.0

EventHandler = Callable[[str, str, int, int], None]
"""UUID, name, event, detail of a libvirt lifecycle event."""
AgentHandler = Callable[[str, bool], None]
"""UUID, and whether the guest's agent answers."""


RESET, SHUTDOWN = "RESET", "SHUTDOWN"
RESET_EVENTS = (RESET, SHUTDOWN)
_Step = Callable[[], object]


class OnIncident(Protocol):
    """What happened inside a VM; runs in the event thread, as `EventHandler`."""

    def told_by_qemu(self, uuid: str, event: str, details: str) -> None:
        """`RESET_EVENTS` of QEMU, with its own JSON."""
        ...

    def rebooted(self, uuid: str) -> None:
        """Only where libvirt does not pass on what QEMU says."""
        ...

    def device(self, uuid: str, alias: str, *, attached: bool) -> None: ...

    def watchdog(self, uuid: str, action: int) -> None: ...

    def io_error(self, uuid: str, disk: str, action: int, reason: str) -> None: ...


class NoAnswer(Exception):
    """libvirt did not answer in time, or is not there. Says nothing about any VM."""


class Link:
    """One connection of libvirt's."""

    def __init__(self, conn: Any, daemons: frozenset[qemu.ProcessId]) -> None:
        self.conn = conn
        self.daemons = daemons
        """Those that lived when it was just made: its own is among them."""
        self.busy = False
        self.lost = False
        self.registered: tuple[_Step, ...] = ()

    def close(self) -> None:
        """Callbacks hold references: a connection whose events are not given back stays for ever, with its sockets."""
        for step in (*self.registered, self.conn.unregisterCloseCallback, self.conn.close):
            try:
                step()
            except libvirt.libvirtError:
                continue  # It is dead: that is why it is dropped.


class Connection:
    """So many calls at a time. `on_event` runs in the event thread, and must not call libvirt; `on_connected` may."""

    def __init__(
        self,
        on_event: EventHandler | None = None,
        on_connected: Callable[[], None] | None = None,
        on_agent: AgentHandler | None = None,
        on_incident: OnIncident | None = None,
        *,
        calls: int = 1,
    ) -> None:
        self._on_event = on_event
        self._on_agent = on_agent
        self._on_incident = on_incident
        self._on_connected = on_connected
        self._calls = calls
        self._changed = threading.Condition()
        self._links: list[Link] = []
        self._kept = 0
        self._closed = False
        self._why_not = "not connected yet"

    def start(self, links: int = 1) -> None:
        """From here on the handlers are called. So many are connected at once, others when they are needed."""
        _start_events()
        with self._changed:
            for _ in range(links):
                self._keep_one_more()

    @contextlib.contextmanager
    def lent(self, timeout_s: float) -> Iterator[Link]:
        """For calls that may take long. Raises `NoAnswer`."""
        link = self._lend(timeout_s)
        try:
            yield link
        finally:
            self._give_back(link)

    def ask(self, work: Callable[[Any], _T], timeout_s: float) -> _T:
        """The result of `work(connection)`. Raises `NoAnswer` after `timeout_s`; else what `work` raises."""
        ends_s = time.monotonic() + timeout_s
        link = self._lend(timeout_s)
        done = threading.Event()
        result: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                result.append(work(link.conn))
            except BaseException as error:  # noqa: BLE001  # handed to the thread that asked
                errors.append(error)
            self._give_back(link)
            done.set()

        threading.Thread(target=run, name="libvirt call", daemon=True).start()
        if not done.wait(max(0.0, ends_s - time.monotonic())):
            raise _silent(timeout_s)
        if errors:
            if is_loss(errors[0]):
                raise NoAnswer(f"the connection to libvirt broke: {errors[0]}") from errors[0]
            raise errors[0]
        return result[0]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- whose turn it is -------------------------------------------------------------------------------------

    def _lend(self, timeout_s: float) -> Link:
        with self._changed:
            if self._idle() is None and self._kept < self._calls:
                self._keep_one_more()
            self._changed.wait_for(self._idle, timeout_s)
            link = self._idle()
            if link is None:
                raise _silent(timeout_s) if self._links else NoAnswer(f"libvirt cannot be reached: {self._why_not}")
            link.busy = True
            return link

    def _idle(self) -> Link | None:
        return next((link for link in self._links if not link.busy), None)

    def _give_back(self, link: Link) -> None:
        with self._changed:
            link.busy = False
            self._changed.notify_all()

    # -- the threads of its connections -----------------------------------------------------------------------

    def _keep_one_more(self) -> None:
        """Under the lock."""
        self._kept += 1
        threading.Thread(target=self._keep_connected, name="libvirt connection", daemon=True).start()

    def _keep_connected(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._closed:
            try:
                link = self._connect()
            except libvirt.libvirtError as error:
                self._why_not = str(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)
                continue
            retry_s = _FIRST_RETRY_S
            with self._changed:
                if not link.lost:
                    self._links.append(link)
                    self._changed.notify_all()
            if self._on_connected:
                self._on_connected()
            with self._changed:
                while not link.lost and not self._closed:
                    self._changed.wait()
                self._forget(link)
                while link.busy:  # closed under a call, it would be freed while that reads it
                    self._changed.wait()
            link.close()

    def _connect(self) -> Link:
        conn = libvirt.open(URI)
        link = Link(conn, frozenset(qemu.daemons()))
        try:
            conn.registerCloseCallback(self._lost, link)
            conn.setKeepAlive(_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)
            if self._on_event:
                lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
                link.registered = (_register(conn, lifecycle, self._event),)
                if self._on_agent:
                    agent = libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE
                    link.registered += (_register(conn, agent, self._agent_event),)
                if self._on_incident:
                    link.registered += _register_incidents(conn, self._on_incident)
        except libvirt.libvirtError:
            link.close()
            raise
        return link

    def _lost(self, _conn: Any, reason: int, link: Link) -> None:
        hung = reason == libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE
        self._why_not = "it hangs" if hung else "its daemon ended or is restarting"
        with self._changed:
            link.lost = True
            self._forget(link)
            self._changed.notify_all()

    def _forget(self, link: Link) -> None:
        """Under the lock: nobody is given it any more."""
        if link in self._links:
            self._links.remove(link)

    def _agent_event(self, _conn: Any, domain: Any, state: int, _reason: int, _opaque: Any) -> None:
        if self._on_agent:
            connected = state == libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
            self._on_agent(domain.UUIDString(), connected)

    def _event(self, _conn: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        if self._on_event:
            self._on_event(domain.UUIDString(), domain.name(), event, detail)


class Workers:
    """For what changes something. A VM's requests have a connection that is always the same, which keeps them in order,
    and its starts, which may take long, one of those for starts: a stop must not wait for them."""

    def __init__(self) -> None:
        self._requests = [Connection() for _ in range(_REQUESTS)]
        self.starts = Connection(calls=_STARTS)

    def start(self) -> None:
        for connection in self._requests:
            connection.start()
        self.starts.start()

    def of(self, uuid: str) -> Connection:
        return self._requests[zlib.crc32(uuid.encode()) % len(self._requests)]

    def close(self) -> None:
        for connection in (*self._requests, self.starts):
            connection.close()


def _silent(timeout_s: float) -> NoAnswer:
    return NoAnswer(f"libvirt does not answer (waited {timeout_s:g} s)")


def _register(conn: Any, event: int, callback: Callable[..., None]) -> _Step:
    """How to give it back."""
    return partial(conn.domainEventDeregisterAny, conn.domainEventRegisterAny(None, event, callback, None))


def _register_incidents(conn: Any, handler: OnIncident) -> tuple[_Step, ...]:
    def watchdog(_conn: Any, domain: Any, action: int, _opaque: Any) -> None:
        handler.watchdog(domain.UUIDString(), action)

    def io_error(_conn: Any, domain: Any, path: str, alias: str, action: int, reason: str, _opaque: Any) -> None:
        handler.io_error(domain.UUIDString(), path or alias, action, reason)

    def attached(_conn: Any, domain: Any, alias: str, _opaque: Any) -> None:
        handler.device(domain.UUIDString(), alias, attached=True)

    def detached(_conn: Any, domain: Any, alias: str, _opaque: Any) -> None:
        handler.device(domain.UUIDString(), alias, attached=False)

    events = (
        (libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG, watchdog),
        (libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, io_error),
        (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, attached),
        (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, detached),
    )
    return (_register_resets(conn, handler), *(_register(conn, event, callback) for event, callback in events))


def _register_resets(conn: Any, handler: OnIncident) -> _Step:
    def told(_conn: Any, domain: Any, event: str, _s: int, _us: int, details: str, _opaque: Any) -> None:
        handler.told_by_qemu(domain.UUIDString(), event, details)

    def rebooted(_conn: Any, domain: Any, _opaque: Any) -> None:
        handler.rebooted(domain.UUIDString())

    try:
        flags = libvirt_qemu.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX
        id = libvirt_qemu.qemuMonitorEventRegister(conn, None, f"^({'|'.join(RESET_EVENTS)})$", told, None, flags)
    except libvirt.libvirtError:
        return _register(conn, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, rebooted)
    return partial(libvirt_qemu.qemuMonitorEventDeregister, conn, id)


def is_loss(error: BaseException) -> bool:
    """Whether this error speaks of the connection, and not of what was asked."""
    if not isinstance(error, libvirt.libvirtError):
        return False
    if error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE):
        return True
    return error.get_error_code() in (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_NO_CONNECT)


_events_started = threading.Lock()


def _start_events() -> None:
    """libvirt has one event loop per process."""
    if not _events_started.acquire(blocking=False):
        return
    # Errors come as exceptions; libvirt's habit of printing each one as well would flood the log.
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, name="libvirt events", daemon=True).start()


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
