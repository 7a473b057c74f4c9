"""Notices in the simulated world: each event goes to each rule, whoever dies, and nothing goes twice without its id."""

from typing import Any

import msgspec
import pytest
from played import Refused, asked, events, play, played

from outlast.model import keys
from outlast.model.event import Event
from outlast.model.notice import Noticed
from outlast.sim.world import World

PAGER = {"name": "pager", "way": "command", "parameters": {"program": "/bin/page"}}
WORLD = ("world", "vm web preferred=n1", "vm db preferred=n2", "start", "run 20")
FAILED = {"severity": "critical", "kinds": "failed"}


def told(world: World, rule: str = "pager") -> list[str]:
    """The words of what the receiver has, without tests."""
    found = [notice for _, notice in world.daemons.outside.taken if notice.rule == rule]
    return [notice.words for notice in found if notice.events[0].kind != "test"]


def ids(world: World) -> list[str]:
    return [notice.id for _, notice in world.daemons.outside.taken if notice.events[0].kind != "test"]


def logged(world: World, *kinds: str) -> list[Event]:
    found = sorted(world.database.entries(keys.EVENTS), key=lambda entry: entry.revision)
    return [event for one in found if (event := msgspec.json.decode(one.value, type=Event)).kind in kinds]


def noted(world: World, rule: str = "pager") -> Noticed:
    [entry] = world.database.entries(keys.NOTICED + rule)
    return msgspec.json.decode(entry.value, type=Noticed)


def coordinator(world: World) -> str:
    name: str = asked(world, "n3", "status")["coordinator"]
    return name


def test_what_fits_is_told_once_and_nothing_of_before() -> None:
    with played(*WORLD, "kill vm web", "run 20") as world:
        asked(world, "n3", "notice.add", **PAGER, values=FAILED)
        play(world, "run 20")
        assert told(world) == [], "what happened before the rule was made"
        play(world, "kill vm db", "run 30")
        assert told(world) == [event.words for event in logged(world, "failed") if event.group == "db"]
        assert noted(world).count == 1
        assert asked(world, "n2", "notice.show", name="pager")["sent"] == 1


def test_a_rule_is_tried_before_it_is_written_down() -> None:
    with played(*WORLD) as world:
        world.daemons.outside.refuses = "404 no such hook"
        with pytest.raises(Refused, match="404 no such hook") as refused:
            asked(world, "n1", "notice.add", **PAGER)
        assert refused.value.kind == "failed"
        assert asked(world, "n1", "notice.list") == []
        added = asked(world, "n1", "notice.add", **PAGER, untested=True)
        assert added["test"]["problem"] == "404 no such hook"
        world.daemons.outside.refuses = ""
        test = asked(world, "n2", "notice.test", name="pager")
        assert (test["answer"], test["asked_by"], test["problem"]) == ("thank you", "n2", "")


def test_a_coordinator_that_dies_between_sending_and_noting_loses_nothing_and_the_id_tells_the_repetition() -> None:
    with played(*WORLD) as world:
        asked(world, "n3", "notice.add", **PAGER, values=FAILED)
        first = coordinator(world)
        world.daemons.outside.answers = False  # it takes what is sent, and nobody hears that
        play(world, "kill vm db", "run 5")
        assert len(ids(world)) == 1
        world.daemons.outside.answers = True
        play(world, f"power off {first}", "run 60")
        assert coordinator(world) != first
        assert len(set(ids(world))) == len(logged(world, "failed"))
        [event] = [event for event in logged(world, "failed") if event.group == "db"]
        assert ids(world)[:2] == [f"pager/{event.id}"] * 2, "the same again, by another node"
        assert len({node for node, notice in world.daemons.outside.taken if notice.id == f"pager/{event.id}"}) == 2


def test_what_happens_while_nobody_coordinates_is_told_by_the_next_who_does() -> None:
    with played(*WORLD) as world:
        asked(world, "n3", "notice.add", **PAGER, values={"severity": "critical"})
        play(world, f"power off {coordinator(world)}", "run 90")
        assert sorted(told(world)) == sorted(event.words for event in logged(world, "failed", "node-dead"))
        assert any("is dead" in words for words in told(world))


def test_a_new_coordinator_repeats_nothing_that_was_noted() -> None:
    with played(*WORLD) as world:
        asked(world, "n3", "notice.add", **PAGER, values=FAILED)
        play(world, "kill vm db", "run 30")
        assert len(ids(world)) == 1
        play(world, f"kill service {coordinator(world)} restart=30", "run 60")
        assert len(ids(world)) == 1


def test_what_is_not_taken_is_tried_until_it_is_and_the_event_log_tells_of_it_once() -> None:
    with played(*WORLD) as world:
        asked(world, "n3", "notice.add", **PAGER, values=FAILED)
        world.daemons.outside.refuses = "503 come again"
        play(world, "kill vm db", "run 120")
        assert told(world) == []
        assert asked(world, "n1", "notice.list")[0]["problem"] == "503 come again"
        world.daemons.outside.refuses = ""
        play(world, "run 200")
        assert len(told(world)) == 1
        assert asked(world, "n1", "notice.list")[0]["problem"] == ""
        failing, again = [words for words in events(world, "notice") if "receiver" in words]
        assert failing == "the receiver of notices by the rule pager (/bin/page) takes none: 503 come again"
        assert again.endswith("takes them again")


def test_rules_do_not_wait_for_each_other() -> None:
    with played(*WORLD) as world:
        asked(world, "n1", "notice.add", **PAGER, values=FAILED | {"groups": "db"})
        asked(world, "n1", "notice.add", **PAGER | {"name": "other"}, values=FAILED | {"nodes": "n2"})
        play(world, "kill vm db", "run 30")
        assert told(world, "other") == told(world) != []


def test_a_flood_is_summed_up_and_counted() -> None:
    vms = [f"vm vm{number} preferred=n1" for number in range(1, 9)]
    with played("world", *vms, "start", "run 30") as world:
        asked(world, "n1", "notice.add", **PAGER, values={"severity": "info", "kinds": "online", "per_minute": 3})
        before = len(logged(world, "online"))
        play(world, "power off n1", "run 90")
        happened = len(logged(world, "online")) - before
        taken = [notice for _, notice in world.daemons.outside.taken if notice.rule == "pager"]
        sums = [notice for notice in taken if notice.held_back]
        alone = [notice for notice in taken if not notice.held_back and notice.events[0].kind == "online"]
        assert happened >= 8
        assert len(alone) + sum(notice.held_back for notice in sums) == happened
        assert sums


def test_what_happens_while_a_rule_is_off_is_not_told_later() -> None:
    with played(*WORLD) as world:
        asked(world, "n1", "notice.add", **PAGER, values=FAILED)
        asked(world, "n1", "notice.set", name="pager", values={"enabled": "no"})
        play(world, "kill vm db", "run 30")
        asked(world, "n1", "notice.set", name="pager", values={"enabled": "yes"})
        play(world, "run 20")
        assert told(world) == []
        play(world, "kill vm web", "run 30")
        assert len(told(world)) == 1


def test_a_rule_that_is_changed_repeats_nothing() -> None:
    with played(*WORLD) as world:
        asked(world, "n1", "notice.add", **PAGER, values=FAILED)
        play(world, "kill vm db", "run 3")
        assert len(told(world)) == 1
        asked(world, "n1", "notice.set", name="pager", values={"per_minute": 5})
        play(world, "run 30")
        assert len(told(world)) == 1


def test_nothing_is_left_of_a_rule_that_is_deleted() -> None:
    with played(*WORLD) as world:
        asked(world, "n1", "notice.add", **PAGER, values=FAILED)
        play(world, "kill vm db", "run 30")
        asked(world, "n1", "notice.delete", name="pager")
        play(world, "kill vm web", "run 30")
        assert len(told(world)) == 1
        for prefix in (keys.NOTICES, keys.NOTICED, keys.NOTICE_SECRETS):
            assert not world.database.entries(prefix)


def test_a_quiet_cluster_writes_nothing_for_its_rules() -> None:
    with played(*WORLD) as world:
        asked(world, "n1", "notice.add", **PAGER)
        play(world, "run 60")
        before = {entry.key: entry.revision for entry in world.database.entries("")}
        play(world, "run 300")
        changed = [one.key for one in world.database.entries("") if before.get(one.key) != one.revision]
        assert all(key.startswith(keys.SESSIONS) for key in changed)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"values": {"severity": "loud"}}, "severity cannot be"),
        ({"values": {"kinds": "faild"}}, 'did you mean "failed"'),
        ({"values": {"groups": "nobody"}}, 'there is no group "nobody"'),
        ({"values": {"nodes": "n9"}}, 'there is no node "n9"'),
        ({"values": {"per_minute": "0"}}, "from 1 to 600"),
        ({"values": {"colour": "red"}}, "has no setting colour"),
        ({"name": "a b"}, "cannot be called"),
        ({"parameters": {}}, "it needs program"),
        ({"way": "pigeon"}, "pigeon"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(wrong: dict[str, object], words: str) -> None:
    with played("world", "start", "run 10") as world:
        with pytest.raises(Refused, match=words) as refused:
            asked(world, "n1", "notice.add", **PAGER | wrong)
        assert refused.value.kind == "usage"
        assert world.daemons.outside.taken == []


class Faulty(list[Any]):
    """Nobody has foreseen what it does."""

    def append(self, one: Any) -> None:
        raise ZeroDivisionError(one)


def test_a_fault_in_telling_ends_no_cluster_service_and_is_tried_again() -> None:
    with played(*WORLD) as world:
        asked(world, "n3", "notice.add", **PAGER, values=FAILED)
        before, taken = coordinator(world), world.daemons.outside.taken
        world.daemons.outside.taken = Faulty()
        play(world, "kill vm db", "run 20")
        assert coordinator(world) == before
        assert len(asked(world, "n3", "status")["nodes"]) == 3
        world.daemons.outside.taken = taken
        play(world, "run 70")
        assert told(world) == [event.words for event in logged(world, "failed")]
