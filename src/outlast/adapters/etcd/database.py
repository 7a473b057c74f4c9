"""The cluster database port on etcd. What may be asked again elsewhere, and what not, is the client's business."""

import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence

from outlast.adapters.etcd import wire
from outlast.adapters.etcd.client import Client
from outlast.adapters.etcd.faults import Fault
from outlast.adapters.etcd.watches import watch
from outlast.ports.database import (
    Batch,
    Committed,
    Compare,
    Entry,
    Refused,
    Snapshot,
    Unavailable,
    Unwritable,
    Write,
    check_limits,
)


class EtcdDatabase:
    def __init__(self, client: Client) -> None:
        """Ends the client when it is closed."""
        self._client = client

    async def read(self, prefix: str, *, timeout_s: float) -> Snapshot:
        body = wire.encode(**wire.span(self._client.access.prefix + prefix.encode()))
        with _said("cannot read the cluster database", Unavailable):
            answer = await self._client.read(wire.RANGE, body, wire.RangeAnswer, timeout_s=timeout_s)
        cut = len(self._client.access.prefix)
        entries = tuple(Entry(kv.key[cut:].decode(), kv.value, kv.mod_revision) for kv in answer.kvs)
        return Snapshot(answer.header.revision, entries)

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float
    ) -> Committed | Refused:
        compares, writes = tuple(compares), tuple(writes)
        check_limits(compares, writes)
        body = wire.txn(self._client.access.prefix, compares, writes)
        with _said("cannot write to the cluster database", Unwritable):
            answer = await self._client.write(wire.TXN, body, wire.TxnAnswer, timeout_s=timeout_s)
        return Committed(answer.header.revision) if answer.succeeded else Refused(answer.header.revision)

    def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[Batch, None]:
        return watch(self._client, prefix, after_revision)

    async def compact(self, revision: int, *, timeout_s: float) -> None:
        try:
            body = wire.encode(revision=revision, physical=True)  # the space is free when this returns
            await self._client.write(wire.COMPACT, body, wire.Answer, timeout_s=timeout_s)
        except Fault as fault:
            if "has been compacted" in fault.message:
                return
            if "future revision" in fault.message:
                raise ValueError(f"cannot compact up to revision {revision}: it is in the future") from fault
            raise Unavailable(f"cannot compact the cluster database: {fault}") from fault

    async def close(self) -> None:
        await self._client.close()


@contextlib.contextmanager
def _said(what: str, kind: type[Unavailable]) -> Iterator[None]:
    """A certain "no" of etcd's: nothing was done."""
    try:
        yield
    except Fault as fault:
        raise kind(f"{what}: {fault}") from fault
