"""In which order may a resource host carry out what it is told? Played on the host itself, with the dummy type."""

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from outlast import frames
from outlast.model.health import Condition, Health, Spec
from outlast.rhs.host import ResourceHost

SOON_S = 10.0  # catches a hang, measures nothing


class Answers:
    """A wire on which nobody listens; it remembers what was sent."""

    def __init__(self) -> None:
        self.told: list[frames.HealthSeen] = []
        self._found: dict[int, Any] = {}
        self._new = threading.Condition()

    def send(self, message: Any) -> None:
        with self._new:
            if isinstance(message, frames.HealthSeen):
                self.told.append(message)
            if isinstance(message, frames.Done | frames.Failed):
                self._found[message.id] = message
            self._new.notify_all()

    def wake(self) -> None:
        return

    def to(self, id: int) -> Any:
        with self._new:
            assert self._new.wait_for(lambda: id in self._found, SOON_S), f"no answer to call {id}"
            return self._found[id]


def test_a_start_that_waited_while_its_resource_was_told_to_stop_does_not_begin_any_more(tmp_path: Path) -> None:
    answers, may_go_on = Answers(), threading.Event()
    wire: Any = answers
    host = ResourceHost(wire, may_start=lambda: may_go_on.wait(SOON_S), must_stop=lambda: True)
    host.load(["dummy"])
    host.handle(frames.Open(1, Spec("thing", "dummy", properties={"directory": str(tmp_path)})))
    assert isinstance(answers.to(1), frames.Done)
    # The first start holds up the lane until it is let go; the second one waits behind it.
    host.handle(frames.Online(2, "thing"))
    host.handle(frames.Online(3, "thing"))
    host.handle(frames.Terminate(4, "thing"))
    may_go_on.set()
    assert isinstance(answers.to(4), frames.Done)
    refused = answers.to(3)
    assert isinstance(refused, frames.Failed)
    assert "told to stop meanwhile" in refused.why
    host.handle(frames.Online(5, "thing"))
    assert isinstance(answers.to(5), frames.Done)
    host.handle(frames.Terminate(6, "thing"))
    assert isinstance(answers.to(6), frames.Done)


def test_a_stop_is_not_done_while_a_start_of_the_same_resource_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlast.rhs.host._START_ENDS_WITHIN_S", 0.1)
    answers, may_go_on = Answers(), threading.Event()
    wire: Any = answers
    host = ResourceHost(wire, may_start=lambda: may_go_on.wait(SOON_S), must_stop=lambda: True)
    host.load(["dummy"])
    host.handle(frames.Open(1, Spec("thing", "dummy", properties={"directory": str(tmp_path)})))
    assert isinstance(answers.to(1), frames.Done)
    host.handle(frames.Online(2, "thing"))
    host.handle(frames.Terminate(3, "thing"))
    refused = answers.to(3)
    assert isinstance(refused, frames.Failed)
    assert "may still run" in refused.why
    may_go_on.set()
    answers.to(2)
    host.handle(frames.Terminate(4, "thing"))
    assert isinstance(answers.to(4), frames.Done)


def test_while_a_start_hangs_no_word_of_the_plugin_means_that_nothing_runs(tmp_path: Path) -> None:
    """Else a resource that could not be stopped is called failed, and runs elsewhere when this start goes on."""
    answers, asked, may_go_on = Answers(), threading.Event(), threading.Event()
    wire: Any = answers

    def may_start() -> bool:
        asked.set()
        return may_go_on.wait(SOON_S)

    host = ResourceHost(wire, may_start, must_stop=lambda: True)
    host.load(["dummy"])
    host.handle(frames.Open(1, Spec("thing", "dummy", properties={"directory": str(tmp_path)})))
    assert isinstance(answers.to(1), frames.Done)
    host.handle(frames.Online(2, "thing"))
    assert asked.wait(SOON_S)
    host.handle(frames.IsAlive(3, "dummy", ("thing",)))
    health = msgspec.json.decode(answers.to(3).result, type=dict[str, Health])["thing"]
    assert (health.condition, health.running) == (Condition.UNKNOWN, True)
    host.report("thing", Health(Condition.FAILED, "it ended", running=False))
    assert answers.told[-1].health == Health(Condition.FAILED, "it ended", running=True)
    may_go_on.set()
    answers.to(2)
    host.handle(frames.Terminate(4, "thing"))
    answers.to(4)
    host.handle(frames.IsAlive(5, "dummy", ("thing",)))
    assert msgspec.json.decode(answers.to(5).result, type=dict[str, Health])["thing"].condition is Condition.OFFLINE


def test_a_permit_that_was_extended_before_a_stop_for_its_end_has_begun_stops_nothing(tmp_path: Path) -> None:
    for passed in (False, True):
        answers = Answers()
        wire: Any = answers
        host = ResourceHost(wire, may_start=lambda: True, must_stop=lambda passed=passed: passed)  # type: ignore[misc]
        host.load(["dummy"])
        host.handle(frames.Open(1, Spec("thing", "dummy", properties={"directory": str(tmp_path)})))
        host.handle(frames.Online(2, "thing"))
        assert isinstance(answers.to(2), frames.Done)
        host.stop_everything()
        host.handle(frames.Terminate(3, "thing"))  # behind it in the same lane
        assert isinstance(answers.to(3), frames.Done)
        assert bool(answers.told) is passed
