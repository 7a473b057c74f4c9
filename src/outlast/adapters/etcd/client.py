"""Which member is asked, and what follows when it does not answer?

The first endpoint that has not failed lately, so usually the member on this node. A member that is frozen looks like
one that is slow: reads are asked elsewhere as well after `HEDGE_S`, and the first answer counts; a write that may have
been sent is never sent again (`Uncertain`). Members that failed are asked by nobody but a task in the background,
until they answer. That task also learns the addresses of new members.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.access import Access, MaybeDone, NotDone
from outlast.adapters.etcd.endpoint import Endpoint
from outlast.adapters.etcd.faults import Fault, in_words
from outlast.adapters.etcd.tls import Files
from outlast.adapters.etcd.wire import AnswerKind
from outlast.core.quorum.engine_versions import warning
from outlast.ports.database import Unavailable, Uncertain

HEDGE_S = 0.5
PROBE_WITHIN_S = 1.0
PROBE_FIRST_S = 0.25
PROBE_LAST_S = 4.0
LEARN_EVERY_S = 30.0
LEARN_WITHIN_S = 2.0
ROUND_S = 0.1
"""Between two rounds through all members."""

log = structlog.get_logger()


class Client:
    """Needs a running event loop. `close` ends it."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        prefix: str = "",
        ca: str = "",
        certificate: str = "",
        key: str = "",
        user: str = "",
        password_file: str = "",
    ) -> None:
        """Raises ValueError for settings that cannot be meant."""
        if not endpoints:
            raise ValueError("no endpoints of etcd are given; set `endpoints` under [etcd]")
        self.access = Access(prefix, Files(ca, certificate, key), user, password_file)
        self.closed = False
        self._seeds = [self.access.endpoint(url) for url in dict.fromkeys(endpoints)]
        self._learnt: list[Endpoint] = []
        self._versions: set[str] = set()
        self._kept: dict[str, Endpoint] = {}
        self._trouble = asyncio.Event()
        self._care = asyncio.get_running_loop().create_task(self._take_care(), name="etcd endpoints")

    def order(self) -> list[Endpoint]:
        """The best first: as configured, but those that failed come last."""
        return sorted((*self._seeds, *self._learnt), key=lambda endpoint: endpoint.failures)

    def kept(self, url: str) -> Endpoint:
        """At this very address; kept for the next time, and closed with this client."""
        return self._kept.setdefault(url, self.access.endpoint(url))

    def learn(self, urls: Sequence[str]) -> None:
        """Members are said to be there as well. Who belongs to another etcd cluster is found out by asking it."""
        known = {endpoint.url for endpoint in (*self._seeds, *self._learnt)}
        self._learnt += [self.access.endpoint(url) for url in dict.fromkeys(urls) if url not in known]

    async def read(self, path: str, body: bytes, kind: type[AnswerKind], *, timeout_s: float) -> AnswerKind:
        """Of whichever member answers first. Raises `Unavailable`, or `Fault` for a certain "no"."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        running: dict[asyncio.Task[AnswerKind], Endpoint] = {}
        untried = self.order()
        try:
            while not self.closed and loop.time() < deadline_s:
                if untried:
                    endpoint = untried.pop(0)
                    attempt = self.carry(endpoint, path, body, kind, deadline_s - loop.time())
                    running[asyncio.create_task(attempt, name=f"etcd {endpoint.name}")] = endpoint
                elif not running:
                    await asyncio.sleep(max(0.0, min(ROUND_S, deadline_s - loop.time())))
                    untried = self.order()
                    continue
                patience_s = min(HEDGE_S if untried else timeout_s, deadline_s - loop.time())
                done, _ = await asyncio.wait(running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    running.pop(task)
                    with contextlib.suppress(NotDone, MaybeDone):
                        return task.result()
                for endpoint in () if done else running.values():
                    self.failed(endpoint, "it does not answer")
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)
        raise Unavailable(self._unreachable(f"no answer within {timeout_s:g} s"))

    async def write(self, path: str, body: bytes, kind: type[AnswerKind], *, timeout_s: float) -> AnswerKind:
        """Sent once. Raises `Unavailable` (certainly not done), `Uncertain`, or `Fault` for a certain "no"."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while not self.closed and loop.time() < deadline_s:
            for endpoint in self.order():
                try:
                    return await self.carry(endpoint, path, body, kind, deadline_s - loop.time())
                except NotDone:
                    continue
                except MaybeDone as lost:
                    words = f"the cluster database may or may not have written it: {endpoint.name}: {lost}"
                    raise Uncertain(words) from lost
            await asyncio.sleep(max(0.0, min(ROUND_S, deadline_s - loop.time())))
        raise Unavailable(self._unreachable(f"nothing was written within {timeout_s:g} s"))

    async def carry(
        self, endpoint: Endpoint, path: str, body: bytes, kind: type[AnswerKind], timeout_s: float
    ) -> AnswerKind:
        """One attempt at this member. Raises `NotDone`, `MaybeDone`, or `Fault` for a certain "no"."""
        try:
            answer = await self.access.attempt(endpoint, path, body, kind, timeout_s)
        except (NotDone, MaybeDone) as error:
            self.failed(endpoint, str(error))
            raise
        except Fault:
            endpoint.worked()
            raise
        if answer.header.revision:  # else the member may have said it without the others
            endpoint.worked()
        return answer

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._care.cancel()
        for endpoint in (*self.order(), *self._kept.values()):
            endpoint.close()
        await asyncio.wait([self._care])

    def failed(self, endpoint: Endpoint, trouble: str) -> None:
        """It comes last until it answers the task in the background."""
        endpoint.failed(trouble)
        self._trouble.set()

    def _unreachable(self, what: str) -> str:
        if self.closed:
            return "cannot use the cluster database: this connection is closed"
        members = "; ".join(
            f"{endpoint.name}: {endpoint.diagnosis or endpoint.trouble or 'no answer'}" for endpoint in self.order()
        )
        return f"cannot reach the cluster database: {what} ({members})"

    # In the background

    async def _take_care(self) -> None:
        loop = asyncio.get_running_loop()
        learn_at_s, pause_s = 0.0, PROBE_FIRST_S
        while True:
            if loop.time() >= learn_at_s:
                learn_at_s = loop.time() + LEARN_EVERY_S
                await self._learn()
            suspects = [endpoint for endpoint in self.order() if endpoint.failures]
            try:
                async with asyncio.timeout(pause_s if suspects else learn_at_s - loop.time()):
                    await self._trouble.wait()
                self._trouble.clear()
                pause_s = PROBE_FIRST_S
                await asyncio.sleep(PROBE_FIRST_S)  # however often calls fail
            except TimeoutError:
                pause_s = min(2 * pause_s, PROBE_LAST_S)
            if suspects:
                await asyncio.gather(*map(self._probe, suspects))

    async def _probe(self, endpoint: Endpoint) -> None:
        body = wire.encode(**wire.span(self.access.prefix), limit=1, keys_only=True)
        try:
            await self.access.attempt(endpoint, wire.RANGE, body, wire.RangeAnswer, PROBE_WITHIN_S)
        except NotDone as error:
            endpoint.failed(str(error))
        except MaybeDone as error:
            endpoint.failed(str(error))
            endpoint.diagnosis = await self._what_ails(endpoint)
        except Fault:
            endpoint.worked()
        else:
            endpoint.worked()

    async def _what_ails(self, endpoint: Endpoint) -> str:
        """A member that cannot do anything with the others may know why."""
        try:
            status = await self.access.ask(endpoint, wire.STATUS, b"{}", wire.StatusAnswer, timeout_s=PROBE_WITHIN_S)
        except (NotDone, MaybeDone, Fault):
            return ""
        if status.errors:
            return "; ".join(dict.fromkeys(map(in_words, status.errors)))
        return "it runs and sees a leader, but confirms nothing in time: a slow disk, or a slow link to the others"

    async def _learn(self) -> None:
        try:
            answer = await self.read(wire.MEMBERS, b"{}", wire.MembersAnswer, timeout_s=LEARN_WITHIN_S)
        except (Unavailable, Fault):
            return  # who may not ask lives with the addresses that are configured
        known = {endpoint.url: endpoint for endpoint in (*self._seeds, *self._learnt)}
        members = [url for member in answer.members if not member.isLearner for url in member.clientURLs]
        seeds = {endpoint.url for endpoint in self._seeds}
        others = [url for url in members if url not in seeds and url.startswith("http")]
        self._learnt = [known.get(url) or self.access.endpoint(url) for url in others]
        for url, endpoint in known.items():
            if url not in seeds and url not in members:
                endpoint.close()
        await asyncio.gather(*map(self._ask_version, self.order()))

    async def _ask_version(self, endpoint: Endpoint) -> None:
        if endpoint.failures:
            return
        with contextlib.suppress(NotDone, MaybeDone, Fault):
            status = await self.access.ask(endpoint, wire.STATUS, b"{}", wire.StatusAnswer, timeout_s=PROBE_WITHIN_S)
            version = status.version
            if version not in self._versions:
                self._versions.add(version)
                if words := warning(version):
                    log.warning("etcd's version", member=endpoint.name, why=words)
