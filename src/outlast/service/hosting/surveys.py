"""Questions to all nodes, through the cluster database: asks them, and answers those of others."""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from outlast.model import keys
from outlast.model.health import Json
from outlast.model.survey import Answer, Survey
from outlast.ports.database import Delete, Unavailable, Write
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.journal import Journal
from outlast.service.store import Store, put

ANSWER_DEADLINE_S = 5.0
DISCOVER = "discover"
"""As a verb: what exists on the node, of which the plugin tells every cluster service."""


class Surveys:
    def __init__(self, store: Store, hosts: HostKeeper, journal: Journal) -> None:
        self._store = store
        self._hosts = hosts
        self._journal = journal

    async def run(self) -> None:
        """Answer what is asked."""
        changes = self._store.subscribe(keys.SURVEYS)
        asked: Iterable[str] = list(self._store.surveys)  # also what was asked before this service was there
        async with asyncio.TaskGroup() as tasks:
            while True:
                for key in asked:
                    survey = self._store.surveys.get(key.removeprefix(keys.SURVEYS))
                    if survey is not None:
                        tasks.create_task(self._answer(survey))
                asked = await changes.wait()

    async def ask(
        self, nodes: list[str], type_name: str, verb: str, arguments: Mapping[str, Json]
    ) -> dict[str, Answer]:
        """The answers of these nodes; one that does not answer in time has a problem that says so."""
        survey = Survey(self._journal.new_id(), self._store.me, type_name, verb, arguments)
        answers = self._store.subscribe(keys.ANSWERS)
        try:
            await self._store.transact([], [put(keys.SURVEYS + survey.id, survey)])
            try:
                async with asyncio.timeout(ANSWER_DEADLINE_S + 1.0):
                    while not all(f"{survey.id}/{node}" in self._store.answers for node in nodes):
                        await answers.wait()
            except TimeoutError:
                pass
            found = {node: self._store.answers.get(f"{survey.id}/{node}") for node in nodes}
        finally:
            self._store.unsubscribe(answers)
            await self._clean_up(survey.id)
        late = f"no answer within {ANSWER_DEADLINE_S + 1.0:g} s"
        return {node: answer or Answer(survey.id, node, None, late) for node, answer in found.items()}

    async def ask_here(self, type_name: str, verb: str, arguments: Mapping[str, Json]) -> Json:
        """The same question to this node's own plugin. Raises `CallFailed`, `HostDied`, `CallTimedOut`."""
        if verb == DISCOVER:
            found = await self._hosts.call(type_name, ANSWER_DEADLINE_S, lambda host, _: host.discover(type_name))
            return msgspec.to_builtins(found)
        return await self._hosts.call(
            type_name, ANSWER_DEADLINE_S, lambda host, _: host.type_control(type_name, verb, arguments)
        )

    async def _answer(self, survey: Survey) -> None:
        try:
            result = await self.ask_here(survey.type, survey.verb, survey.arguments)
            answer = Answer(survey.id, self._store.me, result)
        except (CallFailed, CallTimedOut, HostDied) as error:
            answer = Answer(survey.id, self._store.me, None, str(error))
        try:
            unchanged = self._store.unchanged(keys.SURVEYS + survey.id)
            if survey.id in self._store.surveys:
                await self._store.transact(unchanged, [put(f"{keys.ANSWERS}{survey.id}/{self._store.me}", answer)])
        except Unavailable:
            return  # the asker will say that this node did not answer

    async def _clean_up(self, id: str) -> None:
        mine = [Delete(keys.ANSWERS + name) for name in self._store.answers if name.startswith(f"{id}/")]
        writes: list[Write] = [Delete(keys.SURVEYS + id), *mine]
        await self._store.transact([], writes)
