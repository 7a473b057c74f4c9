"""By how much does a resource type whose every call hangs delay IsAlive of the VMs beside it?

One lab node with its own libvirtd and a running beacon. The service's own `HostKeeper` starts real `outlast-rhs`
processes there, which load `vm` and `dummy`. IsAlive of the VM falls due ten times a second, and takes until it is
answered: when its host is gone it is asked again until the next one has the VM open and says how it is. That is done
for SECONDS without anything beside it, and for as long with dummies of which every call hangs, each asked with the
deadlines that the service has: they share the VM's host at first. `python bench/plugin_hang.py`; with `plain`, no lab
is needed, and another dummy under a type name of its own stands for the VM. One JSON line per figure; nothing else
should run meanwhile.
"""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outlast.adapters.clock import SystemClock
from outlast.adapters.hosts import ProcessHosts
from outlast.lab.lab import Lab
from outlast.model.health import Spec
from outlast.ports.hosts import CallFailed, Host, HostDied
from outlast.service.hosting.calls import DISCOVER_DEADLINE_S, OPEN_DEADLINE_S, TERMINATE_DEADLINE_S
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, HostReady
from outlast.service.hosting.polling import IS_ALIVE_DEADLINE_S

SECONDS = float(os.environ.get("SECONDS", "120"))
EVERY_S = 0.1
GOAL_MS = 50.0
VM, DUMMY = "web", "stuck"
PLUGIN = "from outlast.resources.dummy import DummyType\nclass Calm(DummyType): pass\n"
HANGS = ("online", "offline", "terminate", "is_alive", "looks_alive", "discover", "control", "forget")

Ask = Callable[[Host], Awaitable[object]]


def main() -> None:
    lab = Lab(f"bench-{os.getpid()}")
    lab.up(nodes=1, service=False)
    try:
        definition = lab.paths.shared / f"{VM}.xml"
        definition.write_text(lab.create_guest("beacon", VM, image_lock=False))
        here = Path(__file__).resolve()
        print(lab.exec("n1", sys.executable, str(here), "inside", str(definition), timeout_s=4 * SECONDS), end="")
    finally:
        lab.down()


class Node:
    """What the service does with hosts, for one VM and the dummies beside it."""

    def __init__(self, hosts: ProcessHosts, spec: Spec, directory: str) -> None:
        self.keeper = HostKeeper(hosts, SystemClock())
        self.replaced = 0
        self._hosts = hosts
        self._healthy = spec.type
        self._specs = {spec.type: [spec], "dummy": []}
        self._directory = directory
        self._opened = asyncio.Event()

    async def listen(self) -> None:
        while True:
            news = await self.keeper.news.get()
            if isinstance(news, HostReady):
                self.replaced += 1
                self._hosts.permit.extend(SystemClock().now() + 3600.0)
                if self._healthy in news.types:
                    await self.open(self._healthy)
                if "dummy" in news.types:
                    asyncio.create_task(self.open("dummy")).add_done_callback(lambda done: done.exception())

    async def open(self, type_name: str) -> None:
        for spec in self._specs[type_name]:
            await self.ask(type_name, "open", OPEN_DEADLINE_S, lambda host, spec=spec: host.open(spec))  # type: ignore[misc]

    async def ask(self, type_name: str, name: str, deadline_s: float, what: Ask) -> object:
        return await self.keeper.call(type_name, name, deadline_s, lambda host, _: what(host))

    async def is_alive_s(self) -> float:
        """From when it is due until there is an answer."""
        began, name = time.perf_counter(), self._healthy
        while True:
            with contextlib.suppress(CallFailed, HostDied):
                if await self.ask(name, "is_alive", IS_ALIVE_DEADLINE_S, lambda host: host.is_alive(name, [VM])):
                    return time.perf_counter() - began
            await asyncio.sleep(0)

    async def samples(self) -> list[float]:
        found, due = [], time.perf_counter()
        ends = due + SECONDS
        while due < ends:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            late_s = max(0.0, time.perf_counter() - due)  # an earlier answer that took longer makes this one late
            found.append(late_s + await self.is_alive_s())
            due += EVERY_S
        return found

    async def hang(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Dummies of which every call hangs, asked again and again: one that is open, one that cannot be opened."""
        properties = {"directory": self._directory}
        self._specs["dummy"] = [
            Spec(DUMMY, "dummy", properties={**properties, "hang_in": HANGS}),
            Spec("shut", "dummy", properties={**properties, "hang_in": ("open",)}),
        ]
        tasks.create_task(
            self._endure("open", OPEN_DEADLINE_S, lambda host: host.open(self._specs["dummy"][0]), once=True)
        )
        names = [DUMMY]
        asked: tuple[tuple[str, float, Ask], ...] = (
            ("is_alive", IS_ALIVE_DEADLINE_S, lambda host: host.is_alive("dummy", names)),
            ("looks_alive", IS_ALIVE_DEADLINE_S, lambda host: host.looks_alive("dummy", names)),
            ("discover", DISCOVER_DEADLINE_S, lambda host: host.discover("dummy")),
            ("online", TERMINATE_DEADLINE_S, lambda host: host.online(DUMMY, lambda _: None)),
            ("terminate", TERMINATE_DEADLINE_S, lambda host: host.terminate(DUMMY)),
        )
        return [tasks.create_task(self._endure(name, deadline_s, what)) for name, deadline_s, what in asked]

    async def _endure(self, name: str, deadline_s: float, what: Ask, *, once: bool = False) -> None:
        while True:
            with contextlib.suppress(CallFailed, HostDied, CallTimedOut):
                await self.ask("dummy", name, deadline_s, what)
            if once:
                return
            await asyncio.sleep(1.0)


async def plain() -> None:
    with tempfile.TemporaryDirectory() as directory:
        info = Path(directory) / "calm-1.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("[outlast.resource_types]\ncalm = outlast_calm:Calm\n")
        (Path(directory) / "outlast_calm.py").write_text(PLUGIN)
        command = ["env", f"PYTHONPATH={directory}", sys.executable, "-P", "-m", "outlast.rhs.main"]
        hosts = ProcessHosts(Path(directory) / "run", command=command)
        await play(hosts, Spec(VM, "calm", properties={"directory": directory}), directory)


async def inside(definition: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        await play(ProcessHosts(Path(directory) / "run"), Spec(VM, "vm", definition=definition), directory)


async def play(hosts: ProcessHosts, spec: Spec, directory: str) -> None:
    node = Node(hosts, spec, directory)
    async with asyncio.TaskGroup() as tasks:
        all_tasks = [tasks.create_task(node.keeper.run()), tasks.create_task(node.listen())]
        await node.is_alive_s()
        await node.ask(spec.type, "online", 60.0, lambda host: host.online(VM, lambda _: None))
        await asyncio.sleep(2.0)
        alone = await node.samples()
        before = node.replaced
        all_tasks += await node.hang(tasks)
        beside = await node.samples()
        what = "a VM" if spec.type == "vm" else "a dummy"
        _print(f"is_alive of {what}, nothing beside it", alone, 0)
        _print(f"is_alive of {what} beside a type whose every call hangs", beside, node.replaced - before)
        _tell(
            {
                "figure": "delay of is_alive by a type that hangs",
                "unit": "ms",
                "goal": GOAL_MS,
                **_delay(alone, beside),
            }
        )
        await node.ask(spec.type, "terminate", TERMINATE_DEADLINE_S, lambda host: host.terminate(VM))
        for task in all_tasks:
            task.cancel()
    # They would guard what runs as orphans, for as long as the permit lasts.
    for pid in node.keeper.processes().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _delay(alone: list[float], beside: list[float]) -> dict[str, float]:
    return {
        "median": round(1000 * (statistics.median(beside) - statistics.median(alone)), 2),
        "worst": round(1000 * (max(beside) - max(alone)), 2),
        "worst_over_median": round(1000 * (max(beside) - statistics.median(alone)), 2),
    }


def _print(figure: str, took_s: list[float], hosts_started: int) -> None:
    ordered = sorted(took_s)
    _tell(
        {
            "figure": figure,
            "unit": "ms",
            "asked": len(ordered),
            "median": round(1000 * statistics.median(ordered), 2),
            "p99": round(1000 * ordered[int(0.99 * (len(ordered) - 1))], 2),
            "worst": round(1000 * ordered[-1], 2),
            "hosts_started": hosts_started,
        }
    )


def _tell(line: dict[str, object]) -> None:
    print(json.dumps({**line, "load_average": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        asyncio.run(inside(Path(sys.argv[2]).read_text()))
    elif sys.argv[1:] == ["plain"]:
        asyncio.run(plain())
    else:
        main()
