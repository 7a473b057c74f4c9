"""How is one member asked, once?

A connection that is new shows first which etcd cluster it leads to: it must be the one that a majority has answered
from. With users, a token is needed too; it expires, and members forget it when they are started again. Then what was
asked was certainly not done, and is asked again with a new one.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.connection import Connection, ConnectionLost
from outlast.adapters.etcd.endpoint import Endpoint
from outlast.adapters.etcd.faults import Fault, fault_of
from outlast.adapters.etcd.tls import Files, Tls
from outlast.adapters.etcd.wire import AnswerKind
from outlast.ports.database import Unavailable

CONNECT_WITHIN_S = 0.5
LOGIN_WITHIN_S = 2.0  # etcd takes its time for passwords, on purpose
STREAM_WITHIN_S = 5.0


class NotDone(Exception):
    """What was asked was certainly not done; another member may do it."""


class MaybeDone(Exception):
    """It was sent, and there is no answer that says what became of it."""


class Access:
    def __init__(self, prefix: str, files: Files, user: str, password_file: str) -> None:
        self.prefix = prefix.encode()
        self.seen = 0
        """The highest revision that any answer has told us."""
        self._tls = Tls(files)
        self._user, self._password_file = user, password_file
        self._token = ""
        self._cluster_id = 0

    def endpoint(self, url: str) -> Endpoint:
        """At this very address; to be closed by the caller. Raises ValueError."""
        return Endpoint(url, self._tls.context)

    async def attempt(
        self, endpoint: Endpoint, path: str, body: bytes, kind: type[AnswerKind], timeout_s: float
    ) -> AnswerKind:
        """Raises `NotDone`, `MaybeDone`, or `Fault` for a certain "no"."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
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

    async def ask(
        self, endpoint: Endpoint, path: str, body: bytes, kind: type[AnswerKind], *, timeout_s: float
    ) -> AnswerKind:
        """What this very member knows by itself: that says little about whether it can do anything, so a
        time-out and a certain "no" are told apart no further. Raises `NotDone`, `MaybeDone`, `Fault`."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        connection = await self._ready(endpoint, deadline_s)
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self._exchange(endpoint, connection, path, body, kind)
        except (TimeoutError, ConnectionLost) as error:
            raise MaybeDone(str(error) or "it does not answer") from error

    async def page(self, endpoint: Endpoint, path: str, *, timeout_s: float) -> bytes:
        """What is no part of the gateway, as it is. Raises as `ask`."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        connection = await self._ready(endpoint, deadline_s)
        try:
            async with asyncio.timeout_at(deadline_s):
                status, page = await endpoint.call(connection, path, b"", self._token)
        except (TimeoutError, ConnectionLost) as error:
            raise MaybeDone(str(error) or "it does not answer") from error
        if status != 200:
            raise fault_of(status, page)
        return page

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
                f"it belongs to another etcd cluster ({connection.cluster_id:x}, ours is {self._cluster_id:x}); if "
                "ours was made anew, start the service again"
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
