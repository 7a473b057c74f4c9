"""How is one VM started, stopped, and forgotten on this node?

What is known about it is `sight`'s business; its rules are the reason for most of what stands here. Nothing is believed
to be off because a call returned: a stop ends with proof, or with an error that says what is missing.

A request that libvirt has not answered (its daemon hangs) may still be carried out later, on what runs then. So nothing
starts while one is outstanding, and `terminate` does not return while a start is. A start that outlives its host, or
the connection, is held back (`starts.py`).
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import libvirt

from outlast.plugin import (
    STAND_STILL,
    CannotStart,
    Condition,
    Destination,
    Finding,
    Health,
    Inquiry,
    Json,
    Progress,
    Refusal,
    SavedState,
    TransferProgress,
    TypeHost,
)
from outlast.resources.vm import definition, qemu, saving, states
from outlast.resources.vm.connection import Link, NoAnswer, Workers, is_loss
from outlast.resources.vm.following import XML_FLAGS, Following
from outlast.resources.vm.guest import Asking, Guest
from outlast.resources.vm.migration import Migration
from outlast.resources.vm.sight import Sight

_CONNECT_S = 5.0
_ASK_S = 1.0
_SETTLE_S = 0.3
"""Twice that, at most: a poll must be answered in time."""
_DESTROY_S = 0.5
"""libvirt's destroy takes 0.2 s; then we kill QEMU ourselves."""
_KILLED_S = 10.0
_GO_ON_S = 5.0
_FAILS_AGAIN_S = 1.0
"""A disk that still fails stops it again at once."""
_CLEARED_S = 5.0
_PROOF_S = 5.0
"""How long a stop looks for proof. A restart of libvirtd is shorter."""
_ASK_GUEST_AGAIN_S = 5.0
"""A guest that is still booting misses the first request."""


Create = Callable[[Any, Callable[[], bool]], None]
"""Has libvirt make a QEMU for a defined domain; what it is called with tells whether a `terminate` has come since."""


class VmDomain:
    """One VM; the plugin API's Resource."""

    def __init__(
        self,
        sight: Sight,
        workers: Workers,
        asking: Asking,
        host: TypeHost,
        on_close: Callable[["VmDomain"], None],
    ) -> None:
        self.sight = sight
        self.spec, self.uuid, self.libvirt_name = sight.spec, sight.uuid, sight.libvirt_name
        self.following = Following(self.spec, self.uuid, self.libvirt_name)
        self._connection = connection = workers.of(self.uuid)
        self._for_starts = workers.starts
        self._sight_connection = sight.connection
        self._migration = Migration(sight, connection)
        self.guest = Guest(self.uuid, self.spec.name, asking, connection, lambda: sight.process)
        self._saving = saving.Saving(sight, connection)
        self._host = host
        self._on_close = on_close
        self._changed = threading.Condition()
        self._creating = False
        """libvirt has a start of ours that it has not answered."""
        self._unanswered = 0
        """Requests to stop that libvirt has not answered."""
        self._terminations = 0

    def health(self) -> Health:
        return self.sight.health()

    def online(self, progress: Progress) -> None:
        if self._migration.stands_here():  # an old copy: what it was handed over for has come to nothing
            self.terminate()
        if not self.sight.alive():
            self._saving.drop_all()
            self._begin(progress, self._create)
        self._leave_starting_to_the_cluster()

    def _begin(self, progress: Progress, create: Create) -> None:
        with self.sight.our_doing():
            given_up = self._given_up_from_here()
            try:
                self._start(progress, given_up, create)
            except _LibvirtLeft:  # Its daemon restarted beneath us, and nothing runs: once more.
                self._start(progress, given_up, create)

    def offline(self, progress: Progress, timeout_s: float) -> None:
        with self.sight.our_doing():
            self.sight.adopt()
            ends_s = time.monotonic() + timeout_s
            while (left_s := ends_s - time.monotonic()) > 0 and self.sight.may_run():
                if self._ask_guest_to_shut_down():
                    progress("asked the guest to shut down")
                if self.sight.wait_for_end(min(left_s, _ASK_GUEST_AGAIN_S)):
                    progress("the guest has shut down")
            if self.sight.may_run():
                progress("the guest did not shut down in time; switching it off")
            # Also after an orderly end: it returns with proof, and when libvirt is done with the VM.
            self.terminate()

    def terminate(self) -> None:
        with self.sight.our_doing():
            self._terminations += 1
            self._stop_with_proof()

    def save(self, stop: str, directory: str, progress: Progress) -> SavedState:
        return self._saving.save(stop, directory, progress)

    def restore(self, state: SavedState, progress: Progress) -> None:
        if self._migration.stands_here():
            self.terminate()
        if self.sight.alive():
            return  # somebody was quicker, and the state is of the past
        if why := self._saving.why_not(state):
            raise CannotStart(why)

        def create(domain: Any, given_up: Callable[[], bool]) -> None:
            if not given_up():
                saving.load(state, self._saving.use_up, self.uuid, domain)

        try:
            self._begin(progress, create)
        except CannotStart as error:
            self._stop_with_proof()  # it may stand here, loaded
            if not os.path.exists(state.path):
                raise RuntimeError(f"{error}; its state is used up") from error
            raise
        self._leave_starting_to_the_cluster()

    def hand_over(self, to: Destination, progress: TransferProgress) -> None:
        self._migration.hand_over(to, progress)

    def call_back(self) -> None:
        self._migration.call_back()

    def take_up(self, progress: Progress) -> None:
        self._migration.take_up(progress)
        self._keep_here()
        self._leave_starting_to_the_cluster()

    def inquire(self, inquiry: Inquiry) -> Finding:
        return self.guest.inquire(inquiry)

    def reset(self) -> None:
        self.guest.reset()

    def go_on(self) -> None:
        def resume(conn: Any) -> None:
            domain = conn.lookupByUUIDString(self.uuid)
            if tuple(domain.state()) == states.IO_PAUSED:  # else somebody else has a hand in it
                domain.resume()

        with self.sight.our_doing():  # until it is known how it went
            try:
                self._connection.ask(resume, _GO_ON_S)
            except (libvirt.libvirtError, NoAnswer) as error:
                raise Refusal(f'cannot let "{self.spec.name}" go on: {error}') from error
            time.sleep(_FAILS_AGAIN_S)
        self.sight.tell(self.sight.health())

    def _keep_here(self) -> None:
        """What came by `virsh migrate` without --persistent, or by `virsh create`, has no definition here yet."""

        def define(conn: Any) -> None:
            domain = conn.lookupByUUIDString(self.uuid)
            if not domain.isPersistent():
                with self.following.lock:
                    self.following.defined(conn.defineXML(self.spec.definition).XMLDesc(XML_FLAGS))

        try:
            self._connection.ask(define, _ASK_S)
        except (libvirt.libvirtError, NoAnswer) as error:
            self._host.log(f'"{self.libvirt_name}" runs and is not defined on this node: {error}')

    def forget(self) -> None:
        if self.sight.alive():
            raise RuntimeError(f'cannot forget "{self.spec.name}": it runs on this node; take it offline first')
        if not self._disarm(_ASK_S):
            raise RuntimeError(f'cannot forget "{self.spec.name}": {states.START_MAY_COME.why}')
        with self.sight.our_doing():
            try:
                self._connection.ask(self._undefine, _CLEARED_S)
            except NoAnswer as error:
                raise RuntimeError(f'cannot forget "{self.spec.name}": {error}; try again when it does') from error
            self.following.forgotten()
            self.sight.saw(states.NOT_DEFINED, ended=True)

    def settle(self) -> bool:
        """See to it that a start that may still come starts nothing: else nobody could ever tell that nothing runs.
        False when libvirt does not let it."""
        if not self.sight.starts.may_come or self.sight.busy:
            return True
        self.sight.starts.look()
        if not self.sight.starts.may_come or self.sight.alive():
            return True
        self.sight.forget_proof()
        return self._disarm(_SETTLE_S)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == STAND_STILL:
            self._migration.stand_still()
            return None
        if verb != "console":
            raise Refusal(f'a VM cannot "{verb}"; it can: console')
        try:
            xml = self._connection.ask(lambda conn: conn.lookupByUUIDString(self.uuid).XMLDesc(0), _ASK_S)
            return definition.console(xml)
        except (libvirt.libvirtError, NoAnswer) as error:
            raise Refusal(f'cannot tell how to reach the console of "{self.spec.name}": {error}') from error

    def close(self) -> None:
        self._on_close(self)
        self.sight.close()

    # -- starting ----------------------------------------------------------------------------------------------

    def _given_up_from_here(self) -> Callable[[], bool]:
        """Whether a `terminate` has come since."""
        terminations = self._terminations
        return lambda: self._terminations != terminations

    def _start(self, progress: Progress, given_up: Callable[[], bool], create: Create) -> None:
        self._must_have_answered()
        with contextlib.ExitStack() as until_started:
            try:
                link = until_started.enter_context(self._for_starts.lent(_CONNECT_S))
            except NoAnswer as error:
                raise CannotStart(f'cannot start "{self.spec.name}": {error}') from error
            self._start_by(link, progress, given_up, create)

    def _start_by(self, link: Link, progress: Progress, given_up: Callable[[], bool], create: Create) -> None:
        conn = link.conn
        if (process := qemu.find(self.uuid, self.libvirt_name)) is not None:
            self.sight.take(process)  # Started by somebody else, or unknown to libvirt: a second one must never start.
            self.sight.saw(states.ONLINE)
            return
        self.sight.a_start_begins()
        starts = self.sight.starts
        try:
            answered = starts.begin(link.daemons)
        except OSError as error:
            raise CannotStart(f'cannot start "{self.spec.name}": it cannot be noted on this node: {error}') from error
        self._creating = True
        try:
            with self.following.lock:
                self._give_up_another_name(conn)
                domain = conn.defineXML(self.spec.definition)
                self.following.defined(domain.XMLDesc(XML_FLAGS))
            progress("defined")
            create(domain, given_up)
            answered()
        except libvirt.libvirtError as error:
            if not is_loss(error):
                answered()
            self._creating = False
            starts.over()
            self._start_failed(error)
        except (CannotStart, RuntimeError):  # libvirt had answered the start itself
            answered()
            raise
        finally:
            self._creating = False
            starts.over()
        self.sight.adopt()
        if given_up():
            self._stop_with_proof()
            raise CannotStart(f'"{self.spec.name}" was terminated while it started')
        progress("started")
        self.sight.saw(states.ONLINE)

    def _give_up_another_name(self, conn: Any) -> None:
        """`virsh domrename`: libvirt defines nothing with the UUID of what has another name."""
        with contextlib.suppress(libvirt.libvirtError):
            domain = conn.lookupByUUIDString(self.uuid)
            if domain.name() != self.libvirt_name and not domain.isActive():
                self._host.log(f'"{domain.name()}" was renamed here; it is defined as "{self.libvirt_name}" again')
                self._undefine(conn)

    def _must_have_answered(self) -> None:
        """Raises `CannotStart` while libvirt has something left to carry out for this VM."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._unanswered == 0, _CLEARED_S):
                raise CannotStart(
                    f'cannot start "{self.spec.name}": libvirt has not answered an earlier request to stop it, '
                    "and would carry it out on the new run"
                )

    def _create(self, domain: Any, given_up: Callable[[], bool]) -> None:
        """Start it; when libvirt has not yet cleared away the last run, as soon as it has."""
        ends_s = time.monotonic() + _CLEARED_S
        while not given_up():
            try:
                # libvirt would go on from what may be older than the disks by now; we do where it is not (restore).
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT)
            except libvirt.libvirtError as error:
                runs_already = error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID and domain.isActive()
                if not runs_already or time.monotonic() > ends_s:
                    raise
                if self.sight.adopt():
                    return
                time.sleep(0.01)
            else:
                return

    def _start_failed(self, error: libvirt.libvirtError) -> None:
        """`CannotStart` promises that nothing runs, so that must be known."""
        words = f'cannot start "{self.spec.name}": {error}'
        if is_loss(error):
            try:
                self._stop_with_proof()
            except RuntimeError as doubt:
                raise RuntimeError(f"{words}; and whether it runs cannot be told: {doubt}") from error
            raise _LibvirtLeft(words) from error
        self.sight.saw(Health(Condition.FAILED, str(error)), ended=True)
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

    # -- stopping ----------------------------------------------------------------------------------------------

    def _ask_guest_to_shut_down(self) -> bool:
        try:
            # No flags: the guest agent when it answers, else ACPI. A request that hangs does not hold up the rest.
            self._request(lambda conn: conn.lookupByUUIDString(self.uuid).shutdown(), _ASK_S)
        except (libvirt.libvirtError, NoAnswer):
            return False  # It is asked again, and in the end switched off.
        return True

    def _stop_with_proof(self) -> None:
        """Stop it by force; raises when there is no proof that nothing runs."""
        ends_s = time.monotonic() + _PROOF_S
        while doubt := self._stop_once():
            if time.monotonic() > ends_s:
                raise RuntimeError(f'cannot prove that "{self.spec.name}" is off: {doubt}')
            time.sleep(0.02)
        self.sight.saw(states.STOPPED_BY_US, ended=True)

    def _stop_once(self) -> str:
        """Why this attempt proves nothing; empty when it does."""
        creating = self._creating
        disarmed = self._disarm(_ASK_S)
        self.sight.adopt()
        answered = self._destroy()
        killed = self._kill_process()
        if creating and (answered or not killed):
            # It may make a QEMU after we have looked. (One that hangs and whose QEMU is dead makes no second one.)
            return "libvirt does not end the start that is under way; restart libvirtd on this node"
        if not disarmed:
            return f"{states.START_MAY_COME.why}; restart libvirtd on this node"
        if answered or killed:
            return ""
        if self._libvirt_holds_a_dead_run():
            return ""
        scan = qemu.scan()
        if scan.daemon_runs or scan.dying_qemu or self.uuid in scan.qemu:
            return "libvirt does not answer and could still start it; restart libvirtd on this node"
        return ""

    def _disarm(self, timeout_s: float) -> bool:
        """True when no start that was asked for earlier can come any more, or can start anything when it does."""
        held = self.sight.starts.look()
        if not self.sight.starts.may_come:
            return True
        if held.by_others or held.starts > 1:
            return False

        def define(conn: Any) -> None:
            name = self.libvirt_name
            with contextlib.suppress(libvirt.libvirtError):
                name = conn.lookupByUUIDString(self.uuid).name()
            conn.defineXML(definition.inert(self.spec.definition, name, self.uuid))

        try:
            self._request(define, timeout_s)  # Nothing is started before it is answered: it would hit that start.
        except (libvirt.libvirtError, NoAnswer) as error:
            self._host.log(f'"{self.libvirt_name}": a start that may still come is not held back: {error}')
            return False
        self.sight.starts.disarmed()
        return True

    def _libvirt_holds_a_dead_run(self) -> bool:
        """libvirt says that it runs, and its pid file names a process that has ended.

        So libvirt 9.0 stays, even through a restart, when it was killed during a start and QEMU ended before it came
        back: no stop is carried out any more, but no second QEMU is made for a run either.
        """

        def run_number(conn: Any) -> int:
            return int(conn.lookupByUUIDString(self.uuid).ID())

        try:
            before = self._sight_connection.ask(run_number, _ASK_S)
            ended = qemu.pid_file_is_stale(self.uuid, self.libvirt_name)
            return ended and before > 0 and self._sight_connection.ask(run_number, _ASK_S) == before
        except (libvirt.libvirtError, NoAnswer):
            return False

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
            self._request(destroy, _DESTROY_S)
        except (libvirt.libvirtError, NoAnswer):
            return False
        return True

    def _request(self, work: Callable[[Any], None], timeout_s: float) -> None:
        """Ask libvirt to stop it, unless it has not answered the last request: more of them would only queue up."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._unanswered == 0, timeout_s):
                raise NoAnswer("libvirt has not answered the last request to stop it")

        def counted(conn: Any) -> None:
            with self._changed:
                self._unanswered += 1
            try:
                work(conn)
            finally:
                with self._changed:
                    self._unanswered -= 1
                    self._changed.notify_all()

        self._connection.ask(counted, timeout_s)

    def _kill_process(self) -> bool:
        """True when there was a process of it, and that has ended."""
        process = self.sight.process or qemu.find(self.uuid, self.libvirt_name)
        if process is None:
            return self.sight.run_ended
        if not process.ended():
            process.kill()
        if not process.ended(_KILLED_S):
            raise RuntimeError(
                f'cannot stop "{self.spec.name}": QEMU (pid {process.pid}) does not even end when it is killed; '
                "it is stuck in the kernel, mostly because its storage does not answer. Fence this node"
            )
        self.sight.drop(process)
        return True

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


class _LibvirtLeft(CannotStart):
    """libvirt's daemon went away during the start. Nothing runs."""
