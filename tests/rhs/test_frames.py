"""How service and host talk, byte by byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast import frames
from outlast.model.health import Condition, Features, Health, Redefinition, Spec
from outlast.model.inside import Asked, Incident, Inquiry
from outlast.model.node import Offer

CALLS: list[frames.Call] = [
    frames.Open(1, Spec("web", "vm", "<domain/>", "u", {"a": [1, None, {"b": "ü"}]})),
    frames.Online(2, "web"),
    frames.Offline(3, "web", 60.5),
    frames.Terminate(4, "web"),
    frames.Forget(5, "web"),
    frames.Close(6, "web"),
    frames.Control(7, "web", "console", {"x": 1}),
    frames.LooksAlive(8, "vm", ["web", "db"]),
    frames.IsAlive(9, "vm", []),
    frames.Discover(10, "vm"),
    frames.Inquire(12, "web", Inquiry(Asked.TCP, "192.0.2.1:80", 2.5)),
    frames.Reset(13, "web", 12345.5),
    frames.GoOn(14, "web"),
    frames.TypeControl(11, "vm", "parse", {"definition": "<domain/>"}),
]
FROM_HOST: list[frames.FromHost] = [
    frames.Hello((Offer("vm", "1", "abc", ("list",)),)),
    frames.Progress(1, "defined"),
    frames.Done(2, msgspec.Raw(b'{"a":1}')),
    frames.Failed(3, "no such disk", refusal=True),
    frames.HealthSeen("web", Health(Condition.FAILED, "killed")),
    frames.Redefined("web", Redefinition("<domain/>", Features(1024), Features(2048, disks=("/srv/a.img",)))),
    frames.Happened("web", Incident.REBOOTED, "was rebooted"),
    frames.OfferChanged(Offer("vm", problem="damaged")),
]


def bodies(data: bytes, *, pieces: int = 1, greeting_first: bool = False) -> list[bytes]:
    splitter = frames.Splitter(greeting_first=greeting_first)
    return [body for at in range(0, len(data), pieces) for body in splitter.feed(data[at : at + pieces])]


@pytest.mark.parametrize("pieces", [1, 3, 7, 100_000])
def test_whatever_pieces_the_stream_comes_in_the_messages_are_the_same(pieces: int) -> None:
    stream = b"".join(frames.encode(call) for call in CALLS)
    assert [frames.decode_call(body) for body in bodies(stream, pieces=pieces)] == CALLS


def test_answers_and_reports_come_out_as_they_went_in() -> None:
    stream = b"".join(frames.encode(message) for message in FROM_HOST)
    assert [frames.decode_from_host(body) for body in bodies(stream)] == FROM_HOST


def test_the_first_line_can_be_read_by_people_and_comes_off_before_the_frames() -> None:
    line = frames.greeting(["vm", "dummy"])
    assert line == b"outlast-rhs 2 vm,dummy\n"
    stream = line + frames.encode(frames.Discover(1, "vm"))
    assert len(bodies(stream, pieces=5, greeting_first=True)) == 1


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"outlast-rhs 1 vm\n", "protocol 1"),
        (b"SSH-2.0-OpenSSH_9.2\n", "no resource host"),
        (b"outlast-rhs\n", "no resource host"),
        (b"x" * 5000, "no resource host"),
        (b"outlast-rhs 2 " + b"x" * 5000, "does not end"),
    ],
)
def test_a_greeting_of_another_kind_or_version_is_refused_in_words(line: bytes, word: str) -> None:
    with pytest.raises(frames.BadFrame, match=word):
        bodies(line, pieces=10_000, greeting_first=True)


def test_what_the_other_side_has_added_is_ignored() -> None:
    body = b'{"frame":"online","id":1,"resource":"web","mood":"good","more":[1,2]}'
    assert frames.decode_call(body) == frames.Online(1, "web")


def test_a_frame_larger_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(frames.BadFrame, match="announced"):
        bodies((frames.MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(frames.BadFrame, match="more than"):
        frames.encode(frames.Open(1, Spec("web", "vm", "x" * frames.MAX_FRAME_BYTES)))


@given(st.binary(max_size=200))
def test_garbage_is_a_bad_frame_and_nothing_worse(body: bytes) -> None:
    for decode in (frames.decode_call, frames.decode_from_host):
        with pytest.raises(frames.BadFrame):
            decode(body)
