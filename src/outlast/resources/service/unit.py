"""One systemd unit as a resource on this node.

Systemd is asked, and nobody else: its ActiveState says whether it runs, its cgroup whether anything of it is left. What
was started here is written down, to tell a failure from what never ran.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, Spec, TypeHost
from outlast.resources.records import Records
from outlast.resources.service.states import STOPPED, health, why, why_not_started_by_us
from outlast.resources.service.systemd import NoAnswer, Refused, Systemd, is_booted

TERMINATE_WITHIN_S = 12.0
"""Of the 15 s that the cluster service gives `terminate`."""
FORCED_WITHIN_S = 10.0
MEANT_WITHIN_S = 0.3
"""Systemd tells of a unit before it tells of the job that stopped it."""
_LOOK_AGAIN_S = 0.05
_NO_SYSTEMD = "systemd does not run on this node"


class StillThere(Exception):
    """It could not be stopped, or nobody can tell that it was."""


class Started(msgspec.Struct, frozen=True):
    unit: str
    boot: str
    """Which boot of this machine: nothing of a unit outlives it."""


class ServiceUnit:
    def __init__(self, spec: Spec, host: TypeHost, records: Records[Started], systemd: Systemd) -> None:
        self.name = spec.name
        self._host = host
        self._records = records
        self._properties = spec.properties
        self._systemd = systemd
        self._terminations = 0
        self._gate = threading.Lock()
        self._stopping = False
        self._opened_s = time.monotonic()
        """What was meant is known from then on."""
        self.path = ""
        """Systemd's name for the unit on the bus, once it was asked."""

    # -- how it is ----------------------------------------------------------------------------------------------

    def health(self) -> Health:
        try:
            record = self._records.read(self.name)
        except ValueError as error:
            return Health(Condition.UNKNOWN, str(error), running=True)
        try:
            unit = record.unit if record is not None else unit_of(self._properties)
        except ValueError as error:
            return Health(Condition.OFFLINE, str(error))
        started = record is not None and record.boot == boot_id()
        if not is_booted():
            return Health(Condition.UNKNOWN if started else Condition.OFFLINE, _NO_SYSTEMD, running=started)
        try:
            return self._ask(unit, started=started)
        except (NoAnswer, Refused) as error:
            return Health(Condition.UNKNOWN, str(error), running=True)

    def _ask(self, unit: str, *, started: bool) -> Health:
        self.path = self._systemd.load(unit)
        found = self._systemd.look(self.path)
        stopped = found.get("ActiveState") in STOPPED
        left = len(self._systemd.processes(unit)) if stopped else 0
        meant = self._systemd.had_job_since(unit, self._opened_s)
        if started and not meant and found.get("ActiveState") == "inactive":
            time.sleep(MEANT_WITHIN_S)
            meant = self._systemd.had_job_since(unit, self._opened_s)
        return health(unit, found, started=started, meant=meant, left=left)

    def keep(self) -> None:
        """Of what runs already: see to it that it is told how it ends."""
        record = self._records.read(self.name)
        if record is not None and is_booted():
            self._keep(record.unit)

    def _keep(self, unit: str) -> None:
        with suppress(NoAnswer):
            self._systemd.keep(unit)

    def changed(self) -> None:
        """Systemd says that something of it changed."""
        if not self._stopping and self._records.path(self.name).exists():
            found = self.health()
            if found.condition in (Condition.FAILED, Condition.OFFLINE) and not self._stopping:
                self._host.report(self.name, found)

    # -- start and stop -----------------------------------------------------------------------------------------

    def online(self, progress: Progress) -> None:
        terminations = self._terminations
        record = self._records.read(self.name)
        now = self.health()
        if now.condition is Condition.ONLINE and record is not None:
            self._stopping = False
            return
        try:
            unit = unit_of(self._properties)
        except ValueError as error:
            raise CannotStart(str(error)) from None
        if not is_booted():
            raise CannotStart(_NO_SYSTEMD)
        problem = why_not_started_by_us(unit, self._look(unit))
        if problem:
            raise CannotStart(problem)
        if record is not None and (record.unit != unit or now.running):
            self._stop(record.unit, FORCED_WITHIN_S)
        progress("starting")
        why_not = self._start(unit, terminations)
        if why_not:
            self._stop(unit, FORCED_WITHIN_S)
            raise CannotStart(why_not)
        progress("it runs")

    def _start(self, unit: str, terminations: int) -> str:
        """Why it does not run, for people; "" when it does."""
        with self._gate:
            if self._terminations != terminations:
                raise CannotStart("it was told to stop before it started")
            self._stopping = True  # what happens until it runs is no news
            self._records.write(self.name, Started(unit, boot_id()))
            try:
                job = self._systemd.start(unit)
            except Refused as refused:
                self._records.remove(self.name)
                raise CannotStart(f"systemd does not start {unit}: {refused}") from refused
        result = ""
        while not result:
            result = self._systemd.wait_for(job, 1.0, lambda: self._terminations != terminations)
            if self._terminations != terminations:
                return "it was told to stop while it started"
        found = self._look(unit)
        if found.get("ActiveState") == "active":
            self._keep(unit)
            self._opened_s = time.monotonic()
            self._stopping = False
            return ""
        if result == "done":
            return f"{why(found)}: {unit} does not stay active (a oneshot unit needs RemainAfterExit=yes)"
        return f"systemd's start of {unit} ended as {result}: {why(found)}"

    def _look(self, unit: str) -> Mapping[str, Json]:
        """Raises RuntimeError when systemd cannot be asked: nobody knows what runs."""
        try:
            self.path = self._systemd.load(unit)
            return self._systemd.look(self.path)
        except (NoAnswer, Refused) as error:
            raise RuntimeError(str(error)) from error

    def offline(self, progress: Progress, timeout_s: float) -> None:
        progress("stopping")
        record = self._records.read(self.name)
        if record is not None or self.health().running:
            self._stop(record.unit if record is not None else unit_of(self._properties), timeout_s)

    def terminate(self) -> None:
        with self._gate:
            self._terminations += 1
        record = self._records.read(self.name)
        if record is not None or self.health().running:
            self._stop(record.unit if record is not None else unit_of(self._properties), 0.0)

    def _stop(self, unit: str, within_s: float) -> None:
        """In order within that time, then by force. Returns when nothing of it is left. Raises `StillThere`."""
        self._stopping = True
        terminations = self._terminations
        if not is_booted():
            raise StillThere(f"cannot stop {unit}: {_NO_SYSTEMD}")
        try:
            job = self._systemd.stop(unit)
            if job and within_s:
                self._systemd.wait_for(job, within_s, lambda: self._terminations != terminations)
            self._force(unit)
        except (NoAnswer, Refused) as error:
            raise StillThere(f"cannot stop {unit}: {error}") from error
        self._records.remove(self.name)

    def _force(self, unit: str) -> None:
        """Also what its KillMode= spares: a resource that is offline has nothing that runs."""
        ends_s = time.monotonic() + TERMINATE_WITHIN_S
        while not self._is_gone(unit):
            if time.monotonic() > ends_s:
                raise StillThere(
                    f"{unit} cannot be stopped: its processes {list(self._systemd.processes(unit))} live on"
                )
            self._systemd.kill(unit, signal.SIGKILL)
            for pid in self._systemd.processes(unit):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_AGAIN_S)
        self._systemd.reset_failed(unit)
        self._systemd.let_go(unit)

    def _is_gone(self, unit: str) -> bool:
        found = self._systemd.look(self._systemd.load(unit))
        return found.get("ActiveState") in STOPPED and not self._systemd.processes(unit)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        raise Refusal(f'a service cannot "{verb}"; systemctl and journalctl can')

    def forget(self) -> None:
        """Also of what has failed: then it was never stopped."""
        record = self._records.read(self.name)
        if record is None:
            return
        found = self.health()
        if found.running or found.condition in (Condition.ONLINE, Condition.UNKNOWN):
            raise StillThere(f'cannot forget "{self.name}": it may run here; take it offline first ({found.why})')
        with suppress(NoAnswer):
            self._systemd.reset_failed(record.unit)
            self._systemd.let_go(record.unit)
        self._records.remove(self.name)

    def close(self) -> None:
        self._stopping = True


def unit_of(properties: Mapping[str, Json]) -> str:
    """Raises ValueError, in words."""
    unknown = [name for name in properties if name != "unit"]
    if unknown:
        raise ValueError(f"a service has no property {unknown[0]}; it has unit")
    unit = properties.get("unit")
    if not isinstance(unit, str) or not unit or "/" in unit or unit.partition("@")[2] == ".service":
        raise ValueError(f"unit cannot be {unit!r}: it takes the name of a systemd service, as shop.service")
    name, dot, kind = unit.rpartition(".")
    if dot and name and kind in _KINDS:
        raise ValueError(f"unit cannot be {unit!r}: a .{kind} is no service")
    return unit if unit.endswith(".service") else f"{unit}.service"


_KINDS = ("socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope")


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
