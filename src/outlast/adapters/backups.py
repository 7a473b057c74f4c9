"""Where do a node's backups lie? In a directory of root's, each written whole or not at all."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from outlast.ports.backups import Stored


class FileBackups:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def stored(self) -> Sequence[Stored]:
        return await asyncio.to_thread(self._list)

    async def write(self, path: str, data: bytes) -> str:
        return str(await asyncio.to_thread(self._write, self._directory / path, data))

    async def read(self, path: str) -> bytes:
        return await asyncio.to_thread((self._directory / path).read_bytes)

    async def remove(self, path: str) -> None:
        await asyncio.to_thread((self._directory / path).unlink, missing_ok=True)

    def _list(self) -> list[Stored]:
        if not self._directory.is_dir():
            return []
        files = sorted(path for path in self._directory.iterdir() if path.suffix == ".backup")
        return [Stored(str(path), path.stat().st_size) for path in files]

    def _write(self, path: Path, data: bytes) -> Path:
        if path.parent == self._directory:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)
        parent = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
        return path
