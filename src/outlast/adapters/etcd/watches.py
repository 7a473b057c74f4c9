"""How does a watch get every commit, in order, once and whole, from members that come and go?

It asks for history from the last delivered revision, throws that one away, and so follows at the next: had it asked
for the next, etcd would not tell that exactly that one was compacted, and forgets deletes then (etcd before 3.4.36,
3.5.17). Nothing else moves its position: no header, no notification of progress. And what is repeated must be what was
delivered: else it is another history, of a survivor that went on with less, and all must be read again.

A member may be frozen, or cut off from the others, and go on holding the connection. So a stream that is silent for
`SILENCE_S` is probed: with a linearizable read on that very member, which must not know of a commit that the stream
has not delivered. And this process may have been frozen itself, while etcd had no room for what it did not take
(before 3.4.31 / 3.5.13 it then loses what is compacted meanwhile): after such a stall the stream is begun anew.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator

import msgspec

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.access import MaybeDone, NotDone
from outlast.adapters.etcd.client import Client
from outlast.adapters.etcd.connection import Connection, ConnectionLost
from outlast.adapters.etcd.endpoint import Endpoint
from outlast.adapters.etcd.faults import Fault, fault_from
from outlast.ports.database import AnotherHistory, Batch, Change, Compacted, Unavailable

LOOK_S = 0.5
"""How often a silent stream's member is looked after: whether calls to it have failed meanwhile."""
SILENCE_S = 1.0
ANSWER_WITHIN_S = 0.6
STALL_S = 10.0
OWED_PROBES = 3
"""That many probes may find a commit that has not been delivered: etcd may be slow."""
HOME_AFTER_S = 30.0
"""A watch on another member than the best goes back there after that time."""
RETRY_S = 0.2


class _Broken(Exception):
    """This stream gives no more, and another is to go on. Without words: nothing is wrong with the member."""


async def watch(client: Client, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
    position = after_revision
    known = min(after_revision, client.access.seen)
    last: Batch | None = None
    while not client.closed:
        stream = _Stream(client, client.order()[0], prefix, position, known, last)
        try:
            await stream.begin()
            while True:
                for batch in stream.batches(await stream.answer()):
                    position, known, last = batch.revision, batch.revision, batch
                    yield batch
        except _Broken as broken:
            if client.closed:
                return
            if str(broken):
                client.failed(stream.endpoint, str(broken))
                if client.order()[0].failures:
                    await asyncio.sleep(RETRY_S)
        finally:
            stream.end()


class _Stream:
    def __init__(
        self, client: Client, endpoint: Endpoint, prefix: str, position: int, known: int, last: Batch | None
    ) -> None:
        self.endpoint = endpoint
        self._client = client
        self._span = wire.span(client.access.prefix + prefix.encode())
        self._position = position
        self._known = known
        """The database has certainly had that revision: one that is behind it is not the one we followed."""
        self._repeats = last
        """What it must begin with, because that was delivered at the position."""
        self._owed = 0
        """So many probes in a row have found something that has not come."""
        self._connection: Connection | None = None
        self._looked_s = self._heard_s = self._began_s = asyncio.get_running_loop().time()

    async def begin(self) -> None:
        """Raises `_Broken`, `Unavailable`."""
        body = wire.encode(create_request={**self._span, "start_revision": max(1, self._position)})
        try:
            self._connection = await self._client.access.stream(self.endpoint, wire.WATCH, body)
        except NotDone as error:
            raise _Broken(str(error)) from error
        except Fault as fault:
            raise _refused(fault) from fault

    def end(self) -> None:
        if self._connection:
            self.endpoint.give_back(self._connection)

    async def answer(self) -> wire.WatchAnswer:
        """The next one, however long it takes. Raises `_Broken`, `Compacted`, `Unavailable`."""
        assert self._connection
        while not self._should_go_home():
            line = b""
            try:
                async with asyncio.timeout(LOOK_S):
                    line = await self._connection.line()
            except TimeoutError:
                pass
            except ConnectionLost as error:
                raise _Broken(str(error)) from error
            before_s, self._looked_s = self._looked_s, asyncio.get_running_loop().time()
            if self._looked_s > before_s + STALL_S or (not line and self._is_out_of_favour()):
                break
            if line:
                self._heard_s = self._looked_s
                return self._parsed(line)
            if self._looked_s > self._heard_s + SILENCE_S:
                await self._probe()
                self._heard_s = self._looked_s = asyncio.get_running_loop().time()
        raise _Broken

    def batches(self, answer: wire.WatchAnswer) -> Iterator[Batch]:
        """By revision. (An answer holds whole revisions, since we do not ask for fragments.)"""
        cut = len(self._client.access.prefix)
        for revision, events in itertools.groupby(answer.events, lambda event: event.kv.mod_revision):
            if revision < self._position:
                continue  # a member that repeats itself (etcd before 3.4.24)
            changes = [
                Change(event.kv.key[cut:].decode(), None if event.type == "DELETE" else event.kv.value, revision)
                for event in events
            ]
            changes.sort(key=lambda change: change.key)
            batch = Batch(revision, tuple(changes))
            self._check_repeated(batch)
            if revision == self._position:
                continue
            self._position = self._known = revision
            self._owed = 0
            yield batch

    def _check_repeated(self, first: Batch) -> None:
        expected, self._repeats = self._repeats, None
        if expected is None or first == expected:
            return
        if _may_be_forgotten(expected, first):
            raise Compacted(f"what was deleted in revision {expected.revision} is just forgotten; read again")
        raise AnotherHistory(
            f"the history from revision {expected.revision} on is another one than what was seen there: was the "
            "quorum forced, or a backup restored? Read again"
        )

    def _should_go_home(self) -> bool:
        return self._looked_s > self._began_s + HOME_AFTER_S and self._client.order()[0] is not self.endpoint

    def _is_out_of_favour(self) -> bool:
        """Calls to it have failed, and others work."""
        return self.endpoint.failures > 0 and self._client.order()[0].failures == 0

    def _parsed(self, line: bytes) -> wire.WatchAnswer:
        try:
            parsed = wire.decode(line, wire.WatchLine)
        except msgspec.DecodeError as error:
            raise _Broken(f"it does not answer as etcd's gateway does: {error}") from error
        if parsed.error or parsed.result is None:
            raise _refused(fault_from(parsed.error or wire.Trouble("it ended the watch")))
        answer = parsed.result
        if answer.canceled and answer.compact_revision:
            raise Compacted(
                f"cannot watch from revision {self._position}: history up to {answer.compact_revision} is gone; "
                "read again"
            )
        if answer.canceled:
            raise _refused(fault_from(wire.Trouble(answer.cancel_reason or "it ended the watch")))
        return answer

    async def _probe(self) -> None:
        """Is the member still one that knows what is committed, and has it told us all?"""
        body = wire.encode(**self._span, min_mod_revision=self._position + 1, limit=1, keys_only=True)
        try:
            answer = await self._client.carry(self.endpoint, wire.RANGE, body, wire.RangeAnswer, ANSWER_WITHIN_S)
        except (NotDone, MaybeDone) as error:
            raise _Broken(str(error)) from error
        except Fault as fault:
            raise _refused(fault) from fault
        if answer.header.revision < self._known:
            raise AnotherHistory(
                f"the database is at revision {answer.header.revision}, and has been at {self._known}: was a backup "
                "restored? Read again"
            )
        self._owed = self._owed + 1 if answer.kvs else 0
        if self._owed > OWED_PROBES:
            raise _Broken(f"it holds back what was committed after revision {self._position}")


def _may_be_forgotten(expected: Batch, first: Batch) -> bool:
    """Does nothing but deletes lack? They are gone as soon as their own revision is compacted; a put is kept."""
    there = first.changes if first.revision == expected.revision else ()
    lacks = [change for change in expected.changes if change not in there]
    return all(change in expected.changes for change in there) and all(change.value is None for change in lacks)


def _refused(fault: Fault) -> _Broken | Unavailable:
    if fault.certain and not fault.ask_another and not fault.stale_token:
        return Unavailable(f"cannot watch the cluster database: {fault}")
    return _Broken(str(fault))
