"""Goes up one node's ladder of fence devices: asks them, and listens whether the node lives on all the same.

Which device is next is decided by `core/fence/fencing.py`. A device may lie, or switch another machine: a node that
still answers on its peer link after it was called off lives, and the device's word is none.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from outlast.core.fence.fencing import Confirmed, Event, Failed, GiveUp, Ladder, Lied, Off, Proven, called
from outlast.model.fence import FenceDevice
from outlast.model.node import Node
from outlast.model.view import FenceReport
from outlast.ports.environment import Clock
from outlast.ports.fence import Fence, FenceFailed
from outlast.service.fence.hearing import Hearing

Allowed = Callable[[str, str], Awaitable[bool]]
"""(node, incarnation): asked before each attempt. Who was frozen meanwhile must not switch off a node that is back."""
Opened = Callable[[FenceDevice], Awaitable[FenceDevice]]
"""The device with its secret parameters. Raises `FenceFailed` when they cannot be had, or its word is no proof."""

MARGIN_S = 5.0
"""An adapter that does not keep its time is given up after so much more."""
CONFIRMED, FAILED = "confirmed", "failed"
ENDED = "ended"
"""Nobody waited for it any more: another device had confirmed, or the node was back."""


class Asked(NamedTuple):
    node: str
    device: str
    action: str
    """off | on."""
    result: str
    """One of the three above."""


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to climb."""

    fence: Fence
    clock: Clock
    opened: Opened
    hearing: Hearing
    asked: "Counter[Asked]" = field(default_factory=Counter)
    """How often, and what came of it."""

    async def off(self, node: str, device: FenceDevice, timeout_s: float) -> str:
        with self._counting(node, device, "off"):
            async with asyncio.timeout(timeout_s + MARGIN_S):
                return await self.fence.off(node, await self.opened(device), timeout_s=timeout_s)

    async def on(self, node: str, device: FenceDevice) -> str:
        with self._counting(node, device, "on"):
            async with asyncio.timeout(device.timeout_s + MARGIN_S):
                return await self.fence.on(node, await self.opened(device), timeout_s=device.timeout_s)

    @contextmanager
    def _counting(self, node: str, device: FenceDevice, action: str) -> Iterator[None]:
        result = FAILED
        try:
            yield
            result = CONFIRMED
        except asyncio.CancelledError:
            result = ENDED
            raise
        finally:
            self.asked[Asked(node, called(device), action, result)] += 1


class Climb:
    def __init__(
        self,
        means: Means,
        node: Node,
        incarnation: str,
        allowed: Allowed,
        tell: Callable[[FenceReport], None],
        *,
        delay_s: float = 0.0,
    ) -> None:
        self._means = means
        self._node = node
        self._incarnation = incarnation
        self._allowed = allowed
        self._tell = tell
        self._ladder = Ladder(node.fence, means.clock.now(), delay_s=delay_s)
        self._devices = {called(device): device for device in node.fence}
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._errors: dict[str, str] = {}

    async def run(self, rounds: int | None = None) -> None:
        """Until a level has confirmed, it is no longer allowed, or so many rounds have failed."""
        ear = self._means.hearing.take(self._node)
        try:
            event: Event = None
            while rounds is None or self._ladder.rounds < rounds:
                actions = self._ladder.handle(event, self._means.clock.now())
                event = None
                for action in actions:
                    match action:
                        case Off(device, timeout_s):
                            if not await self._allowed(self._node.name, self._incarnation):
                                return
                            self._ask(device, timeout_s)
                        case GiveUp(device):
                            self._asked.pop(device).cancel()
                        case Proven():
                            if not await ear.goes_on():
                                self._report(action)
                                return
                            event = self._lie(action)
                if event is None:
                    event = await self._next_event()
        finally:
            ear.close()
            for task in self._asked.values():
                task.cancel()
            await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _ask(self, name: str, timeout_s: float) -> None:
        self._asked[name] = asyncio.ensure_future(self._off(name, timeout_s))

    async def _off(self, name: str, timeout_s: float) -> None:
        try:
            words = await self._means.off(self._node.name, self._devices[name], timeout_s)
        except (FenceFailed, OSError) as error:  # a TimeoutError is an OSError
            self._errors[name] = str(error) or f"no answer within {timeout_s:.3g} s"
            self._report()
            self._events.put_nowait(Failed(name))
        else:
            self._errors.pop(name, None)
            self._events.put_nowait(Confirmed(name, words))

    async def _next_event(self) -> Event:
        """None when it is time to look again."""
        deadline = self._ladder.deadline()
        left_s = None if deadline is None else max(0.0, deadline - self._means.clock.now())
        try:
            async with asyncio.timeout(left_s):
                return await self._events.get()
        except TimeoutError:
            return None

    def _lie(self, level: Proven) -> Lied:
        node = self._node.name
        for device in level.devices:
            self._errors[device] = f"it says that {node} is off, but {node} still answers: this is no proof"
        self._report()
        return Lied()

    def _report(self, proven: Proven | None = None) -> None:
        words, devices = ("", ()) if proven is None else (proven.words, proven.devices)
        self._tell(FenceReport(self._incarnation, self._ladder.attempts, words, devices, dict(self._errors)))
