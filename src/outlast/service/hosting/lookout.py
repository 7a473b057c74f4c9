"""Asks again whether the nodes see the disks of VMs, and writes down what has changed.

Surveys go through the database, and a healthy idle cluster writes session records and nothing else. So what is asked in
rounds goes over the links between the services, which write nothing; only what is down and waits for the answer is
worth a survey, where a link does not work or there are none (`docs/protection.md`). Plugins are asked here without
being blamed: storage that hangs is no reason to replace a host.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import structlog

from outlast.core.owner.lookout import Asking, watched
from outlast.core.owner.lookout import Lookout as Rounds
from outlast.core.placement.sight import learned, told
from outlast.model import keys
from outlast.model.group import Definition, Resource
from outlast.model.health import Json
from outlast.model.survey import Answer
from outlast.model.view import ClusterView
from outlast.ports.database import Unavailable, Write
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed, HostDied
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.hosting.looking import VM, Sightings, look
from outlast.service.hosting.surveys import ANSWER_DEADLINE_S, Surveys
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, Store, put

log = structlog.get_logger()

TOPIC = "look"
TICK_S = 5.0
ANSWERED = ("check", "disks", "probe_read")
"""Over the links: what only looks. Who writes a probe is asked through the database, or is this node itself."""


class Looking(msgspec.Struct, frozen=True):
    """The question that goes over a link."""

    verb: str
    arguments: Mapping[str, Json]


class Lookout:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        surveys: Surveys,
        journal: Journal,
        clock: Clock,
        peers: Peers | None,
        view: Callable[[], ClusterView],
        coordinates: Callable[[], bool],
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._surveys = surveys
        self._journal = journal
        self._clock = clock
        self._peers = peers
        self._view = view
        self._coordinates = coordinates
        self._rounds = Rounds()

    def register(self, peers: Peers) -> None:
        peers.answer(TOPIC, self._answer)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            view = self._view()
            if view.observed.unread_s:
                continue  # nobody could be told
            self._rounds.follow(watched(view, VM, coordinates=self._coordinates()), self._clock.now())
            for asking in self._rounds.due(self._clock.now()):
                try:
                    await self._look(asking)
                except Unavailable as error:
                    log.warning("cannot ask who sees the disks", resource=asking.resource, why=str(error))

    async def _look(self, asking: Asking) -> None:
        store = self._store
        resource = store.resources.get(asking.resource)
        group = store.groups.get(resource.group) if resource is not None else None
        if resource is None or group is None or not (self._peers or asking.urgent):
            return
        definition = await self._definition(resource.name)
        home = store.me if group.owner == store.me else ""
        # This node first: where nobody has it, its own disks are those that others can be compared with over links.
        nodes = sorted(asking.nodes | {home} - {""}, key=lambda node: (node != store.me, node))

        async def ask(nodes: Sequence[str], verb: str, arguments: Mapping[str, Json]) -> Mapping[str, Answer]:
            return await self._ask(nodes, verb, arguments, urgent=asking.urgent)

        if definition:
            found = await look(ask, definition, nodes, home, self._journal.new_id())
            await self._remember(resource, found)

    async def _definition(self, name: str) -> str:
        key = keys.DEFINITIONS + name
        snapshot = await self._store.database.read(key, timeout_s=READ_TIMEOUT_S)
        found = (entry.value for entry in snapshot.entries if entry.key == key)
        return next((msgspec.json.decode(value, type=Definition).text for value in found), "")

    async def _remember(self, before: Resource, found: Sightings) -> None:
        """Only what has changed, and only if the answers are about the resource as it is: else it is asked anew."""
        store, key = self._store, keys.RESOURCES + before.name
        after = learned(before, found.answers, store.nodes)
        after = msgspec.structs.replace(after, disks=found.disks or before.disks)
        if after == before or store.resources.get(before.name) != before:
            return
        writes: list[Write] = [put(key, after)]
        if _certain(after) != _certain(before):
            writes.append(self._journal.event("group-changed", told(after), group=after.group))
        await store.transact(store.unchanged(key), writes)

    async def _ask(
        self, nodes: Sequence[str], verb: str, arguments: Mapping[str, Json], *, urgent: bool
    ) -> Mapping[str, Answer]:
        me, found = self._store.me, {}
        if me in nodes:
            found[me] = await self._here(verb, arguments)
        others = [node for node in nodes if node != me]
        if self._peers is not None and verb in ANSWERED:
            answers = await asyncio.gather(*(self._over_link(node, self._peers, verb, arguments) for node in others))
            found |= dict(zip(others, answers, strict=True))
        if urgent:
            left = [node for node in others if node not in found or found[node].problem]
            found |= await self._surveys.ask(left, VM, verb, arguments) if left else {}
        return {node: found.get(node) or _unasked(node) for node in nodes}

    async def _over_link(self, node: str, peers: Peers, verb: str, arguments: Mapping[str, Json]) -> Answer:
        record = self._store.nodes.get(node)
        question = msgspec.json.encode(Looking(verb, arguments))
        try:
            answer = await peers.ask(
                node, record.address if record else node, TOPIC, question, timeout_s=ANSWER_DEADLINE_S + 1.0
            )
            return msgspec.json.decode(answer, type=Answer)
        except (PeerUnreachable, NotAnswered, msgspec.DecodeError, ValueError) as error:
            return Answer("", node, problem=str(error))

    async def _answer(self, asker: str, question: bytes) -> bytes:
        try:
            looking = msgspec.json.decode(question, type=Looking)
        except msgspec.DecodeError as error:
            raise NotAnswered(f"it does not understand the question: {error}") from error
        if looking.verb not in ANSWERED:
            raise NotAnswered(f"it only looks when it is asked over a link, and does not {looking.verb}")
        return msgspec.json.encode(await self._here(looking.verb, looking.arguments))

    async def _here(self, verb: str, arguments: Mapping[str, Json]) -> Answer:
        try:
            result = await self._hosts.call(
                VM, verb, ANSWER_DEADLINE_S, lambda host, _: host.type_control(VM, verb, arguments), blame=False
            )
            return Answer("", self._store.me, result)
        except (CallFailed, CallTimedOut, HostDied) as error:
            return Answer("", self._store.me, problem=str(error) or "it does not answer")


def _certain(resource: Resource) -> Iterable[str]:
    return [node for node, seen in resource.blind_on.items() if not seen.doubt]


def _unasked(node: str) -> Answer:
    return Answer("", node, problem=f"{node} was not asked")
