"""Carries out fencing: tries a node's fence devices in order until one confirms that the node is off.

What it found stands in `reports` until it is asked about another incarnation; the decision what follows from it is
`core/proof.py`'s.
"""

import asyncio
from collections.abc import Callable

from outlast.model.node import Node
from outlast.model.view import FenceReport
from outlast.ports.fence import Fence, FenceFailed

ATTEMPT_TIMEOUT_S = 20.0
"""How long one device may take (power_timeout of the fence agents)."""
LONGEST_PAUSE_S = 15.0


class Fencing:
    def __init__(self, fence: Fence, may_fence: Callable[[], bool], wake: asyncio.Event) -> None:
        self.reports: dict[str, FenceReport] = {}
        self._fence = fence
        self._may_fence = may_fence
        """Asked before each attempt: who was frozen meanwhile must not switch off a node that has come back."""
        self._wake = wake
        """Set whenever a report changes."""
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def start(self, node: Node, incarnation: str) -> bool:
        """Begin, unless it is under way already. True when it began."""
        under_way = self._running.get(node.name)
        if under_way is not None:
            if under_way[0] == incarnation and not under_way[1].done():
                return False
            under_way[1].cancel()
        report = self.reports.get(node.name)
        if report is not None and report.incarnation == incarnation and report.confirmed:
            return False
        self.reports[node.name] = FenceReport(incarnation)
        task = asyncio.get_running_loop().create_task(self._pursue(node, incarnation), name=f"fence {node.name}")
        self._running[node.name] = (incarnation, task)
        return True

    def stop(self, node: str) -> None:
        """Nobody waits for this node's death any more."""
        self.reports.pop(node, None)
        under_way = self._running.pop(node, None)
        if under_way is not None:
            under_way[1].cancel()

    def stop_all(self) -> None:
        for node in list(self._running):
            self.stop(node)

    def under_way(self) -> list[str]:
        return list(self._running)

    async def _pursue(self, node: Node, incarnation: str) -> None:
        attempts = 0
        while True:
            for device in node.fence:
                if not self._may_fence():
                    return
                attempts += 1
                try:
                    async with asyncio.timeout(ATTEMPT_TIMEOUT_S + 5):
                        words = await self._fence.off(node.name, device, timeout_s=ATTEMPT_TIMEOUT_S)
                except (FenceFailed, OSError) as error:  # a TimeoutError is an OSError
                    why = str(error) or f"no answer within {ATTEMPT_TIMEOUT_S:g} s"
                    self._report(node.name, FenceReport(incarnation, attempts, "", f"{device.agent}: {why}"))
                    continue
                self._report(node.name, FenceReport(incarnation, attempts, f"{device.agent} confirmed: {words}"))
                return
            await asyncio.sleep(min(LONGEST_PAUSE_S, 0.5 * 2 ** min(attempts, 10)))

    def _report(self, node: str, report: FenceReport) -> None:
        self.reports[node] = report
        self._wake.set()
