"""Until when may this node run resources, and what does a resource host do about it?

The run permit is one small record in a file. The cluster service extends it after each renewal of its session; every
resource host of the node reads it by itself. So a frozen service cannot keep resources running: when the deadline
passes, the hosts stop everything (rule 3). And a service that ended is no reason to stop anything while the deadline
runs (rule 7): its hosts stay as orphans that guard what they opened, until a new service has extended the permit (its
own hosts guard then) or the deadline passes.

A host begins to obey once it has seen a record of its own service. Before that it starts nothing and stops nothing:
what it finds running is guarded by the orphans of the service before, or has no permit at all, and then it is the
service that decides (rule 6).

Times are seconds of CLOCK_BOOTTIME: it never jumps, and it counts while the machine sleeps.
"""

import enum
import zlib
from dataclasses import dataclass

RECORD_BYTES = 128
_MAGIC = "outlast-permit"
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class PermitRecord:
    service: str
    """Which life of the cluster service wrote it."""
    generation: int
    """Up by one with each writing; for people who look at the file."""
    until_s: float


def to_bytes(record: PermitRecord) -> bytes:
    """One line of text, always `RECORD_BYTES` long, so that it is overwritten in place by one write."""
    body = f"{_MAGIC} {_VERSION} {record.service} {record.generation} {record.until_s:.6f}"
    line = f"{body} {zlib.crc32(body.encode()):08x}".ljust(RECORD_BYTES - 1) + "\n"
    if len(line) != RECORD_BYTES or len(record.service.split()) != 1:
        raise ValueError(f"a service's id must be one word of at most 64 characters, not {record.service!r}")
    return line.encode()


def from_bytes(data: bytes) -> PermitRecord | None:
    """None for anything but a whole record: a torn read, another version, an empty file."""
    words = data[:RECORD_BYTES].decode("ascii", errors="replace").split()
    if len(words) != 6 or words[0] != _MAGIC or words[1] != _VERSION:
        return None
    if f"{zlib.crc32(' '.join(words[:5]).encode()):08x}" != words[5]:
        return None
    return PermitRecord(service=words[2], generation=int(words[3]), until_s=float(words[4]))


class Order(enum.Enum):
    """What a resource host has to do now."""

    WAIT = "wait"
    """No permit of our own service yet: start nothing, stop nothing."""
    RUN = "run"
    STOP = "stop"
    """The deadline has passed: stop everything, by force."""
    LEAVE = "leave"
    """End quietly and touch nothing: another service's hosts are in charge."""


@dataclass(frozen=True, slots=True)
class Judgement:
    order: Order
    look_again_s: float | None = None
    """When the answer may change by itself; None when only something new can change it."""


class Guard:
    """One resource host's view of the permit. `service` is the life of the service that started the host."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._last: PermitRecord | None = None

    def judge(self, record: PermitRecord | None, now_s: float, *, service_gone: bool) -> Judgement:
        """`record` is what the file holds now: None when it cannot be read, and then the last one read counts."""
        ours = self._note(record)
        if ours is None:
            return Judgement(Order.LEAVE if service_gone else Order.WAIT)
        others = record if record is not None and record.service != self._service else None
        if others is not None and others.until_s > now_s:
            return Judgement(Order.LEAVE)
        if now_s < ours.until_s:
            return Judgement(Order.RUN, ours.until_s)
        return Judgement(Order.STOP)

    def _note(self, record: PermitRecord | None) -> PermitRecord | None:
        if record is not None and record.service == self._service:
            self._last = record
        return self._last
