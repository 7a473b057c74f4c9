"""The calls into a resource's plugin, each with its deadline."""

from collections.abc import Sequence

import msgspec

from outlast.core.resource import Call
from outlast.model import keys
from outlast.model.group import Definition, Resource
from outlast.model.health import Found, Health, Spec
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.hosts import CallFailed
from outlast.service.hosting.hosts import HostKeeper
from outlast.service.store import READ_TIMEOUT_S

OPEN_DEADLINE_S = 15.0
TERMINATE_DEADLINE_S = 15.0
LET_GO_DEADLINE_S = 15.0
DISCOVER_DEADLINE_S = 15.0
KNOWN_TIMEOUT_S = 0.5
"""For reading a definition anew that is known: a host that was replaced must soon be able to stop what runs."""
BEYOND_FORCE_S = 15.0
"""What `offline` may take beyond its time limit, after which it stops by force."""


class Calls:
    """Each method raises what `HostKeeper.call` raises."""

    def __init__(self, env: Environment, hosts: HostKeeper) -> None:
        self._env = env
        self._hosts = hosts
        self._definitions: dict[str, str] = {}
        """As they were read last: what runs must be opened, to be stopped, also when the database cannot be reached."""

    async def open(self, resource: Resource) -> Health:
        spec = Spec(
            name=resource.name,
            type=resource.type,
            definition=await self._definition(resource.name),
            identity=resource.identity,
            properties=resource.properties,
        )
        return await self._hosts.call(resource.type, OPEN_DEADLINE_S, lambda host, _: host.open(spec))

    async def make(self, call: Call, resource: Resource) -> None:
        """ONLINE, OFFLINE or TERMINATE. A missed deadline of the first two leaves the host alive, so that it can be
        asked to terminate the resource first."""
        name, limit_s = resource.name, resource.offline_timeout_s
        if call is Call.ONLINE:
            await self._hosts.call(
                resource.type, resource.online_timeout_s, lambda host, go_on: host.online(name, go_on), blame=False
            )
        elif call is Call.OFFLINE:
            await self._hosts.call(
                resource.type,
                limit_s + BEYOND_FORCE_S,
                lambda host, go_on: host.offline(name, limit_s, go_on),
                blame=False,
            )
        elif call is Call.TERMINATE:
            await self._hosts.call(resource.type, TERMINATE_DEADLINE_S, lambda host, _: host.terminate(name))

    async def let_go(self, resource: Resource, *, forget: bool) -> None:
        """Close it; `forget`: and leave nothing of it behind on this node."""
        name = resource.name
        if forget:
            await self._hosts.call(resource.type, LET_GO_DEADLINE_S, lambda host, _: host.forget(name))
        await self._hosts.call(resource.type, LET_GO_DEADLINE_S, lambda host, _: host.close(name))

    async def discover(self, type_name: str) -> Sequence[Found]:
        return await self._hosts.call(type_name, DISCOVER_DEADLINE_S, lambda host, _: host.discover(type_name))

    async def _definition(self, name: str) -> str:
        key = keys.DEFINITIONS + name
        try:
            timeout_s = KNOWN_TIMEOUT_S if name in self._definitions else READ_TIMEOUT_S
            snapshot = await self._env.database.read(key, timeout_s=timeout_s)
        except Unavailable:
            if name in self._definitions:
                return self._definitions[name]
            raise
        for entry in snapshot.entries:
            if entry.key == key:
                self._definitions[name] = msgspec.json.decode(entry.value, type=Definition).text
                return self._definitions[name]
        raise CallFailed(f"the definition of {name} is not in the cluster database; protect it again")
