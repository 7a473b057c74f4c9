"""Which starts of a VM may libvirt still hold, although nobody waits for them any more?

libvirtd carries out what a client has asked for also when that client is gone: what it had not read while it hung, what
waited for a free worker. Meanwhile it says of the VM that it is not running, and stops of it come first. So before a
start is asked for, a note of it is left on this node (below /run: power takes both), and taken away with libvirt's
answer. A note that nobody takes away says: a start may still come, as long as the daemon lives that was asked.

Until then it is *disarmed*: libvirt's own definition of the VM is replaced by one that cannot start. Whatever start is
carried out later, starts nothing; one that had begun before makes the VM active, and that is seen. Of two such starts
one may define the VM anew for the other, so then only the daemon's end is proof.
"""

import contextlib
import os
import uuid as uuids
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

from outlast.resources.vm import qemu
from outlast.resources.vm.qemu import ProcessId

NOTES = Path("/run/outlast-vm-starts")
_DISARMED = "disarmed"


class _Note(msgspec.Struct, frozen=True):
    host: ProcessId
    """Who asks."""
    daemons: tuple[ProcessId, ...]
    """Who may have been asked. Empty: nobody knows."""


class Held(NamedTuple):
    """What may still come."""

    starts: int
    by_others: bool
    """A host that lives waits for one of them, and may do more when it is answered."""


def clear_away() -> None:
    """What nobody could carry out any more, also of VMs that are elsewhere by now."""
    with contextlib.suppress(OSError):
        for uuid in {path.name.partition(".")[0] for path in NOTES.iterdir()}:
            Starts(uuid)


class Starts:
    """The starts of one VM. `may_come` costs nothing; what it says is as old as the last `look`."""

    def __init__(self, uuid: str) -> None:
        self.may_come = False
        self._uuid = uuid
        self._me = qemu.process_id(os.getpid())
        self._waited_for: Path | None = None
        self.look()

    def begin(self, daemons: Collection[ProcessId]) -> Callable[[], None]:
        """Before libvirt is asked for anything of a start: one of these daemons. Raises `OSError`. Call what it returns
        when libvirt has answered, whatever it said."""
        assert self._me is not None
        NOTES.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = NOTES / f"{self._uuid}.{uuids.uuid4().hex}"
        self._waited_for = note
        new = note.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(_Note(self._me, tuple(sorted(daemons)))))
        new.rename(note)
        self._path_of(_DISARMED).unlink(missing_ok=True)
        return lambda: note.unlink(missing_ok=True)

    def over(self) -> None:
        """Nobody waits any more for what was begun here last."""
        self._waited_for = None
        self.look()

    def disarmed(self) -> None:
        """libvirt has a definition of it now that cannot start."""
        with contextlib.suppress(OSError):  # Then it is done once more.
            self._path_of(_DISARMED).touch()
        self.may_come = False

    def look(self) -> Held:
        held = [note for path in self._notes() if (note := self._standing(path)) is not None]
        if not held and self._waited_for is None:
            self._path_of(_DISARMED).unlink(missing_ok=True)
        self.may_come = bool(held) and not self._path_of(_DISARMED).exists()
        others = [note.host for note in held if note.host != self._me]
        return Held(len(held), any(qemu.process_id(host.pid) == host for host in others))

    def _notes(self) -> list[Path]:
        try:
            names = os.listdir(NOTES)
        except FileNotFoundError:
            return []
        mine = [NOTES / name for name in names if name.startswith(f"{self._uuid}.") and not name.endswith(".new")]
        return [path for path in mine if path not in (self._waited_for, self._path_of(_DISARMED))]

    def _standing(self, path: Path) -> _Note | None:
        """None: it was answered, or nobody is left who could carry it out."""
        try:
            note = msgspec.json.decode(path.read_bytes(), type=_Note)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return _Note(ProcessId(0, 0), ())
        if note.daemons and not any(qemu.process_id(daemon.pid) == daemon for daemon in note.daemons):
            path.unlink(missing_ok=True)
            return None
        return note

    def _path_of(self, what: str) -> Path:
        return NOTES / f"{self._uuid}.{what}"
