"""How does the plugin talk to libvirt without ever hanging on it?

Each connection is made and remade by a thread of its own; one more thread delivers libvirt's events. libvirtd may be
gone, restart, or hang at any time: whoever asks gives a deadline and gets `NoAnswer` instead of an answer. A keepalive
drops a connection to a daemon that hangs, which frees the threads that wait in it.

libvirtd carries out five requests of a connection at a time, and lets the others wait. So what watches has a connection
of its own, which starts and stops cannot fill, and these are spread over several (`Workers`).
"""

import threading
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import libvirt
import libvirt_qemu

from outlast.resources.vm import qemu

URI = "qemu:///system"
_T = TypeVar("_T")

_KEEPALIVE_INTERVAL_S = 3
_KEEPALIVE_COUNT = 3
_WORKERS = 3
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


class Connection:
    """`on_event` runs in the event thread and must not call libvirt; `on_connected` may."""

    def __init__(
        self,
        on_event: EventHandler | None = None,
        on_connected: Callable[[], None] | None = None,
        on_agent: AgentHandler | None = None,
        on_incident: OnIncident | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_agent = on_agent
        self._on_incident = on_incident
        self._on_connected = on_connected
        self._changed = threading.Condition()
        self._conn: Any = None
        self._closed = False
        self.daemons: frozenset[qemu.ProcessId] = frozenset()
        """Those that lived when it was last connected. One that `get` gave the connection of, and that lives, is among
        them, if they are read after that."""
        self._why_not = "not connected yet"

    def start(self) -> None:
        """From here on the handlers are called."""
        _start_events()
        threading.Thread(target=self._keep_connected, name="libvirt connection", daemon=True).start()

    def get(self, timeout_s: float) -> Any:
        """The libvirt connection, for calls that may take long. Raises `NoAnswer`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._conn is not None, timeout_s):
                raise NoAnswer(f"libvirt cannot be reached: {self._why_not}")
            return self._conn

    def ask(self, work: Callable[[Any], _T], timeout_s: float) -> _T:
        """The result of `work(connection)`. Raises `NoAnswer` after `timeout_s`; else what `work` raises."""
        ends_s = time.monotonic() + timeout_s
        conn = self.get(timeout_s)
        done = threading.Event()
        result: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                result.append(work(conn))
            except BaseException as error:  # noqa: BLE001  # handed to the thread that asked
                errors.append(error)
            done.set()

        threading.Thread(target=run, name="libvirt call", daemon=True).start()
        if not done.wait(max(0.0, ends_s - time.monotonic())):
            raise NoAnswer(f"libvirt does not answer (waited {timeout_s:g} s)")
        if errors:
            if is_loss(errors[0]):
                raise NoAnswer(f"the connection to libvirt broke: {errors[0]}") from errors[0]
            raise errors[0]
        return result[0]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- the connection's own thread --------------------------------------------------------------------------

    def _keep_connected(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._closed:
            try:
                conn = self._connect()
            except libvirt.libvirtError as error:
                self._why_not = str(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)
                continue
            retry_s = _FIRST_RETRY_S
            with self._changed:
                self._conn = conn
                self._changed.notify_all()
            if self._on_connected:
                self._on_connected()
            with self._changed:
                self._changed.wait_for(lambda: self._conn is None or self._closed)
            _drop(conn, self._registered)

    def _connect(self) -> Any:
        conn = libvirt.open(URI)
        self.daemons = frozenset(qemu.daemons())
        self._registered: tuple[_Step, ...] = ()
        try:
            conn.registerCloseCallback(self._lost, None)
            conn.setKeepAlive(_KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)
            if self._on_event:
                lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
                self._registered = (_register(conn, lifecycle, self._event),)
                if self._on_agent:
                    agent = libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE
                    self._registered += (_register(conn, agent, self._agent_event),)
                if self._on_incident:
                    self._registered += _register_incidents(conn, self._on_incident)
        except libvirt.libvirtError:
            _drop(conn, self._registered)
            raise
        return conn

    def _lost(self, _conn: Any, reason: int, _opaque: Any) -> None:
        hung = reason == libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE
        self._why_not = "it hangs" if hung else "its daemon ended or is restarting"
        with self._changed:
            self._conn = None
            self._changed.notify_all()

    def _agent_event(self, _conn: Any, domain: Any, state: int, _reason: int, _opaque: Any) -> None:
        if self._on_agent:
            connected = state == libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
            self._on_agent(domain.UUIDString(), connected)

    def _event(self, _conn: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        if self._on_event:
            self._on_event(domain.UUIDString(), domain.name(), event, detail)


class Workers:
    """The connections for starts and stops; a VM always has the same one, which keeps its requests in order."""

    def __init__(self) -> None:
        self._connections = [Connection() for _ in range(_WORKERS)]

    def start(self) -> None:
        for connection in self._connections:
            connection.start()

    def of(self, uuid: str) -> Connection:
        return self._connections[zlib.crc32(uuid.encode()) % len(self._connections)]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


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


def _drop(conn: Any, registered: tuple[_Step, ...]) -> None:
    """Callbacks hold references: a connection whose events are not given back stays for ever, with its sockets."""
    for step in (*registered, conn.unregisterCloseCallback, conn.close):
        try:
            step()
        except libvirt.libvirtError:
            continue  # It is dead: that is why it is dropped.


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
