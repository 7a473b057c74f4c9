"""`events` and `explain`: the story of the cluster, told so that a reader sees what belongs together."""

import healthy

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.cli.events import KIND_STYLES
from outlast.cli.story import blocks
from outlast.model.event import KINDS, Event

pytest_plugins = ("cli_fixtures",)


def test_every_kind_of_event_has_its_colour() -> None:
    assert set(KIND_STYLES) == set(KINDS)


def test_two_failovers_are_two_chapters() -> None:
    told = blocks([*healthy.failover(), *healthy.failover(healthy.AT_S + 5)])
    assert [len(block.events) for block in told] == [4, 4]
    assert told[1].outcome == healthy.failover(healthy.AT_S + 5)[-1]


def test_the_failure_of_the_second_attempt_belongs_to_the_same_chapter() -> None:
    first, again = healthy.failover()[:3], healthy.failover(healthy.AT_S + 1)
    assert len(blocks([*first, *again])) == 1


def test_what_comes_after_a_long_pause_is_another_chapter() -> None:
    late = healthy.event("coordinator", "n3 coordinates", at_s=healthy.AT_S + 500)
    assert len(blocks([*healthy.failover(), late])) == 2


def test_what_an_administrator_does_begins_a_chapter() -> None:
    joined = healthy.event("node-joined", "n1 opened its session")
    protected = healthy.event("group-changed", "web is protected", at_s=healthy.AT_S + 3)
    assert len(blocks([joined, protected, *healthy.failover(healthy.AT_S + 3)[1:]])) == 2


def test_a_failover_is_a_chapter_of_its_own_whatever_came_shortly_before() -> None:
    before = [
        healthy.event("type", "n3 cannot run vm"),
        healthy.event("node-joined", "n2 opened its session", at_s=healthy.AT_S + 30),
    ]
    told = blocks([*before, *healthy.failover(healthy.AT_S + 40)])
    assert [len(block.events) for block in told] == [2, 4]


def live_move(at_s: float) -> list[Event]:
    return [
        healthy.event("intent", "web is to move as it runs from n1 to n2: an administrator on n1", at_s=at_s),
        healthy.event("handed-over", "web was handed over to n2 as it ran: copied for 1.40 s", at_s=at_s + 1.5),
        healthy.event("decided", "web goes to n2 (epoch 4): handed over by n1 as it ran", at_s=at_s + 1.51),
        healthy.event("online-pending", "web is being brought online on n2: handed over by n1", at_s=at_s + 1.52),
        healthy.event("online", "web is online on n2", at_s=at_s + 1.55),
    ]


CALLED_BACK = [
    healthy.event("intent", "web is to move as it runs from n1 to n2: an administrator on n1"),
    healthy.event("intent", "web is to stay on n1: an administrator on n1", at_s=healthy.AT_S + 8),
    healthy.event("not-moved", "handing web over to n2 was given up after 8.10 s", at_s=healthy.AT_S + 8.2),
]


def test_a_live_move_is_one_story_and_nothing_in_it_is_brought_online(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["explain.vm"] = Result(healthy.explanation(story=tuple(live_move(healthy.AT_S))))
    assert outlast("explain", "vm", "web").lines()[5:] == [
        "     +0.000 s  intent            web is to move as it runs from n1 to n2: an administrator on n1",
        "     +1.500 s  handed-over       web was handed over to n2 as it ran: copied for 1.40 s",
        "     +1.510 s  decided           web goes to n2 (epoch 4): handed over by n1 as it ran",
        "     +1.550 s  online            web is online on n2",
        "               moved as it ran in 1.55 s; it went on 50 ms after it had left, by the clocks of both nodes",
    ]


def test_what_was_called_back_has_an_end_and_the_next_attempt_is_another_chapter() -> None:
    first, second = blocks([*CALLED_BACK, *live_move(healthy.AT_S + 20)])
    assert first.took_s is not None
    assert round(first.took_s, 3) == 8.2
    assert first.left is None
    assert second.took_s is not None
    assert round(second.took_s, 3) == 1.55


def test_what_arrived_and_was_dropped_belongs_to_what_was_called_back() -> None:
    late = healthy.event("not-moved", "what had arrived of web on n2 is dropped", at_s=healthy.AT_S + 8.4)
    assert len(blocks([*CALLED_BACK, late])) == 1


def test_clocks_that_differ_tell_nothing_before_its_cause() -> None:
    (chapter,) = blocks([healthy.event("failed", "x"), healthy.event("decided", "y", at_s=healthy.AT_S - 0.3)])
    assert [chapter.after_s(event) for event in chapter.events] == [0.0, 0.0]


def test_nothing_has_no_chapters() -> None:
    assert blocks([]) == ()


def test_explain_tells_the_present_then_the_story_with_relative_times(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["explain.vm"] = Result(healthy.explanation())
    lines = outlast("explain", "vm", "web").lines()
    assert lines[:4] == ["web", "  web is online on n2", "  it is wanted online", ""]
    assert lines[4].endswith(":20.000")
    assert lines[5:] == [
        "     +0.000 s  failed            web failed on n1: QEMU ended with signal 9",
        "     +0.012 s  decided           web goes to n2 (epoch 4): it failed on n1",
        "                                 n2: fewest groups (0) of the nodes that can take it (n2, n3)",
        "     +0.020 s  online-pending    web is being brought online on n2",
        "     +0.420 s  online            web is online on n2",
        "               online after 0.42 s",
    ]


def test_explain_shows_the_last_chapters_and_how_to_see_the_others(fake: FakeService, outlast: Outlast) -> None:
    story = [event for number in range(8) for event in healthy.failover(healthy.AT_S + 100 * number)]
    fake.answers["explain.vm"] = Result(healthy.explanation(story=tuple(story)))
    assert "(3 older chapters: add --last 8)" in outlast("explain", "vm", "web").out
    assert "older chapters" not in outlast("explain", "vm", "web", "--last", "8").out


def test_an_event_is_a_line_with_time_node_kind_and_words(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["events"] = Result(healthy.failover())
    (line, *_) = outlast("events").lines()
    assert line.endswith("20.000  n1   failed            web failed on n1: QEMU ended with signal 9")
    assert len(line.split()[0]) == len("2026-11-23")
    assert outlast("events", width=80).lines()[0].startswith(line.split()[1])


def test_events_pass_the_filters_on_and_follow_with_them(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"events": Result([]), "events.follow": Stream(healthy.failover())}
    ended = outlast("events", "--follow", "--group", "web", "--limit", "7")
    assert fake.arguments("events") == {"limit": 7, "group": "web", "node": ""}
    assert fake.arguments("events.follow") == {"group": "web", "node": ""}
    assert len(ended.lines()) == 4


def test_a_replayed_decision_stands_beside_what_was_decided_then(fake: FakeService, outlast: Outlast) -> None:
    action = {"group": "web", "owner": "n2", "why": "it failed on n1", "reasons": ["n2: the only node"]}
    fake.answers["explain.replay"] = Result({"decided": "web goes to n2", "again": [action], "inputs": {}})
    assert outlast("explain", "decision", "e1").lines() == [
        "decided then: web goes to n2",
        "decides now:  web goes to n2: it failed on n1 (n2: the only node)",
    ]


def test_a_chapter_took_as_long_as_from_its_last_wish_to_its_end() -> None:
    settings = healthy.event("intent", "web was changed", at_s=healthy.AT_S)
    wish = healthy.event("intent", "web is wanted online", at_s=healthy.AT_S + 20)
    online = healthy.event("online", "web is online on n1", at_s=healthy.AT_S + 21.5)
    (chapter,) = blocks([settings, wish, online])
    assert chapter.took_s == 1.5


def test_a_failover_took_as_long_as_from_the_first_trouble_whatever_was_wished_before() -> None:
    wish = healthy.event("intent", "web was changed", at_s=healthy.AT_S - 20)
    (chapter,) = blocks([wish, *healthy.failover()])
    assert chapter.took_s == healthy.failover()[-1].at_s - healthy.AT_S


def test_an_end_without_a_cause_took_nobody_knows_how_long() -> None:
    joined = healthy.event("node-joined", "n3 opened its session")
    online = healthy.event("online", "web is online on n3", at_s=healthy.AT_S + 2)
    (chapter,) = blocks([joined, online])
    assert chapter.took_s is None


def test_a_group_or_node_that_the_log_does_not_know_is_named(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["events"] = Result([])
    ended = outlast("events", "--group", "wbe")
    assert ended.out == 'the event log has nothing about the group "wbe"\n'


def test_an_event_of_several_lines_is_one_line(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["events"] = Result([healthy.event("failed", "QEMU said:\nno disk")])
    (line,) = outlast("events").lines()
    assert line.endswith("QEMU said: no disk")
