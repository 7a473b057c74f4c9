"""What an application writes is kept, and bounded.

It writes to the end of one file. Whenever that has grown beyond its limit, the last of it is set aside in a second one,
and the first begins anew. Nothing sits between the two that could end with the resource host.
"""

import os
from contextlib import suppress
from pathlib import Path

_TAIL_BYTES = 4096


class Log:
    def __init__(self, file: Path, limit_bytes: int) -> None:
        self.file = file
        self._limit_bytes = limit_bytes

    def open(self) -> int:
        """A descriptor that appends to it."""
        self.file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def bound(self) -> None:
        """Lines that are written in this very moment may be lost."""
        with suppress(FileNotFoundError):
            if self.file.stat().st_size > self._limit_bytes:
                self.former.write_bytes(_tail(self.file, self._limit_bytes))
                os.truncate(self.file, 0)

    @property
    def former(self) -> Path:
        return self.file.with_name(f"{self.file.name}.1")

    def size(self) -> int:
        with suppress(FileNotFoundError):
            return self.file.stat().st_size
        return 0

    def last_line(self, since: int = 0) -> str:
        """Of what was written after `since` bytes."""
        lines = self.tail(1, since)
        return lines[-1] if lines else ""

    def tail(self, lines: int, since: int = 0) -> list[str]:
        with suppress(FileNotFoundError):
            length = max(0, self.file.stat().st_size - since)
            text = _tail(self.file, min(length, lines * _TAIL_BYTES)).decode(errors="replace")
            return [line for line in text.splitlines() if line.strip()][-lines:]
        return []


def _tail(file: Path, most_bytes: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - most_bytes))
        return opened.read(most_bytes)
