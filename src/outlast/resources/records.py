"""What does a resource type remember on its node of what it started? One small file for each resource.

The host that wrote it may be killed at any moment, so a file is whole or not there.
"""

import os
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class Records(Generic[T]):
    def __init__(self, directory: Path, kind: type[T]) -> None:
        self.directory = directory
        self._kind = kind

    def path(self, name: str) -> Path:
        return self.directory / f"{urllib.parse.quote(name, safe='')}.json"

    def read(self, name: str) -> T | None:
        """Raises ValueError when there is one that cannot be read: nobody knows then what runs."""
        return self._read(self.path(name))

    def write(self, name: str, record: T) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.path(name)
        new = file.with_suffix(".new")
        with new.open("wb") as out:
            out.write(msgspec.json.encode(record))
            out.flush()
            os.fsync(out.fileno())
        new.rename(file)

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self.path(name).unlink()

    def everything(self) -> Iterator[tuple[str, T]]:
        """Raises ValueError as `read`."""
        for file in sorted(self.directory.glob("*.json")):
            if record := self._read(file):
                yield urllib.parse.unquote(file.stem), record

    def _read(self, file: Path) -> T | None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=self._kind)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise ValueError(f"{file} cannot be read ({error})") from error
