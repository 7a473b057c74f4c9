"""A resource type whose resources are in real nodes of a lab, for contract tests that need two of them.

Each node has an `outlast-rhs` of its own. Which node a resource is on says its spec: the property `node`. What the
plugin over there raises, this one raises.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from outlast.adapters.clock import SystemClock
from outlast.adapters.hosts import ProcessHosts
from outlast.lab.lab import Lab
from outlast.lab.node import enter_command
from outlast.plugin import (
    CannotStart,
    Destination,
    Found,
    Health,
    Json,
    Progress,
    Refusal,
    Spec,
    TransferProgress,
    TypeHost,
)
from outlast.ports.hosts import AppearedReport, CallFailed, HealthReport, Host, Report

HANG_S = 120.0

_T = TypeVar("_T")


class PluginInNodes:
    api_version = 1

    def __init__(self, lab: Lab, type_name: str, first: str, python: str, type_host: TypeHost) -> None:
        self._lab, self._type, self._python, self._type_host = lab, type_name, python, type_host
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._listening: list[asyncio.Task[None]] = []
        self._hosts: dict[str, Host] = {}
        self._where: dict[str, str] = {}
        self._first = first
        (offer,) = self.host(first).offers
        assert not offer.problem, offer.problem
        self.version = offer.version
        self.functions: Sequence[str] = offer.functions

    def host(self, node: str) -> Host:
        if node not in self._hosts:
            self._hosts[node] = self.carry_out(self._start(node))
        return self._hosts[node]

    async def _start(self, node: str) -> Host:
        directory = self._lab.paths.shared / f"run-{node}"
        directory.mkdir(exist_ok=True)
        inside = (self._python, "-P", "-m", "outlast.rhs.main")
        # One service: a host that is abandoned, as by a crash, must not end because another one has taken over.
        hosts = ProcessHosts(directory, service="contract", command=enter_command(self._lab.node(node), inside))
        host = await hosts.start([self._type], timeout_s=HANG_S)
        hosts.permit.extend(SystemClock().now() + 3600.0)
        self._listening.append(asyncio.create_task(host.listen(self._pass_on)))
        return host

    def _pass_on(self, report: Report) -> None:
        match report:
            case HealthReport(resource, health):
                self._type_host.report(resource, health)
            case AppearedReport(found=found):
                self._type_host.appeared(found)

    def carry_out(self, call: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(HANG_S)

    def open(self, spec: Spec) -> "ResourceInNode":
        node = str(spec.properties["node"])
        self._where[spec.name] = node
        self.carry_out(self.host(node).open(spec))
        return ResourceInNode(self, self.host(node), self._type, spec.name)

    def looks_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return self._ask(resources, lambda host, names: host.looks_alive(self._type, names))

    def is_alive(self, resources: Sequence[str]) -> Mapping[str, Health]:
        return self._ask(resources, lambda host, names: host.is_alive(self._type, names))

    def _ask(
        self, resources: Sequence[str], ask: Callable[[Host, list[str]], Coroutine[Any, Any, Mapping[str, Health]]]
    ) -> Mapping[str, Health]:
        found: dict[str, Health] = {}
        for node, host in self._hosts.items():
            here = [name for name in resources if self._where.get(name, self._first) == node]
            found |= self.carry_out(ask(host, here))
        return found

    def discover(self) -> Sequence[Found]:
        return [found for host in self._hosts.values() for found in self.carry_out(host.discover(self._type))]

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        with raised_as(Refusal):
            return self.carry_out(self.host(self._first).type_control(self._type, verb, arguments))

    def close(self) -> None:
        for host in self._hosts.values():
            self.carry_out(host.kill())
        self._loop.call_soon_threadsafe(self._loop.stop)


class ResourceInNode:
    def __init__(self, plugin: PluginInNodes, host: Host, type_name: str, name: str) -> None:
        self._plugin, self._host, self._type, self._name = plugin, host, type_name, name

    def health(self) -> Health:
        return self._plugin.carry_out(self._host.is_alive(self._type, [self._name]))[self._name]

    def online(self, progress: Progress) -> None:
        with raised_as(CannotStart):
            self._plugin.carry_out(self._host.online(self._name, progress))

    def offline(self, progress: Progress, timeout_s: float) -> None:
        self._plugin.carry_out(self._host.offline(self._name, timeout_s, progress))

    def terminate(self) -> None:
        self._plugin.carry_out(self._host.terminate(self._name))

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        with raised_as(Refusal):
            return self._plugin.carry_out(self._host.control(self._name, verb, arguments))

    def forget(self) -> None:
        self._plugin.carry_out(self._host.forget(self._name))

    def close(self) -> None:
        self._plugin.carry_out(self._host.close(self._name))

    def hand_over(self, to: Destination, progress: TransferProgress) -> None:
        with raised_as(Refusal):
            self._plugin.carry_out(self._host.hand_over(self._name, to, progress))

    def call_back(self) -> None:
        self._plugin.carry_out(self._host.call_back(self._name))

    def take_up(self, progress: Progress) -> None:
        with raised_as(CannotStart):
            self._plugin.carry_out(self._host.take_up(self._name, progress))


@contextmanager
def raised_as(foreseen: type[CannotStart] | type[Refusal]) -> Iterator[None]:
    """What the API foresees comes over the wire as one kind of answer, whatever it was."""
    try:
        yield
    except CallFailed as failed:
        if failed.refusal:
            raise foreseen(failed.why) from failed
        raise
