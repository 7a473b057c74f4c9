"""Runs a module of ours in a process of its own, for what may hang, break or be large: the cluster service goes on, and
has the memory back. What it shall do goes in by its standard input, where nobody else can read it, and what comes of it
comes out as one JSON document.
"""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_ANSWER = 1024 * 1024
KILLED_WITHIN_S = 2.0
WORDS_KEPT = 300


class Broke(Exception):
    """It could not be started, or ended without an answer; the text says how, for people."""


async def answer_of(command: tuple[str, ...], question: bytes) -> bytes:
    """Raises `Broke`. Bounded by whoever asks: one that is not waited for any more is killed with its children."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": PATH, "LANG": "C.UTF-8", **_proxies()},
            cwd="/",
            start_new_session=True,
            limit=LONGEST_ANSWER,
        )
    except OSError as error:
        raise Broke(f"{command[0]} cannot be started: {error.strerror}") from None
    try:
        answer, said = await process.communicate(question)
    except BaseException:
        await _end(process)
        raise
    if process.returncode or not answer:
        last = said.decode(errors="replace").strip().rpartition("\n")[2][:WORDS_KEPT]
        raise Broke(f"it ended with {_ending(process.returncode or 0)}{f': {last}' if last else ''}")
    return answer


def module(name: str) -> tuple[str, ...]:
    """The command that runs it. What lies in the working directory or the environment is not imported."""
    return (sys.executable, "-P", "-m", name)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """With all that it has started, also what is no part of its process group any more."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)  # so that nothing is started while we look
    for pid in (process.pid, *_below(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(
        TimeoutError
    ):  # it may be stuck in the kernel, which ends it when it comes back from there
        async with asyncio.timeout(KILLED_WITHIN_S):
            await process.wait()


def _below(pid: int) -> list[int]:
    try:
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [one for child in children for one in (child, *_below(child))]


def _proxies() -> dict[str, str]:
    """By which the service itself would reach what is outside."""
    return {
        name: value for name, value in os.environ.items() if name.lower() in ("https_proxy", "http_proxy", "no_proxy")
    }
