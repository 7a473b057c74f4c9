"""What happens to one VM on this node, and how is that told?

Two witnesses speak about a VM: libvirt (events, and the poll of all VMs) and QEMU's process (its pidfd). The rules:

1. Nothing runs only on proof: QEMU's process has ended, or libvirt answers that it is off and no process has its UUID.
2. While QEMU's process lives, the VM is online, however silent libvirt is.
3. When QEMU's process ends in a way that nobody can have meant (killed, crashed), that is told at once. Otherwise
   libvirt's word is waited for, a moment: an administrator's `virsh destroy` must not be healed.
4. What we stop ourselves is told by the call's return, never as somebody else's doing.

`_lock` guards the fields; libvirt is never called under it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import libvirt

from outlast.plugin import CannotStart, Condition, Health, Json, Progress, Refusal, Spec, TypeHost
from outlast.resources.vm import definition, qemu, states
from outlast.resources.vm.connection import Connection, NoAnswer, is_loss

_CONNECT_S = 5.0
_ASK_S = 1.0
_DESTROY_S = 0.5
"""libvirt's destroy takes 0.2 s; then we kill QEMU ourselves."""
_KILLED_S = 10.0
_CLEARED_S = 5.0
_WORD_S = 1.0
"""How long libvirt may take to say why QEMU ended; normally 0.2 s."""
_ASK_GUEST_AGAIN_S = 5.0
"""A guest that is still booting misses the first request."""

Snapshot = Mapping[str, tuple[int, int]]
"""UUID -> libvirt's state and reason, of every VM that libvirt knows on this node."""


class VmDomain:
    """One VM; the plugin API's Resource."""

    def __init__(
        self,
        spec: Spec,
        uuid: str,
        connection: Connection,
        watch: qemu.Watch,
        host: TypeHost,
        on_close: Callable[["VmDomain"], None],
    ) -> None:
        self.spec = spec
        self.uuid = uuid
        self.libvirt_name = definition.name_of(spec.definition)
        self._connection = connection
        self._watch = watch
        self._host = host
        self._on_close = on_close
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

    # -- the plugin API ----------------------------------------------------------------------------------------

    def health(self) -> Health:
        with self._lock:
            return self._health

    def online(self, progress: Progress) -> None:
        if self.alive():
            self._leave_starting_to_the_cluster()
            return
        with self._our_doing():
            self._start(progress)
        self._leave_starting_to_the_cluster()

    def offline(self, progress: Progress, timeout_s: float) -> None:
        with self._our_doing():
            self._adopt()
            ends_s = time.monotonic() + timeout_s
            while (left_s := ends_s - time.monotonic()) > 0 and self._may_run():
                if self._ask_guest_to_shut_down():
                    progress("asked the guest to shut down")
                if self._wait_for_end(min(left_s, _ASK_GUEST_AGAIN_S)):
                    progress("the guest has shut down")
        if self._may_run():
            progress("the guest did not shut down in time; switching it off")
        # Also after an orderly end: it returns with proof, and when libvirt is done with the VM.
        self.terminate()

    def terminate(self) -> None:
        with self._our_doing():
            self._adopt()
            answered = self._destroy()
            killed = self._kill_process()
            if not answered and not killed:
                self._prove_without_libvirt()
            self._saw(states.STOPPED_BY_US, ended=True)

    def forget(self) -> None:
        if self.alive():
            raise RuntimeError(f'cannot forget "{self.spec.name}": it runs on this node; take it offline first')
        with self._our_doing():
            try:
                self._connection.ask(self._undefine, _CLEARED_S)
            except NoAnswer as error:
                raise RuntimeError(f'cannot forget "{self.spec.name}": {error}; try again when it does') from error
            self._saw(states.NOT_DEFINED, ended=True)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb != "console":
            raise Refusal(f'a VM cannot "{verb}"; it can: console')
        try:
            xml = self._connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).XMLDesc(0), _ASK_S)
            return definition.console(xml)
        except (libvirt.libvirtError, NoAnswer) as error:
            raise Refusal(f'cannot tell how to reach the console of "{self.spec.name}": {error}') from error

    def close(self) -> None:
        self._on_close(self)
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process:
            self._watch.remove(process)
            process.close()

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
        self._adopt(scan)
        with self._lock:
            if self._ours or (since is not None and since != self._changes):
                return self._health
            if snapshot is None:
                health = self._without_libvirt(scan or qemu.scan())
            else:
                health = self._with_libvirt(snapshot.get(self.uuid))
            self._health = health
            return health

    def tell(self, health: Health) -> None:
        """Report what a look has found."""
        self._host.report(self.spec.name, health)

    def on_event(self, event: int, detail: int) -> None:
        """A lifecycle event of libvirt, in its event thread."""
        match event:
            case libvirt.VIR_DOMAIN_EVENT_STARTED:
                with self._lock:
                    self._run_ended = False
                    self._shutdown_detail = None
                    self._stop_detail = None
                self._adopt()
                self._saw(states.ONLINE)
            case libvirt.VIR_DOMAIN_EVENT_RESUMED if not self._run_ended:
                self._saw(states.ONLINE)
            case libvirt.VIR_DOMAIN_EVENT_SUSPENDED if not self._run_ended:
                self._saw(states.of_suspension(detail))
            case libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED if not self._run_ended:
                self._saw(states.of_state(libvirt.VIR_DOMAIN_PMSUSPENDED, 0))
            case libvirt.VIR_DOMAIN_EVENT_SHUTDOWN:
                if self._shutdown_detail is None:  # libvirt then ends QEMU, which says so again.
                    self._shutdown_detail = detail
            case libvirt.VIR_DOMAIN_EVENT_CRASHED:
                self._on_panic(detail)
            case libvirt.VIR_DOMAIN_EVENT_STOPPED:
                self._on_stopped(detail)

    def _on_panic(self, detail: int) -> None:
        on_crash = definition.on_crash(self.spec.definition)
        if detail == libvirt.VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED or "restart" in on_crash:
            self._saw(states.RECOVERING)
        elif on_crash == "preserve":
            self._saw(states.PANICKED)
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
            self._saw(health, ended=True)

    def _on_process_end(self, process: qemu.Process) -> None:
        """In the watch's thread."""
        status = qemu.how_it_ended(process)
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            process.close()
            if self._run_ended:
                return  # libvirt's event was quicker.
            detail = self._stop_detail
        by_guest = self._shutdown_detail == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
        health = states.of_end(status, guest_shut_down=by_guest)
        if health is None and detail is not None:
            health = states.of_stop(detail, ended_by_host=self._ended_by_host)
        if health:
            self._saw(health, ended=True)
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
            state, reason = self._connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).state(), _ASK_S)
            if not states.is_active(state):
                health = _blamed(states.of_state(state, reason))
        with self._lock:
            if self._changes != before:
                return
        self._saw(health, ended=True)

    def _saw(self, health: Health, *, ended: bool = False) -> None:
        with self._lock:
            news = health != self._health
            self._health = health
            self._changes += 1
            if ended:
                self._run_ended = True
            self._lock.notify_all()
            quiet = self._ours > 0 or self._closed
        if news and not quiet:
            self._host.report(self.spec.name, health)

    def _with_libvirt(self, found: tuple[int, int] | None) -> Health:
        """Under the lock: libvirt answered the poll."""
        lives = self._process is not None and not self._process.ended()
        if found is not None and states.is_active(found[0]):
            # Shortly after QEMU's end libvirt still believes in it.
            return self._health if self._run_ended and not lives else states.of_state(*found)
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
            return Health(Condition.ONLINE, why, running=True)
        if self._run_ended:
            return self._health
        if scan.daemon_runs or scan.dying_qemu:
            return Health(Condition.UNKNOWN, "libvirt does not answer, and no QEMU was seen", running=True)
        if self._health.condition in (Condition.OFFLINE, Condition.FAILED):
            return self._health
        was_online = self._health.condition is Condition.ONLINE
        return states.VANISHED if was_online else Health(Condition.OFFLINE, "no QEMU runs it, and libvirt is gone")

    # -- what is done ------------------------------------------------------------------------------------------

    def _start(self, progress: Progress) -> None:
        try:
            conn = self._connection.get(_CONNECT_S)
        except NoAnswer as error:
            raise CannotStart(f'cannot start "{self.spec.name}": {error}') from error
        if (process := qemu.find(self.uuid, self.libvirt_name)) is not None:
            self._take(process)  # Started by somebody else, or unknown to libvirt: a second one must never start.
            self._saw(states.ONLINE)
            return
        with self._lock:
            self._run_ended = False
            self._shutdown_detail = None
            self._stop_detail = None
        try:
            domain = conn.defineXML(self.spec.definition)
            progress("defined")
            self._create(domain)
        except libvirt.libvirtError as error:
            self._start_failed(error)
        progress("started")
        self._adopt()
        self._saw(states.ONLINE)

    def _create(self, domain: Any) -> None:
        """Start it; when libvirt has not yet cleared away the last run, as soon as it has."""
        ends_s = time.monotonic() + _CLEARED_S
        while True:
            try:
                # A saved state that lies here may be older than what another node did to the disks since.
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT)
            except libvirt.libvirtError as error:
                runs_already = error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID and domain.isActive()
                if not runs_already or time.monotonic() > ends_s:
                    raise
                if self._adopt():
                    return
                time.sleep(0.01)
            else:
                return

    def _start_failed(self, error: libvirt.libvirtError) -> None:
        """`CannotStart` promises that nothing runs, so that must be known."""
        words = f'cannot start "{self.spec.name}": {error}'
        if is_loss(error):
            try:
                self.terminate()
            except RuntimeError as doubt:
                raise RuntimeError(f"{words}; and whether it runs cannot be told: {doubt}") from error
        self._saw(Health(Condition.FAILED, f"{error}"), ended=True)
        raise CannotStart(words) from error

    def _leave_starting_to_the_cluster(self) -> None:
        """libvirt's autostart would start it after a boot without asking who owns it."""

        def switch_off(conn: Any) -> None:
            domain = conn.lookupByUUIDString(self.uuid)
            if domain.isPersistent() and domain.autostart():
                domain.setAutostart(0)
                self._host.log(f'"{self.libvirt_name}": libvirt\'s autostart switched off, the cluster starts it')

        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            self._connection.ask(switch_off, _ASK_S)

    def _ask_guest_to_shut_down(self) -> bool:
        try:
            # No flags: the guest agent when it answers, else ACPI. A request that hangs does not hold up the rest.
            self._connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).shutdown(), _ASK_S)
        except (libvirt.libvirtError, NoAnswer):
            return False  # It is asked again, and in the end switched off.
        return True

    def _destroy(self) -> bool:
        """True when libvirt answered that it is off."""

        def destroy(conn: Any) -> None:
            try:
                conn.lookupByUUIDString(self.uuid).destroy()
            except libvirt.libvirtError as error:
                off = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
                if error.get_error_code() not in off:
                    raise

        try:
            self._connection.ask(destroy, _DESTROY_S)
        except (libvirt.libvirtError, NoAnswer):
            return False
        return True

    def _kill_process(self) -> bool:
        """True when there was a process of it, and that has ended."""
        with self._lock:
            process = self._process
        process = process or qemu.find(self.uuid, self.libvirt_name)
        if process is None:
            return self._run_ended
        if not process.ended():
            process.kill()
        if not process.ended(_KILLED_S):
            raise RuntimeError(
                f'cannot stop "{self.spec.name}": QEMU (pid {process.pid}) does not even end when it is killed; '
                "it is stuck in the kernel, mostly because its storage does not answer. Fence this node"
            )
        self._drop(process)
        return True

    def _prove_without_libvirt(self) -> None:
        scan = qemu.scan()
        if scan.daemon_runs or scan.dying_qemu or self.uuid in scan.qemu:
            raise RuntimeError(
                f'cannot prove that "{self.spec.name}" is off: libvirt does not answer and could still start it; '
                "restart libvirtd on this node"
            )

    def _undefine(self, conn: Any) -> None:
        """Everything but what holds the guest's own state: NVRAM and TPM may be the only copy."""
        try:
            domain = conn.lookupByUUIDString(self.uuid)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return
            raise
        if domain.isActive():
            raise RuntimeError(f'cannot forget "{self.spec.name}": libvirt says that it runs; take it offline first')
        flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_KEEP_TPM
        domain.undefineFlags(flags)

    # -- the process -------------------------------------------------------------------------------------------

    def _may_run(self) -> bool:
        return self.alive() or not self._run_ended

    def _wait_for_end(self, within_s: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: self._run_ended, within_s)

    def _adopt(self, scan: qemu.Scan | None = None) -> bool:
        """Hold on to QEMU's process, if there is one: by its pid file, or where a scan has seen it."""
        if self.alive():
            return True
        process = qemu.find_by_pid_file(self.uuid, self.libvirt_name)
        if process is None and scan is not None and self.uuid in scan.qemu:
            process = qemu.find(self.uuid, self.libvirt_name)
        if process is None:
            return False
        self._take(process)
        return True

    def _take(self, process: qemu.Process) -> None:
        with self._lock:
            known = self._process
            if self._closed or (known is not None and not known.ended()):
                process.close()
                return
            self._process = process
            self._run_ended = False
        if known:
            self._watch.remove(known)
            known.close()
        self._watch.add(process, self._on_process_end)

    def _drop(self, process: qemu.Process) -> None:
        """It has ended, and we know."""
        with self._lock:
            if self._process is not process:
                return
            self._process = None
        self._watch.remove(process)
        process.close()

    @contextlib.contextmanager
    def _our_doing(self) -> Iterator[None]:
        with self._lock:
            self._ours += 1
        try:
            yield
        finally:
            with self._lock:
                self._ours -= 1


def _blamed(health: Health) -> Health:
    """It ran, it does not run any more, and libvirt gives no reason: nobody meant it so."""
    return states.VANISHED if health in (states.NOT_RUNNING, states.NOT_DEFINED) else health
