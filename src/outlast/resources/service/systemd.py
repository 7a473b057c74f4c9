"""What do we say to systemd, and what does it tell by itself? One connection to the system bus for all units.

The interface is org.freedesktop.systemd1 as its manual page of that name has it. A connection that is lost is made anew
with the next call.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from jeepney import DBusAddress, DBusErrorResponse, MatchRule, Message, new_method_call
from jeepney.bus_messages import message_bus
from jeepney.io.common import RouterClosed
from jeepney.io.threading import DBusRouter, ReceiveStopped, open_dbus_connection
from jeepney.wrappers import unwrap_msg

BOOTED = "/run/systemd/system"
"""Is there when systemd is the machine's init (sd_booted(3))."""
CALL_TIMEOUT_S = 2.0
SIGNALS_KEPT = 10_000
_SYSTEMD = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = DBusAddress(_PATH, _SYSTEMD, f"{_SYSTEMD}.Manager")
_UNIT = f"{_SYSTEMD}.Unit"
_SERVICE = f"{_SYSTEMD}.Service"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_JOB_LOOK_AGAIN_S = 0.5
_NO_SUCH_UNIT = f"{_SYSTEMD}.NoSuchUnit"

Value = Any
"""What D-Bus carries: text, numbers, lists and tuples of these."""
Changed = Callable[[str], None]
"""Called with the path of a unit of which something changed."""


class NoAnswer(Exception):
    """systemd could not be asked: nobody knows how its units are."""


class Refused(Exception):
    """systemd would not. The text is its own."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words)
        self.name = name


class Systemd:
    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._router: DBusRouter | None = None
        self._jobs: dict[str, str] = {}
        """Path to result, of those that ended of late."""
        self._meant: dict[str, float] = {}

        self._news = threading.Condition()

    # -- units --------------------------------------------------------------------------------------------------

    def load(self, unit: str) -> str:
        """Its path, also when there is no such unit: then its LoadState says so. Raises `NoAnswer`, `Refused`."""
        return str(self._manager("LoadUnit", "s", unit)[0])

    def look(self, path: str) -> Mapping[str, Value]:
        """All properties of a unit, those of a service too. Raises `NoAnswer`, `Refused`."""
        found: dict[str, Value] = {}
        for interface in (_UNIT, _SERVICE):
            address = DBusAddress(path, _SYSTEMD, _PROPERTIES)
            answer = self._call(new_method_call(address, "GetAll", "s", (interface,)))
            found |= {name: value for name, (_, value) in answer[0].items()}
        return found

    def keep(self, unit: str) -> None:
        """Systemd forgets how a unit ended when nobody refers to it; this lasts as long as the connection."""
        with suppress(Refused):
            self._manager("RefUnit", "s", unit)

    def let_go(self, unit: str) -> None:
        with suppress(Refused):
            self._manager("UnrefUnit", "s", unit)

    def start(self, unit: str) -> str:
        """The path of the job that was begun. Raises `NoAnswer`, `Refused`."""
        return str(self._manager("StartUnit", "ss", unit, "replace")[0])

    def stop(self, unit: str) -> str:
        """Likewise; "" when the unit is not loaded."""
        try:
            return str(self._manager("StopUnit", "ss", unit, "replace")[0])
        except Refused as refused:
            if refused.name == _NO_SUCH_UNIT:
                return ""
            raise

    def kill(self, unit: str, signal: int) -> None:
        """All of its processes. That there are none is fine."""
        with suppress(Refused):
            self._manager("KillUnit", "ssi", unit, "all", signal)

    def reset_failed(self, unit: str) -> None:
        with suppress(Refused):
            self._manager("ResetFailedUnit", "s", unit)

    def processes(self, unit: str) -> tuple[int, ...]:
        """Those of its cgroup, also when it counts as stopped. Raises `NoAnswer`."""
        try:
            return tuple(pid for _, pid, _ in self._manager("GetUnitProcesses", "s", unit)[0] if pid)
        except Refused as refused:
            if refused.name == _NO_SUCH_UNIT:
                return ()
            raise NoAnswer(f"cannot ask systemd for the processes of {unit}: {refused}") from refused

    def wait_for(self, job: str, within_s: float, given_up: Callable[[], bool]) -> str:
        """The job's result ("done", "failed", ...); "" when it has not ended by then."""
        ends_s = time.monotonic() + within_s
        while True:
            with self._news:
                result = self._jobs.pop(job, "")
                if result or given_up() or time.monotonic() > ends_s:
                    return result
                self._news.wait(min(_JOB_LOOK_AGAIN_S, max(0.0, ends_s - time.monotonic())))
            if not self._is_there(job):
                with self._news:
                    return self._jobs.pop(job, "gone")  # a signal that was lost with its connection

    def had_job_since(self, unit: str, since_s: float) -> bool:
        """Somebody had systemd start, stop or restart it: what ends by itself has no job."""
        return self._meant.get(unit, 0.0) >= since_s

    def _is_there(self, job: str) -> bool:
        try:
            address = DBusAddress(job, _SYSTEMD, _PROPERTIES)
            self._call(new_method_call(address, "Get", "ss", (f"{_SYSTEMD}.Job", "State")))
        except Refused:
            return False
        except NoAnswer:
            return True
        return True

    # -- the connection -----------------------------------------------------------------------------------------

    def _manager(self, method: str, signature: str, *arguments: Value) -> tuple[Value, ...]:
        return self._call(new_method_call(_MANAGER, method, signature, arguments))

    def _call(self, message: Message) -> tuple[Value, ...]:
        with self._lock:
            router = self._router or self._connect()
        try:
            return tuple(unwrap_msg(router.send_and_get_reply(message, timeout=CALL_TIMEOUT_S)))
        except DBusErrorResponse as error:
            words = str(error.data[0]) if error.data else error.name
            if error.name.startswith("org.freedesktop.DBus.Error.") and error.name.rsplit(".")[-1] in _BUS_TROUBLES:
                raise NoAnswer(f"systemd does not answer: {words}") from error
            raise Refused(error.name, words) from error
        except (OSError, RouterClosed, ReceiveStopped, KeyError, ValueError) as error:
            self._drop(router)
            raise NoAnswer(f"systemd does not answer: {error or type(error).__name__}") from error

    def _connect(self) -> DBusRouter:
        """Under the lock."""
        try:
            connection = open_dbus_connection(bus="SYSTEM")
        except (OSError, RouterClosed, KeyError, ValueError, DBusErrorResponse) as error:
            raise NoAnswer(f"the system bus does not answer: {error or type(error).__name__}") from error
        router = DBusRouter(connection)
        signals: queue.Queue[Message] = queue.Queue(SIGNALS_KEPT)
        rules = (
            MatchRule(type="signal", interface=_PROPERTIES, member="PropertiesChanged", path_namespace=f"{_PATH}/unit"),
            MatchRule(type="signal", interface=f"{_SYSTEMD}.Manager", member="JobNew", path=_PATH),
            MatchRule(type="signal", interface=f"{_SYSTEMD}.Manager", member="JobRemoved", path=_PATH),
        )
        try:
            for rule in rules:
                router.filter(rule, queue=signals)
                unwrap_msg(router.send_and_get_reply(message_bus.AddMatch(rule), timeout=CALL_TIMEOUT_S))
            subscribe = new_method_call(_MANAGER, "Subscribe")
            unwrap_msg(router.send_and_get_reply(subscribe, timeout=CALL_TIMEOUT_S))
        except (OSError, RouterClosed, ReceiveStopped, KeyError, DBusErrorResponse) as error:
            connection.close()
            raise NoAnswer(f"systemd does not answer: {error or type(error).__name__}") from error
        self._router = router
        threading.Thread(target=self._listen, args=(router, signals), daemon=True, name="hears systemd").start()
        return router

    def _drop(self, router: DBusRouter) -> None:
        with self._lock:
            mine = self._router is router
            if mine:
                self._router = None
        if not mine:
            return
        with suppress(OSError):
            router.close()
            router.conn.close()

    def close(self) -> None:
        if self._router is not None:
            self._drop(self._router)

    def _listen(self, router: DBusRouter, signals: "queue.Queue[Message]") -> None:
        while self._router is router:
            try:
                signal = signals.get(timeout=1.0)
            except queue.Empty:
                continue
            fields = {field.name: value for field, value in signal.header.fields.items()}
            if fields.get("member") == "JobNew":  # before the unit changes, and so before we are told of that
                self._meant[str(signal.body[2])] = time.monotonic()
            elif fields.get("member") == "JobRemoved":
                _, job, unit, result = signal.body
                with self._news:
                    if len(self._jobs) > SIGNALS_KEPT:
                        self._jobs.clear()
                    self._jobs[job] = result
                    self._meant[unit] = time.monotonic()
                    self._news.notify_all()
            else:
                self._changed(str(fields.get("path", "")))


_BUS_TROUBLES = ("NoReply", "Timeout", "TimedOut", "Disconnected", "ServiceUnknown", "NameHasNoOwner", "NoServer")


def is_booted() -> bool:
    return os.path.isdir(BOOTED)
