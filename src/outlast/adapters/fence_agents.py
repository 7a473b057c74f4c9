"""Runs fence agents as the distribution ships them: parameters as `key=value` lines on standard input.

Off, then status until it says off: what "reboot" did cannot be verified, and an agent that returned 0 for "off" is
asked again. Status answers 0 for on, 2 for off, anything else for an error.

Agents repeat what they were told when something fails. So the values of secret parameters are taken out of all words
of theirs, also in the forms that they have in addresses and shell commands.
"""

import asyncio
import base64
import json
import os
import re
import shlex
import shutil
import signal
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from outlast.adapters.fence_metadata import parse
from outlast.core.fence.fence_parameters import is_secret
from outlast.model.fence import FenceAgent, FenceDevice, Power
from outlast.ports.fence import FenceFailed

STATUS_ON = 0
STATUS_OFF = 2
STATUS_INTERVAL_S = 0.5
WORDS_KEPT = 300
BROKE_OFF = "Traceback (most recent call last)"
LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+: ")
USAGE_HINT = "Please use '-h' for usage"
SYSTEM_DIRECTORIES = ("/usr/sbin", "/sbin")
"""Where they are, also when the service was started with a PATH of users only."""


class FenceAgents:
    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s):
                code, words = await _act(device, "off")
                if code != 0:
                    raise FenceFailed(f"it could not switch {node} off: {words or f'exit code {code}'}")
                while True:
                    if await self._power(node, device) is Power.OFF:
                        return f"{node} is off"
                    await asyncio.sleep(STATUS_INTERVAL_S)
        except TimeoutError:
            raise FenceFailed(f"it did not confirm within {timeout_s:.3g} s that {node} is off") from None

    async def on(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s):
                code, words = await _act(device, "on")
        except TimeoutError:
            raise FenceFailed(f"it did not switch {node} on within {timeout_s:.3g} s") from None
        if code != 0:
            raise FenceFailed(f"it could not switch {node} on: {words or f'exit code {code}'}")
        return f"{node} is on"

    async def status(self, node: str, device: FenceDevice, *, timeout_s: float) -> Power:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._power(node, device)
        except TimeoutError:
            raise FenceFailed(f"it did not say within {timeout_s:.3g} s whether {node} is on or off") from None

    async def agents(self) -> Sequence[str]:
        return await asyncio.to_thread(_installed)

    async def describe(self, agent: str, *, timeout_s: float) -> FenceAgent:
        try:
            async with asyncio.timeout(timeout_s):
                _, document, words = await _run(agent, {"action": "metadata"})
        except TimeoutError:
            raise FenceFailed(f"{agent} did not describe itself within {timeout_s:.3g} s") from None
        try:
            return parse(agent, document)
        except ValueError as error:
            said = words.strip()[-WORDS_KEPT:]
            raise FenceFailed(f"{agent} is no fence agent: {error}{f', but says: {said}' if said else ''}") from None

    async def _power(self, node: str, device: FenceDevice) -> Power:
        code, words = await _act(device, "status")
        if code not in (STATUS_ON, STATUS_OFF):
            raise FenceFailed(f"it cannot tell whether {node} is off: {words or f'exit code {code}'}")
        return Power.OFF if code == STATUS_OFF else Power.ON


def _installed() -> Sequence[str]:
    found = {path for directory in search_path().split(os.pathsep) for path in Path(directory).glob("fence_*")}
    return sorted({path.name for path in found if path.is_file() and os.access(path, os.X_OK)})


def search_path() -> str:
    directories = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*directories, *(one for one in SYSTEM_DIRECTORIES if one not in directories)])


def without_secrets(words: str, secrets: Sequence[str]) -> str:
    forms: set[str] = set()
    for secret in secrets:
        forms |= {secret, shlex.quote(secret), urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}
        forms |= {repr(secret)[1:-1], json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
    for form in sorted(forms - {""}, key=len, reverse=True):
        words = words.replace(form, "***")
    return words


async def _act(device: FenceDevice, action: str) -> tuple[int, str]:
    """The agent's exit code and its last words, for people."""
    code, output, errors = await _run(device.agent, {**device.parameters, "action": action})
    secrets = [value for name, value in device.parameters.items() if name in device.hidden or is_secret(name)]
    # First without secrets, then cut: half a secret is one as well.
    words = without_secrets(f"{output.decode(errors='replace')}{errors}".strip(), secrets)
    return code, _for_people(words)


def _for_people(words: str) -> str:
    """The last of it, without the time of day, so that the same trouble is told in the same words; of an agent that
    broke off, the error alone."""
    if BROKE_OFF in words:
        return f"the agent broke off: {words.rstrip().splitlines()[-1]}"[:WORDS_KEPT]
    told = (LOG_PREFIX.sub("", line) for line in words.splitlines())
    return " ".join(" ".join(line for line in told if line != USAGE_HINT).split())[-WORDS_KEPT:]


async def _run(agent: str, lines: Mapping[str, str]) -> tuple[int, bytes, str]:
    """Exit code, output, and errors. One that is not waited for any more is killed with its children."""
    program = shutil.which(agent, path=search_path())
    if program is None:
        raise FenceFailed(f"there is no fence agent {agent} on this node; install the package fence-agents")
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": search_path(), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"},
            start_new_session=True,
        )
    except OSError as error:
        raise FenceFailed(f"{agent} cannot be started: {error.strerror}") from None
    try:
        given = "".join(f"{key}={value}\n" for key, value in lines.items())
        output, errors = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output, errors.decode(errors="replace")
