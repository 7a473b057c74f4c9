"""What is known about one VM of this node, and how is it told?

Two witnesses speak about a VM: libvirt (events, and the poll of all VMs) and QEMU's process (its pidfd). The rules:

1. Nothing runs only on proof: QEMU's process has ended, or libvirt answers that it is off and no process has its UUID.
2. While QEMU's process lives, the VM is online, however silent libvirt is.
3. When QEMU's process ends in a way that nobody can have meant (killed, crashed), that is told at once. Otherwise
   libvirt's word is waited for, a moment: an administrator's `virsh destroy` must not be healed.
4. What we start and stop ourselves is told by the call's return, never as somebody else's doing.
5. While a start may still come that libvirt has not answered (`starts.py`), nothing is proof that nothing runs.

`_lock` guards the fields; libvirt is never called under it.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial

import libvirt
import msgspec

from outlast.plugin import Condition, Halt, Health, Incident, SavedState, Spec, TypeHost
from outlast.resources.vm import definition, qemu, state_files, states
from outlast.resources.vm.attached import Attached
from outlast.resources.vm.connection import Connection, NoAnswer
from outlast.resources.vm.held import Held
from outlast.resources.vm.resets import ResetBy, Resets
from outlast.resources.vm.starts import Starts

_ASK_S = 1.0
_WORD_S = 1.0
"""How long libvirt may take to say why QEMU ended; normally 0.2 s."""

Snapshot = Mapping[str, tuple[int, int]]
"""UUID -> libvirt's state and reason, of every VM that libvirt knows on this node."""


class Sight:
    """Everything seen of one VM."""

    def __init__(self, spec: Spec, uuid: str, connection: Connection, watch: qemu.Watch, host: TypeHost) -> None:
        self.spec = spec
        self.uuid = uuid
        self.libvirt_name = definition.name_of(spec.definition)
        self.connection = connection
        self.starts = Starts(uuid)
        self.resets = Resets(spec.definition)
        self.attached = Attached(self.xml, partial(host.happened, spec.name))
        self._watch = watch
        self._host = host
        self._lock = threading.Condition()
        self._health = states.NOT_LOOKED_AT
        self._process: qemu.Process | None = None
        self._ours = 0
        """Calls of ours under way that start or stop it: what is seen meanwhile is not reported."""
        self._changes = 0
        """Up with everything seen, so that a poll's older answer does not overwrite it."""
        self._run_ended = False
        """Nothing runs, on evidence, and no start was seen or tried since."""
        self._shutdown_detail: int | None = None
        self._stop_detail: int | None = None
        self._closed = False
        self._io_error: tuple[str, str] | None = None
        """Disk and reason of the I/O error that was told last; None: nobody has told of one since it last went on."""
        self._watchdog_ends_it = False
        self._held = Held(uuid)
        self._saved: SavedState | None = None
        """What somebody has saved of it here past the cluster, since it ended."""
        self._agent: bool | None = None
        """Does the guest's agent answer? None: nobody has looked since it was started, or since libvirt came back."""

    # -- for the VM's own calls ----------------------------------------------------------------------------------

    def health(self) -> Health:
        with self._lock:
            return self._told(self._health)

    @property
    def process(self) -> qemu.Process | None:
        return self._process

    @property
    def run_ended(self) -> bool:
        return self._run_ended

    @contextlib.contextmanager
    def our_doing(self) -> Iterator[None]:
        """What is seen while this lasts is our own doing."""
        with self._lock:
            self._ours += 1
        try:
            yield
        finally:
            with self._lock:
                self._ours -= 1

    @property
    def busy(self) -> bool:
        """A call of ours that starts or stops it is under way."""
        return self._ours > 0

    def a_start_begins(self) -> None:
        """From here on there is no evidence that nothing runs."""
        with self._lock:
            self._run_ended = False
            self._held.forget()
            self.resets.it_starts(time.monotonic())
            self.attached.it_starts()
            self._agent = None
            self._saved = None
            self._io_error = None
            self._watchdog_ends_it = False
            self._shutdown_detail = None
            self._stop_detail = None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process:
            self._watch.remove(process)

    def may_run(self) -> bool:
        return self.alive() or not self._run_ended

    @property
    def held(self) -> Held:
        return self._held

    def wait_for_end(self, within_s: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: self._run_ended, within_s)

    def adopt(self, scan: qemu.Scan | None = None) -> bool:
        """Hold on to QEMU's process, if there is one: by its pid file, or where a scan has seen it."""
        if self.alive():
            return True
        process = qemu.find_by_pid_file(self.uuid, self.libvirt_name)
        if process is None and scan is not None and self.uuid in scan.qemu:
            process = qemu.find(self.uuid, self.libvirt_name)
        if process is None:
            return False
        self.take(process)
        return True

    def take(self, process: qemu.Process) -> None:
        with self._lock:
            known = self._process
            if self._closed or (known is not None and not known.ended()):
                return
            self._process = process
            self._run_ended = False
        if known:
            self._watch.remove(known)
        self._watch.add(process, self._on_process_end)

    def drop(self, process: qemu.Process) -> None:
        """It has ended, and we know."""
        with self._lock:
            if self._process is not process:
                return
            self._process = None
        self._watch.remove(process)

    # -- what is seen ------------------------------------------------------------------------------------------

    def alive(self) -> bool:
        """QEMU's process is held, and lives."""
        process: qemu.Process | None = self._process
        return process is not None and not process.ended()

    @property
    def changes(self) -> int:
        return self._changes

    def look(self, snapshot: Snapshot | None, scan: qemu.Scan | None, *, since: int | None = None) -> Health:
        """What a poll says; `snapshot` is None when libvirt did not answer, and then `scan` was taken.

        `since` is `changes` from before the poll: what was seen meanwhile is newer, and stands.
        """
        self.adopt(scan)
        if snapshot is not None and self._is_without_qemu(snapshot):
            self.adopt(qemu.scan())
        if snapshot is not None and snapshot.get(self.uuid) == states.IS_SAVED:
            self._find_saved()
        with self._lock:
            if self._ours or (since is not None and since != self._changes):
                return self._told(self._health)
            if snapshot is None:
                health = self._without_libvirt(scan or qemu.scan())
            else:
                health = self._with_libvirt(snapshot.get(self.uuid))
            self._health = health
            return self._told(health)

    @property
    def asks_for_agent(self) -> bool:
        """It runs, its guest could answer, and nobody has looked whether it does."""
        with self._lock:
            unknown = self._agent is None and self._health.condition is Condition.ONLINE
        return unknown and definition.has_agent(self.spec.definition)

    @property
    def answers(self) -> bool:
        return self.health().answers

    @property
    def asks_for_devices(self) -> bool:
        """It runs, and nobody has looked what it has since it was started."""
        return not self.attached.seen and self.alive()

    def xml(self) -> str:
        """As it runs. Raises `NoAnswer`, and what libvirt does."""
        return str(self.connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).XMLDesc(0), _ASK_S))

    def agent(self, connected: bool | None) -> None:
        """The guest's agent answers, or does not any more; None: that must be asked anew."""
        with self._lock:
            if connected:
                self.resets.its_guest_is_up()
            before, self._agent = self._told(self._health), connected
            health = self._told(self._health)
            quiet = self._ours > 0 or self._closed or connected is None
        if health != before and not quiet:
            self._host.report(self.spec.name, health)

    def _find_saved(self) -> None:
        if self._saved is None:
            xml = self.spec.definition
            self._saved = state_files.managed(self.uuid, self.libvirt_name, definition.written_files(xml))

    def _told(self, health: Health) -> Health:
        """Under the lock."""
        if self.starts.may_come and not health.running and health.condition is not Condition.UNKNOWN:
            return states.START_MAY_COME
        if health == states.SAVED:
            health = msgspec.structs.replace(health, saved=self._saved)
        incoming = self._process is not None and self._process.incoming
        if health.stands and self._process is not None and not incoming and not self._held.stands:
            health = msgspec.structs.replace(health, stands=False)  # it was started here, so nobody hands it over
        if health.stands and self._held.stands:
            health = msgspec.structs.replace(health, held=True, paused=False)
        if incoming and health.running:
            health = msgspec.structs.replace(health, brought=True)
        if not self._agent or health.condition is not Condition.ONLINE:
            return health
        return msgspec.structs.replace(health, answers=True)

    def forget_proof(self) -> None:
        """What was seen to have ended may be started again any moment, by a start that may still come."""
        with self._lock:
            self._run_ended = False

    @property
    def unproven(self) -> bool:
        """No QEMU of it is known, and nothing says yet that there is none."""
        return not self.alive() and not self._run_ended

    def _is_without_qemu(self, snapshot: Snapshot) -> bool:
        """libvirt says that it runs, we hold no process, and know of no end."""
        state, _ = snapshot.get(self.uuid, (libvirt.VIR_DOMAIN_SHUTOFF, 0))
        return states.is_active(state) and not self.alive() and not self._run_ended

    def tell(self, health: Health) -> None:
        """Report what a look has found."""
        self._host.report(self.spec.name, health)

    def on_event(self, event: int, detail: int) -> None:
        """A lifecycle event of libvirt, in its event thread."""
        match event:
            case libvirt.VIR_DOMAIN_EVENT_STARTED:
                self.a_start_begins()
                self.adopt()
                arrives = detail == libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED
                self.saw(states.ARRIVES if arrives else states.ONLINE)
            case libvirt.VIR_DOMAIN_EVENT_RESUMED if not self._run_ended:
                self._io_error = None
                self.saw(states.ONLINE)
            case libvirt.VIR_DOMAIN_EVENT_SUSPENDED if not self._run_ended:
                by_io = detail == libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR
                self.saw(self._paused_by_io() if by_io else states.of_suspension(detail))
            case libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED if not self._run_ended:
                self.saw(states.of_state(libvirt.VIR_DOMAIN_PMSUSPENDED, 0))
            case libvirt.VIR_DOMAIN_EVENT_SHUTDOWN:
                if self._shutdown_detail is None:  # libvirt then ends QEMU, which says so again.
                    self._shutdown_detail = detail
            case libvirt.VIR_DOMAIN_EVENT_CRASHED:
                self._on_panic(detail)
            case libvirt.VIR_DOMAIN_EVENT_STOPPED:
                self._on_stopped(detail)

    def on_io_error(self, disk: str, reason: str) -> None:
        """Before libvirt says that it has been paused for it, or when it was asked why it is."""
        self._io_error = (disk, reason)
        with self._lock:
            known = self._health.halt in (Halt.IO_ERROR, Halt.NO_SPACE)
        if known:
            self.saw(self._paused_by_io())

    def on_watchdog(self, action: int) -> None:
        self._watchdog_ends_it = action in states.WATCHDOG_ENDS
        if action == libvirt.VIR_DOMAIN_EVENT_WATCHDOG_RESET:
            self.resets.its_watchdog_resets_it()
        done = states.WATCHDOG_ACTIONS.get(action, "something is done that is not known here")
        self._host.happened(self.spec.name, Incident.WATCHDOG, f"hung, says its watchdog device: {done}")

    def on_reset(self, by: ResetBy, *, ours: bool) -> None:
        if found := self.resets.told(by, time.monotonic(), ours=ours):
            self._host.happened(self.spec.name, *found)

    @property
    def asks_for_io_error(self) -> bool:
        """An I/O error has paused it, and nobody has told which."""
        return self._health.halt is Halt.IO_ERROR and self._io_error is None

    def _paused_by_io(self) -> Health:
        return states.io_error(*(self._io_error or ("", "")))

    def _on_panic(self, detail: int) -> None:
        on_crash = definition.on_crash(self.spec.definition)
        loaded = detail == libvirt.VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED
        if "restart" in on_crash and not loaded:
            self.resets.libvirt_resets_it()
        if loaded or "restart" in on_crash:
            self.saw(states.RECOVERING)
            self._host.happened(self.spec.name, Incident.PANICKED, states.RECOVERING.why)
        elif on_crash == "preserve":
            self.saw(states.PANICKED)
        # Else libvirt ends QEMU now, and says so.

    def _on_stopped(self, detail: int) -> None:
        health = states.of_stop(detail, ended_by_host=self._ended_by_host)
        with self._lock:
            if self.alive():
                return  # Of an earlier run: libvirt says "stopped" only after QEMU has ended.
            self._stop_detail = detail
            self._lock.notify_all()
            by_us = self._health in (states.STOPPED_BY_US, states.NOT_DEFINED)
            told = self._run_ended and (by_us or self._health.condition is health.condition)
        if not told:
            self.saw(health, ended=True)

    def _on_process_end(self, process: qemu.Process) -> None:
        """In the watch's thread."""
        status = qemu.how_it_ended(process)
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            if self._run_ended:
                return  # libvirt's event was quicker.
            detail = self._stop_detail
        by_guest = self._shutdown_detail == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
        health = states.of_end(status, guest_shut_down=by_guest)
        if health is None and detail is not None:
            health = states.of_stop(detail, ended_by_host=self._ended_by_host)
        if health:
            self.saw(health, ended=True)
        else:
            with self._lock:
                self._run_ended = True
                self._lock.notify_all()
            threading.Thread(target=self._wait_for_word, name=f"{self.spec.name} end", daemon=True).start()

    @property
    def _ended_by_host(self) -> bool:
        return bool(self._shutdown_detail == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST)

    def _wait_for_word(self) -> None:
        """QEMU ended in order, so somebody may have meant it: libvirt says who."""
        with self._lock:
            before = self._changes
            self._lock.wait_for(lambda: self._stop_detail is not None or self._changes != before, _WORD_S)
            if self._stop_detail is not None or self._changes != before:
                return  # The event was told by itself.
        health = states.VANISHED
        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            state, reason = self.connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).state(), _ASK_S)
            if not states.is_active(state):
                health = _blamed(states.of_state(state, reason))
        with self._lock:
            if self._changes != before:
                return
        self.saw(health, ended=True)

    def saw(self, health: Health, *, ended: bool = False) -> None:
        if ended and self._watchdog_ends_it and health == states.GUEST_SHUT_DOWN:
            health = states.WATCHDOG_OFF  # to QEMU that is a shutdown as any other
        if health == states.SAVED:
            self._find_saved()
        with self._lock:
            news = health != self._health
            self._health = health
            self._changes += 1
            if ended:
                self._run_ended, self._agent = True, None
                self._held.forget()
            health = self._told(health)
            self._lock.notify_all()
            quiet = self._ours > 0 or self._closed
        if news and not quiet:
            self._host.report(self.spec.name, health)

    def _with_libvirt(self, found: tuple[int, int] | None) -> Health:
        """Under the lock: libvirt answered the poll."""
        lives = self._process is not None and not self._process.ended()
        if found is not None and states.is_active(found[0]):
            if lives:
                if found == states.IO_PAUSED:
                    return self._paused_by_io()
                incoming = self._process is not None and self._process.incoming
                return states.of_state(*found, incoming=incoming)
            # Shortly after QEMU's end libvirt still believes in it, and shortly before its start already.
            return self._health if self._run_ended else states.NO_QEMU
        if lives:
            pid = self._process.pid if self._process else 0
            return Health(Condition.UNKNOWN, f"libvirt says that it is off, but QEMU (pid {pid}) runs", running=True)
        if self._run_ended:
            return self._health
        self._run_ended = True
        health = states.of_state(*found) if found else states.NOT_DEFINED
        return _blamed(health) if self._health.condition is Condition.ONLINE else health

    def _without_libvirt(self, scan: qemu.Scan) -> Health:
        """Under the lock: libvirt did not answer, QEMU's process is the witness."""
        if self._process is not None and not self._process.ended():
            why = f"libvirt does not answer; QEMU runs (pid {self._process.pid})"
            if self._process.incoming and self._health == states.NOT_LOOKED_AT:
                # It may be a copy that another node hands over: who calls it online never lets it go on.
                return Health(Condition.UNKNOWN, f"{why}, and nobody knows whether it stands still", running=True)
            return Health(Condition.ONLINE, why, running=True, stands=self._health.stands, halt=self._health.halt)
        if self._run_ended:
            return self._health
        if scan.daemon_runs or scan.dying_qemu:
            return Health(Condition.UNKNOWN, "libvirt does not answer, and no QEMU was seen", running=True)
        if self._health.condition in (Condition.OFFLINE, Condition.FAILED):
            return self._health
        was_online = self._health.condition is Condition.ONLINE
        return states.VANISHED if was_online else Health(Condition.OFFLINE, "no QEMU runs it, and libvirt is gone")


def _blamed(health: Health) -> Health:
    """It ran, it does not run any more, and libvirt gives no reason: nobody meant it so."""
    return states.VANISHED if health in (states.NOT_RUNNING, states.NOT_DEFINED) else health
