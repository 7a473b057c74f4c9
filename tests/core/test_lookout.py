"""When is who asked again whether it sees the disks of a VM?"""

import msgspec
import pytest

from build import NODES, failure, group, resource, session, silence, status, view
from outlast.core.owner.lookout import AGAIN_S, INTERVAL_S, SOON_S, Asking, Lookout, Watched, watched
from outlast.model.group import Blind, Wanted
from outlast.model.node import ProofKind
from outlast.model.status import State

WEB = group("web")
BLIND = Blind("the disk vda is not there: /srv/web.img", disk="/srv/web.img")
LIVES = frozenset((name, f"{name}-life-1") for name in NODES)
KNOWN = Watched(LIVES)
ALL = frozenset(NODES)


def asked(lookout: Lookout, present: Watched, *, until_s: float, since_s: float = 0.0) -> list[tuple[float, Asking]]:
    """Looked at every second: what was asked, and when."""
    found = []
    for now in range(int(since_s), int(until_s) + 1):
        lookout.follow({"web": present}, float(now))
        found += [(float(now), asking) for asking in lookout.due(float(now))]
    return found


def settled() -> tuple[Lookout, float]:
    """On a quiet day, and a second after it was asked."""
    lookout = Lookout()
    at, _ = asked(lookout, KNOWN, until_s=INTERVAL_S)[-1]
    return lookout, at + 1


# -- who asks ---------------------------------------------------------------------------------------------------------


def test_the_owner_asks_and_nobody_else() -> None:
    seen = view(WEB, resources=[resource("web", seen_by=NODES)])
    assert watched(seen, "vm", coordinates=False) == {"web": KNOWN}
    assert watched(msgspec.structs.replace(seen, me="n2"), "vm", coordinates=True) == {}
    assert watched(seen, "share", coordinates=True) == {}


def test_about_what_has_no_living_owner_the_coordinator_asks() -> None:
    dead = view(WEB, me="n2", silences=[silence("n1", proof=ProofKind.FENCE)], resources=[resource("web")])
    assert watched(dead, "vm", coordinates=True).keys() == {"web"}
    assert watched(dead, "vm", coordinates=False) == {}
    homeless = view(group("web", on=""), resources=[resource("web")])
    assert watched(homeless, "vm", coordinates=True).keys() == {"web"}


def test_a_node_without_a_session_asks_nothing() -> None:
    assert watched(view(WEB, sessions=[session("n2")]), "vm", coordinates=True) == {}


def test_members_that_nobody_asked_are_known_and_doubt_is_an_answer() -> None:
    doubt = Blind("cannot be compared", doubt=True)
    seen = view(WEB, resources=[resource("web", seen_by=("n1",), blind_on={"n3": doubt})])
    assert watched(seen, "vm", coordinates=False)["web"].unasked == {"n2"}


@pytest.mark.parametrize(
    ("state", "waits"), [(State.ONLINE, False), (State.UNKNOWN, False), (State.FAILED, True), (State.OFFLINE, True)]
)
def test_what_is_down_waits_for_those_that_did_not_see_its_disks(state: State, waits: bool) -> None:
    known = [resource("web", seen_by=("n1",), blind_on={"n2": BLIND})]
    seen = view(WEB, resources=known, statuses=[status(WEB, state)])
    assert watched(seen, "vm", coordinates=False)["web"].waits is waits
    unasked = view(WEB, statuses=[status(WEB, state)])
    assert not watched(unasked, "vm", coordinates=False)["web"].waits
    off = group("web", wanted=Wanted.OFFLINE)
    unwanted = view(off, resources=known, statuses=[status(off, state)])
    assert not watched(unwanted, "vm", coordinates=False)["web"].waits


def test_what_has_no_owner_waits_too() -> None:
    homeless = view(group("web", on=""), resources=[resource("web", blind_on={"n2": BLIND})])
    assert watched(homeless, "vm", coordinates=True)["web"].waits


def test_failures_are_known() -> None:
    failed = view(group("web", failures=(failure("web-1"),)), resources=[resource("web", seen_by=NODES)])
    assert watched(failed, "vm", coordinates=False)["web"].failures == {"web-1"}


# -- when -------------------------------------------------------------------------------------------------------------


def test_in_a_quiet_cluster_all_are_asked_once_in_an_interval() -> None:
    found = asked(Lookout(), KNOWN, until_s=3 * INTERVAL_S)
    assert [asking for _, asking in found] == [Asking("web", ALL, urgent=False)] * 3


def test_those_of_one_owner_are_spread_over_the_interval() -> None:
    lookout, times = Lookout(), []
    present = {f"vm{number:03}": KNOWN for number in range(120)}
    for now in range(int(INTERVAL_S)):
        lookout.follow(present, float(now))
        times += [now] * len(lookout.due(float(now)))
    assert len(times) == 120
    for minute in range(10):
        assert 2 <= sum(60 * minute <= at < 60 * (minute + 1) for at in times) <= 30


def test_a_node_that_joins_is_asked_soon_and_the_others_are_not() -> None:
    lookout, now = settled()
    joined = msgspec.structs.replace(KNOWN, lives=LIVES | {("n4", "n4-life-1")}, unasked=frozenset({"n4"}))
    ((at, asking),) = asked(lookout, joined, since_s=now, until_s=now + 2 * SOON_S)
    assert asking == Asking("web", frozenset({"n4"}), urgent=False)
    assert at <= now + SOON_S


def test_a_node_that_is_back_in_another_life_is_asked_soon() -> None:
    back = msgspec.structs.replace(KNOWN, lives=LIVES - {("n2", "n2-life-1")} | {("n2", "n2-life-2")})
    lookout, now = settled()
    ((_, asking),) = asked(lookout, back, since_s=now, until_s=now + 2 * SOON_S)
    assert asking.nodes == {"n2"}


def test_one_that_does_not_answer_is_not_asked_more_often_for_that() -> None:
    silent = msgspec.structs.replace(KNOWN, unasked=frozenset({"n3"}))
    lookout, now = settled()
    assert len(asked(lookout, silent, since_s=now, until_s=now + INTERVAL_S - 2)) == 1


def test_a_node_that_goes_is_no_reason_to_ask() -> None:
    left = msgspec.structs.replace(KNOWN, lives=LIVES - {("n2", "n2-life-1")})
    lookout, now = settled()
    assert asked(lookout, left, since_s=now, until_s=now + 2 * SOON_S) == []


def test_after_a_failure_all_are_asked_soon_and_once() -> None:
    failed = msgspec.structs.replace(KNOWN, failures=frozenset({"web-3"}))
    lookout, now = settled()
    found = asked(lookout, failed, since_s=now, until_s=now + INTERVAL_S - 2)
    assert [asking for _, asking in found] == [Asking("web", ALL, urgent=False)]
    assert found[0][0] <= now + SOON_S


def test_what_waits_is_asked_again_and_again_and_urgently() -> None:
    waiting = msgspec.structs.replace(KNOWN, waits=True)
    lookout, now = settled()
    found = asked(lookout, waiting, since_s=now, until_s=now + 4 * (AGAIN_S + 1))
    assert [asking for _, asking in found] == [Asking("web", ALL, urgent=True)] * 4


def test_who_joins_while_all_are_about_to_be_asked_does_not_take_their_turn() -> None:
    lookout, now = settled()
    failed = msgspec.structs.replace(KNOWN, failures=frozenset({"web-3"}))
    lookout.follow({"web": failed}, now)
    joined = msgspec.structs.replace(failed, lives=LIVES | {("n4", "n4-life-1")})
    ((_, asking),) = asked(lookout, joined, since_s=now + 1, until_s=now + 2 * SOON_S)
    assert asking.nodes == ALL | {"n4"}


def test_what_is_here_no_more_is_not_asked_about() -> None:
    lookout, now = settled()
    lookout.follow({}, now)
    assert lookout.due(now + 2 * INTERVAL_S) == []
