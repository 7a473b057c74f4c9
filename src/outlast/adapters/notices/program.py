"""A notice for a program on this node: as JSON on its standard input. Taken is what it ends with 0 for.

It runs as the cluster service does, which is root: so it must be a file that nobody else can change. No shell reads its
arguments, nor anything that a guest or a user could have written.
"""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Mapping

from outlast.core.notices.notice_parameters import words_of
from outlast.core.notices.wording import body
from outlast.model.notice import Notice
from outlast.ports.notices import NotTaken

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_ANSWER = 2000
KILLED_WITHIN_S = 5.0


async def send(parameters: Mapping[str, str], notice: Notice, at_s: float, timeout_s: float) -> str:
    words = words_of(parameters)
    if why := _why_not(words[0]):
        raise NotTaken(f"{words[0]} is not run: {why}")
    environment = {
        "PATH": PATH,
        "OUTLAST_NOTICE": notice.id,
        "OUTLAST_RULE": notice.rule,
        "OUTLAST_CLUSTER": notice.cluster,
        "OUTLAST_SEVERITY": notice.severity.value,
    }
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise NotTaken(f"{words[0]} cannot be run: {error.strerror}") from None
    try:
        code, said = await _talk(process, body(notice))
    except BaseException:
        await _end(process)
        raise
    told = said.decode(errors="replace").strip()
    ended = f"exit code {code}" if code >= 0 else f"signal {-code}"
    answer = f"it ended with {ended}{f': {told}' if told else ''}"
    if code != 0:
        raise NotTaken(answer)
    return answer


def _why_not(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(found.st_mode) or not os.access(path, os.X_OK):
        return "it is no file that can be executed"
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others than root can change it, and it would run as root"
    return ""


async def _talk(process: asyncio.subprocess.Process, content: bytes) -> tuple[int, bytes]:
    """How it ended, and what it said, as far as that is kept."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it does not want to know
        process.stdin.write(content)
        await process.stdin.drain()
        process.stdin.close()
    said = b""
    while chunk := await process.stdout.read(4096):
        said = (said + chunk)[:LONGEST_ANSWER]
    return await process.wait(), said


async def _end(process: asyncio.subprocess.Process) -> None:
    """With all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILLED_WITHIN_S):
            await process.wait()
