"""What do the cluster service and a resource host say to each other, and how does it look on the wire?

The host speaks first: one line, `outlast-rhs <protocol> <types>`, so that it can be read in strace and checked from
any language, and so that a service of another version learns at once what it talks to. After the line come frames:
four bytes of length (big endian), then JSON. The host says of each type that it is `Loading` it, then comes its
`Hello`; from then on the service sends calls, and the host sends answers (`Done`, `Failed`, `Progress`, by the call's
id) and reports, in any order.

Fields that the reader does not know are ignored, and fields with a default may be missing: that is how a protocol
version grows. A new kind of frame, or a new meaning, is a new version.

This file is a pure codec: bytes in, values out.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from outlast.model.health import Found, Health, Json, Redefinition, Spec
from outlast.model.inside import Incident, Inquiry
from outlast.model.node import Offer
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer

PROTOCOL = 2
GREETING = "outlast-rhs"
MAX_FRAME_BYTES = 16 * 1024 * 1024
"""More than any domain XML or screenshot needs; less than what a broken peer could make us allocate."""

_LENGTH_BYTES = 4
_MAX_LINE_BYTES = 4096


class BadFrame(Exception):
    """The other side sent what this version does not understand. The text is for people."""


# -- calls, service to host ---------------------------------------------------------------------------------


class Open(msgspec.Struct, frozen=True, tag_field="frame", tag="open"):
    id: int
    spec: Spec


class Online(msgspec.Struct, frozen=True, tag_field="frame", tag="online"):
    id: int
    resource: str


class Offline(msgspec.Struct, frozen=True, tag_field="frame", tag="offline"):
    id: int
    resource: str
    timeout_s: float


class Terminate(msgspec.Struct, frozen=True, tag_field="frame", tag="terminate"):
    id: int
    resource: str


class Forget(msgspec.Struct, frozen=True, tag_field="frame", tag="forget"):
    id: int
    resource: str


class Close(msgspec.Struct, frozen=True, tag_field="frame", tag="close"):
    id: int
    resource: str


class Control(msgspec.Struct, frozen=True, tag_field="frame", tag="control"):
    id: int
    resource: str
    verb: str
    arguments: Mapping[str, Json]


class HandOver(msgspec.Struct, frozen=True, tag_field="frame", tag="hand_over"):
    id: int
    resource: str
    to: Destination


class CallBack(msgspec.Struct, frozen=True, tag_field="frame", tag="call_back"):
    id: int
    resource: str


class TakeUp(msgspec.Struct, frozen=True, tag_field="frame", tag="take_up"):
    id: int
    resource: str


class Inquire(msgspec.Struct, frozen=True, tag_field="frame", tag="inquire"):
    id: int
    resource: str
    inquiry: Inquiry


class Reset(msgspec.Struct, frozen=True, tag_field="frame", tag="reset"):
    id: int
    resource: str
    until_s: float
    """By CLOCK_BOOTTIME. Not later: what hung when that was decided may be well by then."""


class GoOn(msgspec.Struct, frozen=True, tag_field="frame", tag="go_on"):
    id: int
    resource: str


class Save(msgspec.Struct, frozen=True, tag_field="frame", tag="save"):
    id: int
    resource: str
    stop: str
    """What this stop is called: the state belongs to it alone."""
    directory: str
    """Where its state is to lie; empty: where its type keeps it."""


class Restore(msgspec.Struct, frozen=True, tag_field="frame", tag="restore"):
    id: int
    resource: str
    state: SavedState


class LooksAlive(msgspec.Struct, frozen=True, tag_field="frame", tag="looks_alive"):
    id: int
    type: str
    resources: Sequence[str]


class IsAlive(msgspec.Struct, frozen=True, tag_field="frame", tag="is_alive"):
    id: int
    type: str
    resources: Sequence[str]


class Discover(msgspec.Struct, frozen=True, tag_field="frame", tag="discover"):
    id: int
    type: str


class TypeControl(msgspec.Struct, frozen=True, tag_field="frame", tag="type_control"):
    id: int
    type: str
    verb: str
    arguments: Mapping[str, Json]


ResourceCall = (
    Open
    | Online
    | Offline
    | Terminate
    | Forget
    | Close
    | Control
    | HandOver
    | CallBack
    | TakeUp
    | Inquire
    | Reset
    | GoOn
    | Save
    | Restore
)
TypeCall = LooksAlive | IsAlive | Discover | TypeControl
Call = ResourceCall | TypeCall

# -- answers and reports, host to service -------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, tag_field="frame", tag="hello"):
    offers: tuple[Offer, ...]


class Loading(msgspec.Struct, frozen=True, tag_field="frame", tag="loading"):
    """Before `Hello`: which plugin is loaded now. A host that hangs or ends in that says by this whose fault it is."""

    types: tuple[str, ...]
    type: str


class Progress(msgspec.Struct, frozen=True, tag_field="frame", tag="progress"):
    id: int
    word: str
    transfer: Transfer | None = None


class Done(msgspec.Struct, frozen=True, tag_field="frame", tag="done"):
    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    """Decoded by the caller, who knows what it asked for."""


class Failed(msgspec.Struct, frozen=True, tag_field="frame", tag="failed"):
    id: int
    why: str
    refusal: bool = False


class HealthSeen(msgspec.Struct, frozen=True, tag_field="frame", tag="health"):
    resource: str
    health: Health


class Redefined(msgspec.Struct, frozen=True, tag_field="frame", tag="redefined"):
    resource: str
    change: Redefinition


class Happened(msgspec.Struct, frozen=True, tag_field="frame", tag="happened"):
    resource: str
    incident: Incident
    words: str


class ThingAppeared(msgspec.Struct, frozen=True, tag_field="frame", tag="appeared"):
    type: str
    found: Found


class OfferChanged(msgspec.Struct, frozen=True, tag_field="frame", tag="offer"):
    offer: Offer


Answer = Progress | Done | Failed
FromHost = Loading | Hello | Progress | Done | Failed | HealthSeen | Redefined | Happened | ThingAppeared | OfferChanged

_encoder = msgspec.json.Encoder()
_from_host: msgspec.json.Decoder[FromHost] = msgspec.json.Decoder(FromHost)
_from_service: msgspec.json.Decoder[Call] = msgspec.json.Decoder(Call)


def greeting(types: Sequence[str]) -> bytes:
    """The host's first line."""
    return f"{GREETING} {PROTOCOL} {','.join(types) or '-'}\n".encode()


def check_greeting(line: bytes) -> None:
    """Raises `BadFrame`, with words, unless a host of our protocol sent this line."""
    text = line.decode(errors="replace").rstrip("\n")
    words = text.split(" ")
    if words[0] != GREETING or len(words) < 2:
        raise BadFrame(f"it is no resource host: it began with {text[:60]!r}, not with {GREETING!r}")
    if words[1] != str(PROTOCOL):
        raise BadFrame(
            f"it speaks protocol {words[1]}, this cluster service speaks protocol {PROTOCOL}; "
            "both come from the same package: finish the upgrade, then restart outlastd"
        )


def encode(message: Call | FromHost) -> bytes:
    """One frame. Raises `BadFrame` when it is too large."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise BadFrame(f"a message of {len(body)} bytes is more than the {MAX_FRAME_BYTES} allowed")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def encode_result(result: object) -> msgspec.Raw:
    """A call's result, for `Done`. Raises `TypeError` for what JSON cannot hold."""
    return msgspec.Raw(_encoder.encode(result))


def decode_from_host(body: bytes) -> FromHost:
    try:
        return _from_host.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(f"the resource host sent a frame that cannot be read: {error}") from error


def decode_call(body: bytes) -> Call:
    try:
        return _from_service.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(f"the cluster service sent a frame that cannot be read: {error}") from error


class Splitter:
    """Cuts a stream of bytes into the bodies of frames; takes the greeting off first when told so."""

    def __init__(self, *, greeting_first: bool) -> None:
        self._buffer = bytearray()
        self._greeting_first = greeting_first

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields each complete body. Raises `BadFrame`; the stream is of no use after that."""
        self._buffer += data
        if self._greeting_first:
            if not self._take_greeting():
                return
            self._greeting_first = False
        while (body := self._take_body()) is not None:
            yield body

    def _take_greeting(self) -> bool:
        end = self._buffer.find(b"\n", 0, _MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= _MAX_LINE_BYTES:
                check_greeting(bytes(self._buffer[:_MAX_LINE_BYTES]))
                raise BadFrame("its first line does not end")
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        check_greeting(line)
        return True

    def _take_body(self) -> bytes | None:
        if len(self._buffer) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if length > MAX_FRAME_BYTES:
            raise BadFrame(f"a frame of {length} bytes is announced, more than the {MAX_FRAME_BYTES} allowed")
        end = _LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH_BYTES:end])
        del self._buffer[:end]
        return body
