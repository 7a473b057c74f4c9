"""Which member is asked, and what follows when it does not answer?

The first endpoint that has not failed lately, so usually the member on this node. A member that is frozen looks like
one that is slow: reads are asked elsewhere as well after `HEDGE_S`, and the first answer counts; a write that may have
been sent is never sent again (`Uncertain`). Members that failed are asked by nobody but a task in the background,
until they answer. That task also learns the addresses of new members.

Before the first call on a connection, the other end must show that it belongs to the cluster that we found first.
"""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.connection import Connection, ConnectionLost
from outlast.adapters.etcd.endpoint import Endpoint
from outlast.adapters.etcd.faults import Fault, fault_of, in_words
from outlast.adapters.etcd.tls import Files, Tls
from outlast.adapters.etcd.wire import AnswerKind
from outlast.core.engine_versions import warning
from outlast.ports.database import Unavailable, Uncertain

HEDGE_S = 0.5
CONNECT_WITHIN_S = 0.5
LOGIN_WITHIN_S = 2.0  # etcd takes its time for passwords, on purpose
STREAM_WITHIN_S = 5.0
PROBE_WITHIN_S = 1.0
PROBE_FIRST_S = 0.25
PROBE_LAST_S = 4.0
LEARN_EVERY_S = 30.0
LEARN_WITHIN_S = 5.0
ROUND_S = 0.1
"""Between two rounds through all members."""

log = structlog.get_logger()


class NotDone(Exception):
    """What was asked was certainly not done; another member may do it."""


class MaybeDone(Exception):
    """It was sent, and there is no answer that says what became of it."""


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
        self.prefix = prefix.encode()
        self.closed = False
        self.seen = 0
        """The highest revision that any answer has told us."""
        self._user, self._password_file = user, password_file
        self._token = ""
        self._tls = Tls(Files(ca, certificate, key))
        self._seeds = [Endpoint(url, self._tls.context) for url in dict.fromkeys(endpoints)]
        self._learnt: list[Endpoint] = []
        self._cluster_id = 0
        self._versions: set[str] = set()
        self._kept: dict[str, Endpoint] = {}
        self._trouble = asyncio.Event()
        self._care = asyncio.get_running_loop().create_task(self._take_care(), name="etcd endpoints")

    def order(self) -> list[Endpoint]:
        """The best first: as configured, but those that failed come last."""
        return sorted((*self._seeds, *self._learnt), key=lambda endpoint: endpoint.failures)

    def endpoint(self, url: str) -> Endpoint:
        """At this very address; to be closed by the caller."""
        return Endpoint(url, self._tls.context)

    def kept(self, url: str) -> Endpoint:
        """At this very address; kept for the next time, and closed with this client."""
        return self._kept.setdefault(url, self.endpoint(url))

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
                for endpoint in running.values():
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
            answer = await self._carry(endpoint, path, body, kind, asyncio.get_running_loop().time() + timeout_s)
        except (NotDone, MaybeDone) as error:
            self.failed(endpoint, str(error))
            raise
        except Fault:
            endpoint.worked()
            raise
        endpoint.worked()
        return answer

    async def ask(
        self, endpoint: Endpoint, path: str, body: bytes, kind: type[AnswerKind], *, timeout_s: float
    ) -> AnswerKind:
        """What this very member knows by itself: that says little about whether it can do anything, so neither its
        answer nor its silence counts here. Raises `NotDone`, `MaybeDone`, `Fault`."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        connection = await self._ready(endpoint, deadline_s)
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self._exchange(endpoint, connection, path, body, kind)
        except (TimeoutError, ConnectionLost) as error:
            raise MaybeDone(str(error) or "it does not answer") from error

    async def stream(self, endpoint: Endpoint, path: str, body: bytes) -> Connection:
        """A connection that has begun to stream. Raises `NotDone`, `Fault`. Give it back to the endpoint."""
        deadline_s = asyncio.get_running_loop().time() + STREAM_WITHIN_S
        connection = await self._ready(endpoint, deadline_s, fresh=True)
        try:
            async with asyncio.timeout_at(deadline_s):
                if await connection.begin_stream(path, body, self._token) != 200:
                    with contextlib.suppress(ConnectionLost):
                        await connection.line()
                    raise fault_of(0, connection.rest())
        except (TimeoutError, ConnectionLost) as error:
            endpoint.give_back(connection)
            raise NotDone(str(error) or "it does not answer") from error
        except BaseException:
            endpoint.give_back(connection)
            raise
        return connection

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._care.cancel()
        for endpoint in (*self.order(), *self._kept.values()):
            endpoint.close()
        await asyncio.wait([self._care])

    # One attempt

    async def _carry(
        self, endpoint: Endpoint, path: str, body: bytes, kind: type[AnswerKind], deadline_s: float
    ) -> AnswerKind:
        for again in (False, True):
            connection = await self._ready(endpoint, deadline_s)
            floor = self.seen
            try:
                async with asyncio.timeout_at(deadline_s):
                    answer = await self._exchange(endpoint, connection, path, body, kind)
            except TimeoutError:
                raise MaybeDone("it does not answer") from None
            except ConnectionLost as error:
                raise MaybeDone(str(error)) from error
            except Fault as fault:
                if fault.stale_token and self._user and not again:
                    self._token = ""
                    continue
                if fault.ask_another:
                    raise NotDone(str(fault)) from fault
                if not fault.certain:
                    raise MaybeDone(str(fault)) from fault
                raise
            self._note(answer.header, floor)
            return answer
        raise AssertionError("the second attempt returns or raises")

    async def _ready(self, endpoint: Endpoint, deadline_s: float, *, fresh: bool = False) -> Connection:
        """A connection to a member of our cluster, and a token if one is needed. Raises `NotDone`.

        `fresh`: a new one, so that the token has just been looked at."""
        loop = asyncio.get_running_loop()
        # The next one must have a chance; and one with a slow disk needs longer for its first answer.
        patience_s = min(CONNECT_WITHIN_S * 2 ** min(endpoint.failures, 3), (deadline_s - loop.time()) / 2)
        try:
            async with asyncio.timeout(max(0.0, patience_s)) as patience:
                connection = await endpoint.connection(fresh=fresh)
                try:
                    if self._user and not (self._token and connection.cluster_id):
                        patience.reschedule(min(deadline_s, loop.time() + LOGIN_WITHIN_S))
                    await self._introduce(connection)
                except BaseException:
                    connection.abort()
                    endpoint.give_back(connection)
                    raise
            return connection
        except TimeoutError:
            raise NotDone("it does not answer") from None
        except OSError as error:
            raise NotDone(_reason(error)) from error
        except (ConnectionLost, Unavailable, Fault) as error:
            raise NotDone(str(error)) from error

    async def _exchange(
        self, endpoint: Endpoint, connection: Connection, path: str, body: bytes, kind: type[AnswerKind]
    ) -> AnswerKind:
        status, answer = await endpoint.call(connection, path, body, self._token)
        return _parsed(status, answer, kind)

    async def _introduce(self, connection: Connection) -> None:
        if self._user and not self._token:
            self._token = await self._login(connection)
        if connection.cluster_id == 0:
            try:
                connection.cluster_id = await self._ask_cluster(connection)
            except Fault as fault:
                if not (self._user and fault.stale_token):
                    raise
                self._token = await self._login(connection)
                connection.cluster_id = await self._ask_cluster(connection)
        if self._cluster_id not in (0, connection.cluster_id):
            raise NotDone(
                f"it belongs to another etcd cluster ({connection.cluster_id:x}, ours is {self._cluster_id:x})"
            )

    async def _ask_cluster(self, connection: Connection) -> int:
        """Each member answers this by itself."""
        if self._user:  # shows also whether the token is still good
            body = wire.encode(**wire.span(self.prefix), serializable=True, count_only=True, limit=1)
            found = _parsed(*await connection.exchange(wire.RANGE, body, self._token), wire.RangeAnswer)
            return found.header.cluster_id
        try:
            # From memory: also while its disk hangs, so that a write can be on its way.
            return _parsed(*await connection.exchange(wire.MEMBERS, b"{}", ""), wire.MembersAnswer).header.cluster_id
        except Fault:  # a learner answers nearly nothing
            return _parsed(*await connection.exchange(wire.STATUS, b"{}", ""), wire.StatusAnswer).header.cluster_id

    async def _login(self, connection: Connection) -> str:
        try:
            password = _first_line(self._password_file)
        except OSError as error:
            raise NotDone(f"cannot read the password in {self._password_file}: {error.strerror}") from error
        body = wire.encode(name=self._user, password=password)
        return _parsed(*await connection.exchange(wire.AUTHENTICATE, body, ""), wire.TokenAnswer).token

    def _note(self, header: wire.Header, floor: int) -> None:
        if header.revision == 0:
            return  # an answer that a member gave by itself
        self._cluster_id = self._cluster_id or header.cluster_id
        if header.revision < floor:
            # Everybody must read anew; this is said once, and then the new history counts.
            self.seen = header.revision
            raise MaybeDone(f"its history went back from revision {floor} to {header.revision}: was a backup restored?")
        self.seen = max(self.seen, header.revision)

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
        body = wire.encode(**wire.span(self.prefix), limit=1, keys_only=True)
        try:
            await self._carry(
                endpoint, wire.RANGE, body, wire.RangeAnswer, asyncio.get_running_loop().time() + PROBE_WITHIN_S
            )
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
            status = await self.ask(endpoint, wire.STATUS, b"{}", wire.StatusAnswer, timeout_s=PROBE_WITHIN_S)
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
        self._learnt = [
            known.get(url) or self.endpoint(url) for url in members if url not in seeds and url.startswith("http")
        ]
        for url, endpoint in known.items():
            if url not in seeds and url not in members:
                endpoint.close()
        await asyncio.gather(*map(self._ask_version, self.order()))

    async def _ask_version(self, endpoint: Endpoint) -> None:
        if endpoint.failures:
            return
        with contextlib.suppress(NotDone, MaybeDone, Fault):
            status = await self.ask(endpoint, wire.STATUS, b"{}", wire.StatusAnswer, timeout_s=PROBE_WITHIN_S)
            version = status.version
            if version not in self._versions:
                self._versions.add(version)
                if words := warning(version):
                    log.warning("etcd's version", member=endpoint.name, why=words)


def _first_line(path: str) -> str:
    return Path(path).read_text().partition("\n")[0]


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused (etcd does not run there; its log says why)"
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno).lower()
    return error.strerror or str(error)


def _parsed(status: int, body: bytes, kind: type[AnswerKind]) -> AnswerKind:
    if status != 200:
        raise fault_of(status, body)
    try:
        return wire.decode(body, kind)
    except msgspec.DecodeError as error:
        raise Fault(f"it does not answer as etcd's gateway does: {error}", "", 0) from error
