"""Runs fence agents as the distribution ships them: parameters as `key=value` lines on standard input.

Off, then status until it says off: what "reboot" did cannot be verified, and an agent that returned 0 for "off" is
asked again. Status answers 0 for on, 2 for off, anything else for an error.
"""

import asyncio
import os
import shutil
import signal

from outlast.model.node import FenceDevice
from outlast.ports.fence import FenceFailed

STATUS_ON = 0
STATUS_OFF = 2
STATUS_INTERVAL_S = 0.5
WORDS_KEPT = 300


class FenceAgents:
    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        try:
            async with asyncio.timeout(timeout_s):
                code, words = await _run(device, "off")
                if code != 0:
                    raise FenceFailed(f"it could not switch {node} off: {words or f'exit code {code}'}")
                while True:
                    code, words = await _run(device, "status")
                    if code == STATUS_OFF:
                        return f"{node} is off"
                    if code != STATUS_ON:
                        raise FenceFailed(f"it cannot tell whether {node} is off: {words or f'exit code {code}'}")
                    await asyncio.sleep(STATUS_INTERVAL_S)
        except TimeoutError:
            raise FenceFailed(f"it did not confirm within {timeout_s:g} s that {node} is off") from None


async def _run(device: FenceDevice, action: str) -> tuple[int, str]:
    """The agent's exit code and its last words. One that is not waited for any more is killed with its children."""
    program = shutil.which(device.agent)
    if program is None:
        raise FenceFailed(f"there is no fence agent {device.agent} on this node; install the package fence-agents")
    process = await asyncio.create_subprocess_exec(
        program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    lines = {**device.parameters, "action": action}
    try:
        output, _ = await process.communicate("".join(f"{key}={value}\n" for key, value in lines.items()).encode())
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace").strip()[-WORDS_KEPT:]
