"""How is a program of this node started, stopped, and asked whether it runs? By systemd, or by s6 in the lab.

A supervised program outlives who asked for it. One that was started `once` is not started again by its supervisor when
it ends: for the database's member that is Outlast's own decision each time.
"""

import asyncio
import os
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

ANSWER_S = 15.0
END_S = 5.0
"""How long a program may take to end in order before it is killed."""


class Supervised(Protocol):
    """One program. Raises OSError, with words, when its supervisor does not do what it is asked."""

    async def start_once(self) -> None:
        """Returns when the process has been started. No error when it runs already."""
        ...

    async def start(self) -> None:
        """As `start_once`, and it is started again whenever it ends, also after a boot."""
        ...

    async def stop(self) -> None:
        """Returns when the process is gone; it is not started again, not even after a boot. Safe to repeat."""
        ...

    async def pid(self) -> int:
        """0 when it does not run."""
        ...


class Unit:
    """A unit of systemd."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def start_once(self) -> None:
        await _run("systemctl", "start", self.name)

    async def start(self) -> None:
        await _run("systemctl", "enable", "--now", self.name)

    async def stop(self) -> None:
        # TimeoutStopSec= in the unit sees to one that does not end.
        await _run("systemctl", "stop", self.name)
        if await _answer("systemctl", "is-enabled", self.name) == "enabled":
            await _run("systemctl", "disable", self.name)

    async def pid(self) -> int:
        return int(await _answer("systemctl", "show", "--property=MainPID", "--value", self.name) or "0")


class Service:
    """A service directory of s6, below the one that s6-svscan looks at."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    async def start_once(self) -> None:
        if not await self.pid():
            await _run("s6-svc", "-o", "-wu", "-T", f"{ANSWER_S * 1000:.0f}", self.directory)

    async def start(self) -> None:
        await _run("s6-svc", "-u", "-wu", "-T", f"{ANSWER_S * 1000:.0f}", self.directory)

    async def stop(self) -> None:
        try:
            await _run("s6-svc", "-d", "-wD", "-T", f"{END_S * 1000:.0f}", self.directory)
        except OSError:
            await _run("s6-svc", "-dk", "-wD", "-T", f"{ANSWER_S * 1000:.0f}", self.directory)

    async def pid(self) -> int:
        return max(0, int(await _answer("s6-svstat", "-o", "pid", self.directory) or "0"))


class Sight:
    """Sees cheaply whether a supervised program still runs: the supervisor is asked only when the process has gone."""

    def __init__(self, program: Supervised) -> None:
        self._program = program
        self._process = -1

    async def runs(self) -> bool:
        if self._process >= 0 and not select.select([self._process], [], [], 0)[0]:
            return True
        self._forget()
        pid = await self._program.pid()
        if pid:
            with suppress(ProcessLookupError):
                self._process = os.pidfd_open(pid)
                return True
        return False

    def _forget(self) -> None:
        if self._process >= 0:
            os.close(self._process)
            self._process = -1


def supervised(how: str, program: str) -> Supervised:
    """`how`: "systemd" (the unit `program`.service), or "s6:DIRECTORY", in which the program has its own directory."""
    kind, _, where = how.partition(":")
    if kind == "systemd" and not where:
        return Unit(f"{program}.service")
    if kind == "s6" and where.startswith("/"):
        return Service(str(Path(where) / program))
    raise ValueError(f'"{how}" supervises nothing; it must be "systemd" or "s6:/path/to/service/directories"')


def find() -> str:
    """What supervises programs on this machine, as `supervised` takes it; "" when nothing does that is known here."""
    if Path("/run/systemd/system").is_dir():
        return "systemd"
    if Path("/run/service/.s6-svscan").is_dir():
        return "s6:/run/service"
    return ""


async def _run(*command: str) -> None:
    code, _, words = await _ended(command)
    if code:
        raise OSError(f"{' '.join(command)} failed: {words.strip() or f'exit code {code}'}")


async def _answer(*command: str) -> str:
    _, answer, _ = await _ended(command)
    return answer.strip()


async def _ended(command: Sequence[str]) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(2 * ANSWER_S):
            output, errors = await process.communicate()
    except TimeoutError:
        raise OSError(f"{' '.join(command)} did not end within {2 * ANSWER_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")
