"""Fence devices that answer by a script, and what else a ladder is climbed with; all on the simulator's loop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from outlast.model.fence import FenceAgent, FenceDevice, FenceParameter, Power
from outlast.model.node import Node
from outlast.ports.fence import FenceFailed
from outlast.service.fence.hearing import Answering, Hearing
from outlast.service.fence.ladder import Means, Opened

AGENT = FenceAgent(
    "fence_lab",
    words="A device that follows a script",
    parameters=(
        FenceParameter("plug", required=True),
        FenceParameter("ip", replaces="ipaddr"),
        FenceParameter("password", replaces="passwd", secret=True),
    ),
)


class LoopClock:
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.now()


@dataclass
class Script:
    """What a device says to its calls, one after the other; then the last again. An exception is raised."""

    answers: list[str | Exception] = field(default_factory=lambda: ["it is off"])
    takes_s: float = 0.1


class ScriptedFence:
    """The port. By the name of the device; one without a script does not answer. `asked` tells when who was asked."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts
        self.asked: list[tuple[float, str, str]] = []
        self.given: list[dict[str, str]] = []
        """With which parameters."""
        self.known = {AGENT.name: AGENT}
        """The agents that are installed."""
        self.ended: list[str] = []
        """Calls that somebody cancelled."""

    async def off(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        return await self._answer("off", device, timeout_s)

    async def on(self, node: str, device: FenceDevice, *, timeout_s: float) -> str:
        return await self._answer("on", device, timeout_s)

    async def status(self, node: str, device: FenceDevice, *, timeout_s: float) -> Power:
        return Power(await self._answer("status", device, timeout_s))

    async def agents(self) -> Sequence[str]:
        return sorted(self.scripts)

    async def describe(self, agent: str, *, timeout_s: float) -> FenceAgent:
        if agent not in self.known:
            raise FenceFailed(f"there is no fence agent {agent} on this node")
        return self.known[agent]

    async def _answer(self, verb: str, device: FenceDevice, timeout_s: float) -> str:
        self.asked.append((round(asyncio.get_running_loop().time(), 1), verb, device.name))
        self.given.append(dict(device.parameters))
        script = self.scripts.get(device.name)
        try:
            if script is None or script.takes_s > timeout_s:
                await asyncio.sleep(timeout_s)
                raise FenceFailed(f"no answer within {timeout_s:g} s")
            await asyncio.sleep(script.takes_s)
        except asyncio.CancelledError:
            self.ended.append(device.name)
            raise
        answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def always(node: str, incarnation: str) -> bool:
    return True


async def nobody(node: Node, timeout_s: float) -> bool:
    """Answers on the node's peer link."""
    await asyncio.sleep(timeout_s)
    return False


async def as_it_is(device: FenceDevice) -> FenceDevice:
    return device


def unheard(fence: ScriptedFence) -> Means:
    """The node answers on no link."""
    return means(fence, nobody)


def means(fence: ScriptedFence, answering: Answering, opened: Opened = as_it_is) -> Means:
    return Means(fence, LoopClock(), opened, Hearing(answering, LoopClock()))
