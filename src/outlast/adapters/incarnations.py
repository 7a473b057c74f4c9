"""Which machine is this, and which life of it? One small file each.

The life's file lies under /run, which is empty after a boot: when it is gone, everything that ran is gone too.
"""

import hashlib
import os
import uuid
from pathlib import Path


class FileIncarnations:
    def __init__(self, run_dir: Path, state_dir: Path) -> None:
        self._life = run_dir / "incarnation"
        self._member = run_dir / "member"
        self._stops = run_dir / "stops"
        self._machine = state_dir / "machine"

    def machine(self) -> str:
        try:
            return self._machine.read_text().strip()
        except FileNotFoundError:
            _write(self._machine, uuid.uuid4().hex, durable=True)
            return self._machine.read_text().strip()

    def load(self) -> str:
        try:
            return self._life.read_text().strip()
        except FileNotFoundError:
            return ""

    def store(self, incarnation: str) -> None:
        _write(self._life, incarnation, durable=False)

    def member_began(self) -> bool:
        return self._member.exists()

    def note_member_began(self) -> None:
        _write(self._member, "the member of the database was started in this life of the machine", durable=False)

    def stop_of(self, resource: str) -> str:
        try:
            return self._stop(resource).read_text().strip()
        except FileNotFoundError:
            return ""

    def note_stop(self, resource: str, word: str) -> None:
        if word:
            _write(self._stop(resource), word, durable=False)
        else:
            self._stop(resource).unlink(missing_ok=True)

    def _stop(self, resource: str) -> Path:
        # A VM may have any name, and a long one.
        return self._stops / f"{hashlib.sha256(resource.encode()).hexdigest()}.stop"


def _write(path: Path, text: str, *, durable: bool) -> None:
    """Whole or not at all."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text + "\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())
    new.rename(path)
