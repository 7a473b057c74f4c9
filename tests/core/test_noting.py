"""What of the cluster's protection has changed since it was told last?"""

from typing import Any

import msgspec

from build import group, node, resource, session, view
from outlast.core.foresight.noting import Told, news
from outlast.model.group import Wanted
from outlast.model.node import Offer
from outlast.model.noted import Noted
from outlast.model.policy import Priority
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

NAMES = ("n1", "n2", "n3")
FULL = [group(f"g{number}", on=NAMES[number % 3]) for number in range(5)]
GROUPS = [group(f"vm{number:03}") for number in range(125)]


def crowded(**changes: Any) -> ClusterView:
    """Nodes of 1000 MiB, five groups of 400 each: one too many for the loss of a node."""
    usual: dict[str, Any] = {
        "sessions": [session(name, memory_mib=1000) for name in NAMES],
        "resources": [resource(one.name, memory_mib=400) for one in FULL],
        "settings": Settings(survive_nodes=1),
    }
    return view(*FULL, **(usual | changes))


def told(before: Noted, now: ClusterView, kind: str) -> list[str]:
    return [event.words for event in news(before, now).events if event.kind == kind]


def test_while_all_is_well_nothing_is_told() -> None:
    assert news(Noted(), view(group("web"))) == news(Noted(), view()) == type(news(Noted(), view()))(Noted())


def test_that_the_promise_is_broken_is_told_once_and_that_it_is_kept_again_once() -> None:
    first = news(Noted(), crowded())
    assert first.now.broken
    assert told(Noted(), crowded(), "promise") == [
        "the promise to survive the loss of 1 node is broken: if n1 was lost, no room is left for g3"
    ]
    assert told(first.now, crowded(), "promise") == []
    roomy = crowded(sessions=[session(name, memory_mib=4000) for name in NAMES])
    assert told(first.now, roomy, "promise") == ["the promise to survive the loss of 1 node is kept again"]
    assert not news(first.now, roomy).now.broken


def test_a_promise_that_is_taken_back_is_not_called_kept() -> None:
    assert told(Noted(broken=True), crowded(settings=Settings()), "promise") == ["no promise is made any more"]


def test_the_promise_alone_puts_no_group_at_risk() -> None:
    """It has an event of its own, and would else be told of each group as well."""
    roomy_but_promised = crowded(settings=Settings(survive_nodes=3))
    assert told(Noted(), roomy_but_promised, "protection") == told(Noted(), crowded(settings=Settings()), "protection")


def test_a_group_that_stops_or_starts_being_protected_is_told_with_the_reason_once() -> None:
    broken = view(group("web"), sessions=[session("n1", offers=[Offer("vm", problem="damaged")]), session("n2")])
    found = news(Noted(), broken)
    (event,) = found.events
    assert event == Told(
        "protection", "web is not protected: n1 cannot watch over it: its plugin for vm: damaged", "web"
    )
    assert news(found.now, broken).events == ()
    assert news(found.now, view(group("web"))).events == (Told("protection", "web is protected again", "web"),)


def test_many_that_change_at_once_are_one_event_that_counts_and_names_the_first_few() -> None:
    alone = view(*GROUPS, nodes=[node("n1"), node("n2", paused=True)])
    found = news(Noted(), alone)
    assert [event.words for event in found.events] == [
        "125 groups are not protected (vm000, vm001, vm002 and 122 more): no other node could take it: n2: it is paused"
    ]
    again = news(found.now, view(*GROUPS)).events
    assert again == (Told("protection", "125 groups are protected again (vm000, vm001, vm002 and 122 more)"),)


def test_several_reasons_are_told_with_how_many_have_them() -> None:
    groups = [group("a", possible_owners=("n1",)), group("b", possible_owners=("n1",)), group("c")]
    found = news(Noted(), view(*groups, nodes=[node("n1"), node("n2", paused=True)]))
    (event,) = found.events
    assert event.words == (
        "3 groups are not protected (a, b, c): no other node could take it: n2: it is no possible owner of the group "
        "(2); no other node could take it: n2: it is paused (1)"
    )


def test_what_only_became_weaker_is_told_as_at_risk() -> None:
    weak = view(group("web", maintenance="disk change"))
    (event,) = news(Noted(), weak).events
    assert event.words.startswith("web is at risk: nobody looks whether it lives")
    assert news(Noted(levels={"web": "not protected"}), weak).events == (event,)


def test_what_is_not_to_run_or_does_not_start_by_itself_is_no_news() -> None:
    paused = [node("n1"), node("n2", paused=True)]
    quiet = [group("off", wanted=Wanted.OFFLINE), group("by-word", priority=Priority.NO_AUTO_START)]
    assert news(Noted(), view(*quiet, nodes=paused)).events == ()
    assert news(Noted(levels={"off": "not protected", "gone": "at risk"}), view(*quiet)).events == ()
    assert news(Noted(), view(group("web"), nodes=[node("n1")])).events == ()


def test_what_was_told_is_what_is_so_now() -> None:
    paused = view(*GROUPS[:2], nodes=[node("n1"), node("n2", paused=True)])
    now = news(Noted(levels={"gone": "at risk"}), paused).now
    assert now == Noted(False, {"vm000": "not protected", "vm001": "not protected"})
    assert msgspec.json.decode(msgspec.json.encode(now), type=Noted) == now
