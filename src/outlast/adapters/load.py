"""What has this machine to do, as /proc says, and what had it to do in the last day, as a file of ours says?

The file has a line of 64 bytes for each minute of a day, so it never grows, and a minute is one small write. A line
says by itself when it was, in words that a person can read: `sort /var/lib/outlast/load`.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from outlast.core.load import KEPT, slot
from outlast.model.load import Load, Reading

FILE = "load"
"""In the directory for what a node remembers."""
LINE = 64
"""Bytes. A divisor of every disk's blocks: no line is torn by a power cut."""
SIZE = LINE * KEPT
_IDLE, _IOWAIT, _COUNTED = 3, 4, 8
"""Of /proc/stat's first line: what follows the eighth (guests) is counted among the first ones already."""


class FileLoadRecord:
    def __init__(self, path: Path, proc: Path = Path("/proc")) -> None:
        self._path = path
        self._proc = proc

    def read(self) -> Reading:
        return reading((self._proc / "stat").read_text(), (self._proc / "meminfo").read_text())

    async def kept(self) -> Sequence[Load]:
        return await asyncio.to_thread(self._read)

    async def keep(self, minute: Load) -> None:
        await asyncio.to_thread(self._write, minute)

    def _read(self) -> list[Load]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [minute for line in lines if (minute := _minute(line)) is not None]

    def _write(self, minute: Load) -> None:
        if not self._path.is_file() or self._path.stat().st_size != SIZE:
            self._create()
        with self._path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), _line(minute), slot(minute.at_s) * LINE)

    def _create(self) -> None:
        """Whole, so that a disk that is full later does no harm."""
        new = self._path.with_name(f"{self._path.name}.new")
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new.write_bytes((b" " * (LINE - 1) + b"\n") * KEPT)
        new.rename(self._path)


def reading(stat: str, meminfo: str) -> Reading:
    """Of the texts of /proc/stat and /proc/meminfo. Raises OSError for what no kernel of Linux says."""
    try:
        lines = stat.splitlines()
        ticks = [float(one) for one in lines[0].split()[1 : 1 + _COUNTED]]
        sizes = {key: int(value.split()[0]) for key, _, value in (row.partition(":") for row in meminfo.splitlines())}
        whole = sum(ticks)
        return Reading(
            busy=whole - ticks[_IDLE] - ticks[_IOWAIT],
            whole=whole,
            memory_used_mib=(sizes["MemTotal"] - sizes["MemAvailable"]) // 1024,
            memory_mib=sizes["MemTotal"] // 1024,
            cpus=sum(line.startswith("cpu") for line in lines) - 1,
        )
    except (IndexError, KeyError, ValueError) as error:
        raise OSError(f"/proc/stat and /proc/meminfo do not say what they should: {error!r}") from error


def _line(minute: Load) -> bytes:
    words = (
        f"{minute.at_s} cpu {minute.cpu:.4f} {minute.cpu_peak:.4f} "
        f"MiB {minute.memory_mib} {minute.memory_peak_mib} vms {minute.vms}"
    )
    return f"{words[: LINE - 1]:<{LINE - 1}}\n".encode()


def _minute(line: bytes) -> Load | None:
    """None for an empty line, and for one that is damaged."""
    try:
        at_s, _, cpu, cpu_peak, _, memory_mib, memory_peak_mib, _, vms = line.split()
        found = Load(int(at_s), float(cpu), float(cpu_peak), int(memory_mib), int(memory_peak_mib), int(vms))
    except ValueError:
        return None
    return found if 0.0 <= found.cpu <= found.cpu_peak <= 1.0 else None
