"""Is a VM that was started on this node past the cluster made to stand still, until it is known whose it is?

Noted below /run, as power takes the note and the VM: the resource host that comes after this one must not take it for
one that somebody has just paused, and let it stand for ever.
"""

import contextlib
from pathlib import Path

NOTES = Path("/run/outlast-vm-held")


class Held:
    """One VM."""

    def __init__(self, uuid: str) -> None:
        self._note = NOTES / uuid
        self.stands = self._note.exists()

    def begins(self) -> None:
        """Raises `OSError` when it cannot be noted: then it must not be held."""
        NOTES.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._note.touch()
        self.stands = True

    def forget(self) -> None:
        if self.stands:
            self.stands = False
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
