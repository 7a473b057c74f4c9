"""Who is being fenced, and what has come of it?

What was found stands in `reports` until it is asked about another incarnation; what follows from it is decided by
`core/fence/proof.py`. How the devices of one node are tried is `service/fence/ladder.py`.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import msgspec

from outlast.core.fence.agents import proving
from outlast.core.fence.fencing import called
from outlast.model.metrics import FenceMetrics
from outlast.model.node import Node
from outlast.model.view import FenceReport
from outlast.ports.fence import FenceFailed
from outlast.service.fence.ladder import CONFIRMED, FAILED, Allowed, Asked, Climb, Means

PURSUIT = "fence"
ENDS = (CONFIRMED, FAILED)
ON_ATTEMPTS = 3
ON_RETRY_S = 5.0
NOT_ALLOWED_RETRY_S = 0.5


class Fencing:
    def __init__(self, means: Means, allowed: Allowed, wake: asyncio.Event) -> None:
        self.reports: dict[str, FenceReport] = {}
        self._means = means
        self._allowed = allowed
        self._wake = wake
        """Set whenever a report changes."""
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def start(self, node: Node, incarnation: str) -> bool:
        """Begin to prove its death, unless that is under way already. True when it began."""
        if self._is_under_way(node.name, incarnation):
            return False
        report = self.reports.get(node.name)
        if report is not None and report.incarnation == incarnation and report.confirmed:
            return False
        self._begin(node.name, incarnation, self._pursue(node, incarnation), PURSUIT)
        return True

    def switch_on(self, node: Node, incarnation: str, devices: tuple[str, ...]) -> bool:
        """Begin, unless it is under way already. What comes of it stands in the report. True when it began."""
        if self._is_under_way(node.name, incarnation):
            return False
        self._begin(node.name, incarnation, self._switch_on(node, incarnation, devices), "switch on again")
        return True

    def stop(self, node: str) -> None:
        """Nobody waits for this node's death any more. An agent that is at work is ended."""
        self.reports.pop(node, None)
        under_way = self._running.pop(node, None)
        if under_way is not None:
            under_way[1].cancel()

    def stop_all(self) -> None:
        for node in list(self._running):
            self.stop(node)

    def asked(self, nodes: Iterable[Node]) -> tuple[FenceMetrics, ...]:
        """How often each device was asked since this service started, and what came of it. Also of those of `nodes`
        that never were: zero is a figure."""
        never = [
            Asked(node.name, called(device), "off", one) for node in nodes for device in node.fence for one in ENDS
        ]
        found = {**dict.fromkeys(never, 0), **self._means.asked}
        return tuple(FenceMetrics(*one, count) for one, count in sorted(found.items()))

    def under_way(self) -> list[str]:
        return list(self._running)

    def pursued(self) -> list[str]:
        """Whose devices are being asked to switch them off just now."""
        return [node for node, (_, task) in self._running.items() if task.get_name() == PURSUIT and not task.done()]

    async def prove_off(
        self, node: Node, incarnation: str, *, delay_s: float = 0.0, allowed: Allowed | None = None
    ) -> FenceReport:
        """Try all levels once, for somebody who waits for it; works without the database. When the report is not
        `confirmed`, it says why."""
        self.reports[node.name] = FenceReport(incarnation)

        def tell(report: FenceReport) -> None:
            self._report(node.name, report)

        if proving(node.fence):
            await Climb(self._means, node, incarnation, allowed or self._allowed, tell, delay_s=delay_s).run(rounds=1)
        return self.reports.get(node.name) or FenceReport(incarnation)

    def _is_under_way(self, node: str, incarnation: str) -> bool:
        known, task = self._running.get(node, ("", None))
        if task is None or task.done():
            return False
        if known != incarnation:
            task.cancel()
        return known == incarnation

    def _begin(self, node: str, incarnation: str, work: Coroutine[Any, Any, None], name: str) -> None:
        report = self.reports.get(node)
        if report is None or report.incarnation != incarnation:
            self.reports[node] = FenceReport(incarnation)
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running[node] = (incarnation, task)

    async def _pursue(self, node: Node, incarnation: str) -> None:
        await Climb(self._means, node, incarnation, self._allowed, lambda report: self._report(node.name, report)).run()
        report = self.reports.get(node.name)
        if report is not None and not report.confirmed:
            await asyncio.sleep(NOT_ALLOWED_RETRY_S)
            self._wake.set()  # it was not allowed just now: whether it must go on is decided anew

    async def _switch_on(self, node: Node, incarnation: str, devices: tuple[str, ...]) -> None:
        chosen = [device for device in proving(node.fence) if called(device) in devices]
        words = f"could not be switched on again: {', '.join(devices)} is not among its fence devices any more"
        for attempt in range(ON_ATTEMPTS if chosen else 0):
            if attempt:
                await asyncio.sleep(ON_RETRY_S)
            try:
                said = [f"{called(device)}: {await self._means.on(node.name, device)}" for device in chosen]
            except (FenceFailed, OSError) as error:  # a TimeoutError is an OSError
                words = f"could not be switched on again: {str(error) or 'no answer in time'}"
            else:
                words = f"was switched on again ({'; '.join(said)})"
                break
        self._report(node.name, msgspec.structs.replace(self.reports[node.name], on_again=f"{node.name} {words}"))

    def _report(self, node: str, report: FenceReport) -> None:
        self.reports[node] = report
        self._wake.set()
