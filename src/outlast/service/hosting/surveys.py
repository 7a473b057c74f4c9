"""Questions to nodes, through the cluster database: asks them, and answers those of others."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

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
FAIL = "fail"
"""As a verb: not to the plugin but to the service of the node, which has a resource of its own fail. The answer says
why it did not; empty when it did."""
RESTART = "restart"
"""As a verb: not to the plugin but to the services of the nodes, which replace the type's resource hosts."""
CALL_TIMES = "call_times"
"""As a verb: how long the calls of the type took, of which every service has its own account."""
_ONCE = (FAIL, RESTART)
RESTARTED_S = 4.0
"""So long the answer to RESTART waits for the new host."""


class Restarting(msgspec.Struct, frozen=True):
    """The arguments of RESTART."""

    by: str


class Failing(msgspec.Struct, frozen=True):
    """The arguments of FAIL."""

    resource: str
    epoch: int
    why: str


class Surveys:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        journal: Journal,
        under_way: Callable[[str], tuple[str, ...]],
        fail: Callable[[str, int, str], str],
    ) -> None:
        """`under_way`: of a type, what may run here although its plugin cannot see it yet. `fail`: have a resource of
        this node fail, while its group is at that epoch."""
        self._store = store
        self._hosts = hosts
        self._journal = journal
        self._under_way = under_way
        self._fail = fail
        self._failed: set[str] = set()
        """Questions of FAIL and RESTART that were carried out: none is twice, however often the picture is read."""

    async def run(self) -> None:
        """Answer what is asked."""
        changes = self._store.subscribe(keys.SURVEYS)
        # Also what was asked before this service was there; but who asked for a failure then waits no more.
        self._failed = {id for id, survey in self._store.surveys.items() if survey.verb in _ONCE}
        asked: Iterable[str] = list(self._store.surveys)
        async with asyncio.TaskGroup() as tasks:
            while True:
                for key in asked:
                    survey = self._store.surveys.get(key.removeprefix(keys.SURVEYS))
                    if survey is not None and self._is_for_me(survey):
                        tasks.create_task(self._answer(survey))
                asked = await changes.wait()

    async def ask(
        self, nodes: list[str], type_name: str, verb: str, arguments: Mapping[str, Json]
    ) -> dict[str, Answer]:
        """The answers of these nodes; one that does not answer in time has a problem that says so."""
        survey = Survey(self._journal.new_id(), self._store.me, type_name, verb, arguments, tuple(nodes))
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
            found = await self._hosts.call(
                type_name, "discover", ANSWER_DEADLINE_S, lambda host, _: host.discover(type_name)
            )
            return msgspec.to_builtins(found)
        return await self._hosts.call(
            type_name, verb, ANSWER_DEADLINE_S, lambda host, _: host.type_control(type_name, verb, arguments)
        )

    def _is_for_me(self, survey: Survey) -> bool:
        mine = self._store.me in survey.nodes
        if survey.verb in _ONCE:
            mine = mine and survey.id not in self._failed
            self._failed.add(survey.id)
        return mine

    def _have_it_fail(self, survey: Survey) -> Answer:
        try:
            want = msgspec.convert(survey.arguments, Failing)
        except msgspec.ValidationError as error:  # another version of us asked
            return Answer(survey.id, self._store.me, problem=f"it does not understand the question: {error}")
        return Answer(survey.id, self._store.me, problem=self._fail(want.resource, want.epoch, want.why))

    async def _restart(self, survey: Survey) -> Answer:
        try:
            want = msgspec.convert(survey.arguments, Restarting)
        except msgspec.ValidationError as error:  # another version of us asked
            return Answer(survey.id, self._store.me, problem=f"it does not understand the question: {error}")
        try:
            async with asyncio.timeout(RESTARTED_S):
                await self._hosts.restart(survey.type, want.by)
                await self._hosts.ready(survey.type)
        except TimeoutError:
            problem = f"its new resource host is not ready after {RESTARTED_S:g} s; it is waited for"
            return Answer(survey.id, self._store.me, problem=problem)
        offer = self._hosts.offers().get(survey.type)
        return Answer(survey.id, self._store.me, problem=offer.problem if offer else "no host offers it")

    async def _answer(self, survey: Survey) -> None:
        # Before the plugin is asked: a start that has not come to QEMU when it looks, was under way before.
        under_way = self._under_way(survey.type) if survey.verb == DISCOVER else ()
        try:
            if survey.verb == FAIL:
                answer = self._have_it_fail(survey)
            elif survey.verb == RESTART:
                answer = await self._restart(survey)
            elif survey.verb == CALL_TIMES:
                times = self._hosts.times.of(survey.type, self._store.me)
                answer = Answer(survey.id, self._store.me, msgspec.to_builtins(times))
            else:
                result = await self.ask_here(survey.type, survey.verb, survey.arguments)
                answer = Answer(survey.id, self._store.me, result, under_way=under_way)
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
