"""How is the state of a running VM saved, and how does it go on from there?

As `virsh save` and `virsh restore` do it, into a file that lies beside the VM's first disk (or in `state_dir`), where
every node that may run the VM can read it. Whether a file is whole libvirt writes into its head, last of all.

The disks must be as they were left, or the guest ruins its file systems: it remembers what it had not written yet. The
cluster lets a state be gone on from once, and drops it when it sees the VM run otherwise. What it does not see (a start
past the cluster while nobody looked), the disks tell: size and time of the last change of those that are files are
noted with the state, and so are its own. A guest that goes on is loaded first, standing still; then the file is taken
away; then it runs.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt

from outlast.plugin import CannotStart, Progress, Refusal, SavedState
from outlast.resources.vm import definition, qemu, states
from outlast.resources.vm.connection import URI, Connection, NoAnswer
from outlast.resources.vm.sight import Sight
from outlast.resources.vm.state_files import MANAGED, MIB, is_whole, stamps, write_through

_ASK_S = 2.0
_LOOKS_S = 0.5
_ENDS_WITHIN_S = 10.0
_DAEMON_BACK_S = 20.0
_BESIDES_MEMORY_MIB = 64
"""Of devices and tables, for the room that is needed."""


class Saving:
    """Of one VM; the savable part of the plugin API's Resource, but for the start itself (`domain.py`)."""

    def __init__(self, sight: Sight, connection: Connection) -> None:
        self._sight = sight
        self._connection = connection
        self._uuid, self._name, self._name_here = sight.uuid, sight.spec.name, sight.libvirt_name

    def save(self, stop: str, directory: str, progress: Progress) -> SavedState:
        path = self._directory(directory) / f"outlast-{self._uuid}-{stop}.state"
        with self._sight.our_doing():
            self._sight.adopt()
            self._await_one_under_way(progress)
            if self._sight.alive():
                self._need_room(path.parent)
                path.unlink(missing_ok=True)
                self._save(path, progress)
            elif not (self._was_saved() and is_whole(path)):
                raise Refusal(f"it does not run, and no state of it was saved for the stop {stop}")
            write_through(path)
            self._sight.saw(states.STOPPED_BY_US, ended=True)
        size_mib = -(-path.stat().st_size // MIB)
        return SavedState(stop, str(path), size_mib, witness=stamps([*self._disks(), str(path)]))

    def why_not(self, state: SavedState) -> str:
        """Why nothing can go on from that state, before anything is tried; "" when it may."""
        if not os.path.exists(state.path):
            return f"{state.path} is not there"
        if not is_whole(Path(state.path)):
            return f"{state.path} is not whole"
        now = stamps(state.witness)
        changed = [path for path, was in state.witness.items() if now.get(path) != was]
        return f"{', '.join(sorted(changed))} was written to since" if changed else ""

    def use_up(self, state: SavedState) -> None:
        """Before anything runs that was loaded from it. Raises `OSError`."""
        if Path(state.path).parent == MANAGED:
            self._throw_away_libvirts_own()
        os.unlink(state.path)
        write_through(Path(state.path).parent)

    def drop_all(self) -> None:
        """It starts from its disks: whatever state of it lies here is of the past."""
        for directory in (self._sight.spec.state_dir, str(MANAGED)):
            with contextlib.suppress(OSError, Refusal):
                for path in self._directory(directory).glob(f"outlast-{self._uuid}-*.state"):
                    path.unlink(missing_ok=True)

    def _throw_away_libvirts_own(self) -> None:
        """The same file, by the name under which libvirt would go on from it with a later start."""
        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            self._connection.ask(lambda conn: conn.lookupByUUIDString(self._uuid).managedSaveRemove(0), _ASK_S)
        if (MANAGED / f"{self._name_here}.save").exists():
            raise OSError(f"libvirt does not throw away what was saved of {self._name} by hand")

    # -- saving ------------------------------------------------------------------------------------------------------

    def _save(self, path: Path, progress: Progress) -> None:
        # A connection of its own: the call lasts as long as the save, and others must not wait behind it.
        try:
            with _told(self._written_mib, progress):
                conn = libvirt.open(URI)
                try:
                    conn.setKeepAlive(5, 3)
                    conn.lookupByUUIDString(self._uuid).saveFlags(str(path), None, libvirt.VIR_DOMAIN_SAVE_RUNNING)
                finally:
                    with contextlib.suppress(libvirt.libvirtError):
                        conn.close()
        except libvirt.libvirtError as error:
            self._find_out(path, str(error))
        self._must_have_ended(path)

    def _await_one_under_way(self, progress: Progress) -> None:
        """A host that died has left it to libvirt."""
        before = 0.0
        while self._sight.alive() and (job := self._job()).get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE:
            if (now := float(job.get("data_processed", 0))) > before:
                before = now
                progress("its state is being saved")
            time.sleep(_LOOKS_S / 10)

    def _job(self) -> dict[str, Any]:
        """What libvirt does with it just now; empty: nothing, or it does not say."""
        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            return self._sight.connection.ask(lambda conn: dict(conn.lookupByUUIDString(self._uuid).jobStats()), _ASK_S)
        return {}

    def _find_out(self, path: Path, why: str) -> None:
        """It did not end well. Raises `Refusal` when it runs on here, and returns when it was saved all the same."""
        ends_s = time.monotonic() + _DAEMON_BACK_S
        while True:
            try:
                state = self._state()
                break
            except (libvirt.libvirtError, NoAnswer) as error:
                if time.monotonic() > ends_s:
                    raise RuntimeError(f"{why}; and whether it runs cannot be told: {error}") from error
                time.sleep(0.1)
        if state == states.IS_SAVED:
            return
        path.unlink(missing_ok=True)
        if not states.is_active(state[0]):
            raise RuntimeError(f"it ended while its state was saved: {why}")
        self._resume_here()
        raise Refusal(why)

    def _resume_here(self) -> None:
        """libvirt may have left it standing still when the save failed."""

        def resume(conn: Any) -> None:
            domain = conn.lookupByUUIDString(self._uuid)
            if tuple(domain.state()) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_SAVE):
                domain.resume()

        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            self._connection.ask(resume, _ASK_S)

    def _must_have_ended(self, path: Path) -> None:
        process = self._sight.process or qemu.find(self._uuid, self._sight.libvirt_name)
        if process is not None:
            if not process.ended(_ENDS_WITHIN_S):
                raise RuntimeError(f"libvirt says that it has been saved, and QEMU (pid {process.pid}) still runs")
            self._sight.drop(process)
        if not is_whole(path):
            raise RuntimeError(f"it ended, and its state in {path} is not whole")

    def _was_saved(self) -> bool:
        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            return self._state() == states.IS_SAVED
        return False

    def _state(self) -> tuple[int, int]:
        state, reason = self._connection.ask(lambda conn: conn.lookupByUUIDString(self._uuid).state(), _ASK_S)
        return state, reason

    def _written_mib(self) -> float:
        return float(self._job().get("data_processed", 0)) / MIB

    # -- where it lies -----------------------------------------------------------------------------------------------

    def _directory(self, directory: str) -> Path:
        if directory:
            if not os.path.isdir(directory):
                raise Refusal(f"its state_dir {directory} is no directory on this node")
            return Path(directory)
        for disk in self._disks():
            return Path(disk).parent
        raise Refusal(
            "it has no disk in a file beside which its state could lie; say where, on storage that all nodes share: "
            f"`outlast resource set {self._name} state_dir=DIRECTORY`"
        )

    def _need_room(self, directory: Path) -> None:
        needs_mib = int(definition.parse(self._sight.spec.definition)["memory_mib"]) + _BESIDES_MEMORY_MIB
        there = os.statvfs(directory)
        has_mib = there.f_bavail * there.f_frsize // MIB
        if has_mib < needs_mib:
            raise Refusal(f"its state may take {needs_mib} MiB, and {directory} has room for {has_mib} MiB")

    def _disks(self) -> list[str]:
        return definition.written_files(self._sight.spec.definition)


def load(state: SavedState, use_up: Callable[[SavedState], None], uuid: str, domain: Any) -> None:
    """Start it from that state: loaded and standing still first. Raises `libvirt.libvirtError` when nothing of it ran,
    and the state is as it was; `RuntimeError` when it is used up, and it may run or not."""
    domain.connect().restoreFlags(state.path, None, libvirt.VIR_DOMAIN_SAVE_PAUSED)
    try:
        use_up(state)
    except OSError as error:
        raise CannotStart(f"{state.path} cannot be taken away, and could be gone on from again: {error}") from error
    try:
        domain.connect().lookupByUUIDString(uuid).resume()
    except libvirt.libvirtError as error:
        raise RuntimeError(f"it was loaded from its state, and does not go on: {error}") from error


@contextlib.contextmanager
def _told(written_mib: Callable[[], float], progress: Progress) -> Iterator[None]:
    """Tells how much is written, as long as it becomes more."""
    ended = threading.Event()

    def tell() -> None:
        before = 0.0
        while not ended.wait(_LOOKS_S):
            if (now := written_mib()) > before:
                before = now
                progress(f"saving its state: {now:.0f} MiB")

    thread = threading.Thread(target=tell, name="saving", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_ASK_S)
