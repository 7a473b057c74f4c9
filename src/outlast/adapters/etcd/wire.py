"""What is said to etcd's gateway: JSON with the fields' names of etcd's own protocol.

Numbers of 64 bits come as text, bytes as base64, and fields that are zero are left out: the decoders see to all three.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from outlast.ports.database import Compare, Put, Write

RANGE = "/v3/kv/range"
TXN = "/v3/kv/txn"
COMPACT = "/v3/kv/compaction"
WATCH = "/v3/watch"
AUTHENTICATE = "/v3/auth/authenticate"
STATUS = "/v3/maintenance/status"
ALARM = "/v3/maintenance/alarm"
DEFRAGMENT = "/v3/maintenance/defragment"
MOVE_LEADER = "/v3/maintenance/transfer-leadership"
MEMBERS = "/v3/cluster/member/list"
ADD_MEMBER = "/v3/cluster/member/add"
REMOVE_MEMBER = "/v3/cluster/member/remove"
METRICS = "/metrics"
PROMOTE_MEMBER = "/v3/cluster/member/promote"


class Header(msgspec.Struct, frozen=True):
    cluster_id: int = 0
    member_id: int = 0
    revision: int = 0
    raft_term: int = 0


class Answer(msgspec.Struct, frozen=True):
    header: Header = Header()


class KeyValue(msgspec.Struct, frozen=True):
    key: bytes
    value: bytes = b""
    mod_revision: int = 0


class RangeAnswer(Answer, frozen=True):
    kvs: tuple[KeyValue, ...] = ()


class TxnAnswer(Answer, frozen=True):
    succeeded: bool = False


class WatchEvent(msgspec.Struct, frozen=True):
    kv: KeyValue
    type: str = "PUT"


class WatchAnswer(Answer, frozen=True):
    created: bool = False
    canceled: bool = False
    cancel_reason: str = ""
    compact_revision: int = 0
    events: tuple[WatchEvent, ...] = ()


class Trouble(msgspec.Struct, frozen=True):
    """The body of an error: etcd 3.4 and 3.6 say `code`, 3.5 and every stream before 3.6 say `grpc_code`."""

    message: str = ""
    code: int = 0
    grpc_code: int = 0


class WatchLine(msgspec.Struct, frozen=True):
    result: WatchAnswer | None = None
    error: Trouble | None = None


class TokenAnswer(Answer, frozen=True):
    token: str = ""


class StatusAnswer(Answer, frozen=True):
    version: str = ""
    dbSize: int = 0
    dbSizeInUse: int = 0
    leader: int = 0
    raftIndex: int = 0
    raftTerm: int = 0
    errors: tuple[str, ...] = ()
    isLearner: bool = False


class WireMember(msgspec.Struct, frozen=True):
    ID: int = 0
    name: str = ""
    peerURLs: tuple[str, ...] = ()
    clientURLs: tuple[str, ...] = ()
    isLearner: bool = False


class MembersAnswer(Answer, frozen=True):
    members: tuple[WireMember, ...] = ()


class AddedAnswer(Answer, frozen=True):
    member: WireMember = WireMember()


class WireAlarm(msgspec.Struct, frozen=True):
    memberID: int = 0
    alarm: str = "NONE"


class AlarmsAnswer(Answer, frozen=True):
    alarms: tuple[WireAlarm, ...] = ()


AnswerKind = TypeVar("AnswerKind", bound=Answer)
_Kind = TypeVar("_Kind")

_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def decode(body: bytes, kind: type[_Kind]) -> _Kind:
    """Raises `msgspec.DecodeError` when it is not what etcd says."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind, strict=False)
    decoded: _Kind = decoder.decode(body)
    return decoded


def encode(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


def span(prefix: bytes) -> dict[str, bytes]:
    """All keys that start with `prefix`. (No byte of a prefix is 255: it is UTF-8.)"""
    if not prefix:
        return {"key": b"\0", "range_end": b"\0"}
    return {"key": prefix, "range_end": prefix[:-1] + bytes([prefix[-1] + 1])}


def txn(prefix: bytes, compares: Sequence[Compare], writes: Sequence[Write]) -> bytes:
    return encode(
        compare=[
            {
                "key": prefix + compare.key.encode(),
                "target": "MOD",
                "result": "EQUAL",
                "mod_revision": compare.revision,  # etcd, too, takes 0 for a key that does not exist
            }
            for compare in compares
        ],
        success=[_operation(prefix, write) for write in writes],
    )


def _operation(prefix: bytes, write: Write) -> dict[str, Any]:
    key = prefix + write.key.encode()
    if isinstance(write, Put):
        return {"request_put": {"key": key, "value": write.value}}
    return {"request_delete_range": {"key": key}}
