"""Somebody brought or started something on a node past the cluster: whose is it?"""

from typing import Any

import msgspec
import pytest

from build import group, node, observed, resource, session, silence, status, view
from outlast.core.coordinator.adopting import is_heard, is_told, may_become
from outlast.core.coordinator.failover import decide
from outlast.core.owner.telling import LEFT_BY_HAND
from outlast.model.group import Appearance, Came, Group, Stop, Wanted
from outlast.model.node import ProofKind
from outlast.model.plan import Assign
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, Handover, ResourceStatus, State
from outlast.model.view import ClusterView

LIFE = session("n3").incarnation
BROUGHT = Appearance("n3", LIFE, 3, Came.BROUGHT)
STARTED = Appearance("n3", LIFE, 3, Came.STARTED)
WEB = group("web", appeared=BROUGHT)
OFF = group("web", wanted=Wanted.OFFLINE, appeared=STARTED)
FOLLOWED = Assign("web", "n3", 4, "migrated there from n1 at the host's console", received_from="n1")
ADOPTED = Assign(
    "web",
    "n3",
    4,
    "started there at the host's console, while nothing of it ran anywhere else",
    received_from="n3",
    wanted_by="started at the host's console, on n3",
)


def left(of: Group = WEB, **changes: Any) -> GroupStatus:
    """Its owner says that it was migrated away."""
    gone = ResourceStatus(State.UNKNOWN, LEFT_BY_HAND, moved_away=True)
    return msgspec.structs.replace(status(of, State.ONLINE), resources={"web": gone}, **changes)


def seen(of: Group, *reports: GroupStatus, **more: Any) -> ClusterView:
    return view(of, statuses=reports, **more)


def assigned(seen: ClusterView) -> list[Assign]:
    return [action for action in decide(seen).actions if isinstance(action, Assign)]


# -- migrated by hand --------------------------------------------------------------------------------------------------


def test_what_was_migrated_by_hand_is_the_nodes_that_has_it_when_both_say_so() -> None:
    assert assigned(seen(WEB, left())) == [FOLLOWED]


@pytest.mark.parametrize(
    "report",
    [
        status(WEB, State.ONLINE),
        status(WEB, State.OFFLINE),
        status(WEB, State.UNKNOWN),
        left(epoch=2),
        left(node="n2"),
        left(incarnation="another life"),
        left(intents=7),
    ],
)
def test_without_its_owners_word_that_it_went_away_it_is_given_to_nobody(report: GroupStatus) -> None:
    assert assigned(seen(WEB, report)) == []


def test_without_the_word_of_the_node_that_has_it_nobody_knows_where_it_is() -> None:
    elsewhere = [
        None,
        Appearance("n3", LIFE, 2, Came.BROUGHT),
        Appearance("n3", "another life", 3, Came.BROUGHT),
        Appearance("n9", LIFE, 3, Came.BROUGHT),
        Appearance("n1", session("n1").incarnation, 3, Came.BROUGHT),
        STARTED,
    ]
    for found in elsewhere:
        assert assigned(seen(msgspec.structs.replace(WEB, appeared=found), left())) == []


def test_a_node_that_is_silent_is_given_nothing_of_what_it_has() -> None:
    assert assigned(seen(WEB, left(), observed=observed(silent_s={"n3": 6.0}))) == []
    assert assigned(seen(WEB, left(), silences=[silence("n3")])) == []


def test_there_it_goes_on_whatever_speaks_against_that_node_and_it_is_said() -> None:
    elsewhere = msgspec.structs.replace(WEB, possible_owners=("n1", "n2"))
    (assign,) = assigned(seen(elsewhere, left()))
    assert (assign.owner, assign.received_from) == ("n3", "n1")
    assert "runs there, and nowhere else" in assign.reasons[0]
    for more in (
        {"settings": Settings(armed=False)},
        {"nodes": (node("n1"), node("n2"), node("n3", paused=True))},
    ):
        assert [one.owner for one in assigned(seen(WEB, left(), **more))] == ["n3"]
    assert assigned(seen(WEB, left(), settings=Settings(hold="a backup was restored"))) == []


def test_the_word_of_an_owner_who_died_after_it_counts_once_his_death_is_proven() -> None:
    assert assigned(seen(WEB, left(), silences=[silence("n1")])) == []
    assert assigned(seen(WEB, left(), silences=[silence("n1", proof=ProofKind.FENCE)])) == [FOLLOWED]


def test_when_its_owner_died_without_that_word_it_is_started_anew() -> None:
    (assign,) = assigned(seen(WEB, status(WEB, State.ONLINE), silences=[silence("n1", proof=ProofKind.FENCE)]))
    assert assign.received_from == ""


def test_what_its_owner_had_started_anew_in_another_life_is_not_what_came_there_before() -> None:
    came_before = msgspec.structs.replace(WEB, appeared=msgspec.structs.replace(BROUGHT, owner_life="before"))
    for life, follows in (("before", [FOLLOWED]), ("", [FOLLOWED]), (session("n1").incarnation, [])):
        gone = ResourceStatus(State.UNKNOWN, LEFT_BY_HAND, moved_away=True, left_in=life)
        report = msgspec.structs.replace(left(), resources={"web": gone})
        assert assigned(seen(came_before, report)) == follows


def test_who_has_what_came_in_its_owners_present_life_tells_so_although_another_one_has_an_older_copy() -> None:
    now = session("n1").incarnation
    for told, due, waits in (("before", now, False), (now, now, True), (now, "before", True), ("", now, True)):
        web = msgspec.structs.replace(WEB, appeared=msgspec.structs.replace(BROUGHT, owner_life=told))
        mine = Appearance("n2", session("n2").incarnation, 3, Came.BROUGHT, owner_life=due)
        assert is_told(web, mine, seen(web)) is waits
    assert not is_told(msgspec.structs.replace(WEB, appeared=None), BROUGHT, seen(WEB))


def test_one_of_several_in_a_group_is_not_followed() -> None:
    shop = group("shop", resources=("web", "db"), appeared=BROUGHT)
    assert "several resources" in may_become(shop, "n3", Came.BROUGHT, view(shop))


# -- started by hand ---------------------------------------------------------------------------------------------------


def test_what_certainly_ran_nowhere_is_the_nodes_where_it_was_started_and_is_wanted_online() -> None:
    assert assigned(seen(OFF, status(OFF, State.OFFLINE))) == [ADOPTED]
    nobodys = msgspec.structs.replace(OFF, owner="")
    assert assigned(seen(nobodys)) == [ADOPTED]
    was_dead = msgspec.structs.replace(OFF, appeared=msgspec.structs.replace(STARTED, owner_was_dead=True))
    dead = [silence("n1", proof=ProofKind.FENCE)]
    assert assigned(seen(was_dead, status(OFF, State.ONLINE), silences=dead)) == [ADOPTED]


def test_what_stood_there_before_its_owner_died_may_be_older_than_what_that_one_ran() -> None:
    known = seen(OFF, status(OFF, State.OFFLINE), silences=[silence("n1", proof=ProofKind.FENCE)])
    assert (
        may_become(OFF, "n3", Came.STARTED, known) == "n1, which owned it, has died since, and may have run it before"
    )
    assert assigned(known) == []


def test_that_nothing_of_it_runs_is_believed_of_an_owner_who_was_heard_of_since_it_is_there() -> None:
    """He, too, learns only afterwards what somebody starts with him; and while he lives he tells it."""
    known = seen(OFF, status(OFF, State.OFFLINE))
    assert not is_heard(OFF, known, owner_seen_at=99.9, since=100.0)
    assert is_heard(OFF, known, owner_seen_at=100.1, since=100.0)


def test_that_nothing_of_it_runs_is_no_ground_when_its_owner_is_about_to_take_that_back() -> None:
    """After an outage of the database, say: he renews his session first, and tells then what has changed."""
    sessions = {name: session(name) for name in ("n1", "n2", "n3")}
    sessions["n1"] = msgspec.structs.replace(sessions["n1"], untold=("web",))
    known = seen(OFF, status(OFF, State.OFFLINE), sessions=sessions)
    assert not is_heard(OFF, known, owner_seen_at=100.1, since=100.0)
    assert assigned(known) == []
    assert assigned(seen(OFF, status(OFF, State.OFFLINE))) == [ADOPTED]


def test_of_who_is_dead_or_left_nobody_waits_to_hear() -> None:
    dead = seen(OFF, silences=[silence("n1", proof=ProofKind.FENCE)])
    left = seen(OFF, sessions={name: session(name) for name in ("n2", "n3")})
    for known in (dead, left):
        assert is_heard(OFF, known, owner_seen_at=0.0, since=100.0)
    assert not is_heard(OFF, seen(OFF, silences=[silence("n1")]), owner_seen_at=0.0, since=100.0)


@pytest.mark.parametrize(
    ("reports", "more", "why"),
    [
        ([], {}, "n1 owns it, and has not told how it is"),
        ([status(OFF, State.ONLINE)], {}, "n1 owns it, where it is online"),
        ([status(OFF, State.ONLINE_PENDING)], {}, "n1 owns it, where it is online pending"),
        ([status(OFF, State.OFFLINE_PENDING)], {}, "n1 owns it, where it is offline pending"),
        ([status(OFF, State.UNKNOWN)], {}, "n1 owns it, where it is unknown"),
        ([left(OFF)], {}, "n1 owns it, where it is unknown"),
        ([status(OFF, State.OFFLINE, epoch=2)], {}, "has not told how it is"),
        ([status(OFF, State.OFFLINE, life=2)], {}, "has not told how it is"),
        ([status(OFF, State.OFFLINE)], {"silences": [silence("n1")]}, "n1, which owns it, is silent"),
        ([status(OFF, State.OFFLINE)], {"observed": observed(silent_s={"n1": 5.0})}, "n1, which owns it, is silent"),
        ([status(OFF, State.OFFLINE)], {"settings": Settings(hold="restored")}, "nobody has confirmed yet who owns"),
        ([status(OFF, State.OFFLINE)], {"nodes": (node("n1"), node("n3", paused=True))}, "paused"),
    ],
)
def test_else_it_is_stopped_there_and_it_is_said_why(reports: list[GroupStatus], more: Any, why: str) -> None:
    known = seen(OFF, *reports, **more)
    assert why in may_become(OFF, "n3", Came.STARTED, known)
    assert assigned(known) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"possible_owners": ("n1",)}, "possible owner"),
        ({"maintenance": "it is being mended"}, "in maintenance"),
        ({"move_to": "n2"}, "on its way to n2"),
    ],
)
def test_it_stays_only_where_the_cluster_could_have_started_it(changes: dict[str, Any], why: str) -> None:
    web = msgspec.structs.replace(OFF, **changes)
    assert why in may_become(web, "n3", Came.STARTED, seen(web, status(web, State.OFFLINE)))


def test_what_its_owner_has_handed_over_is_where_it_stands_and_not_where_somebody_started_it() -> None:
    report = status(OFF, State.OFFLINE)
    said = msgspec.structs.replace(report.resources["web"], handover=Handover(0, "n2", done=True))
    handed = msgspec.structs.replace(report, resources={"web": said})
    assert may_become(OFF, "n3", Came.STARTED, seen(OFF, handed)) == "n1 has handed it over to n2"
    assert [one.owner for one in assigned(seen(OFF, handed))] == ["n2"]


def test_what_is_wanted_offline_in_its_group_is_not_wanted_online_by_a_start_elsewhere() -> None:
    off = msgspec.structs.replace(resource("web", group="web"), wanted=Wanted.OFFLINE)
    known = seen(OFF, status(OFF, State.OFFLINE), resources=[off])
    assert "wanted offline in its group" in may_become(OFF, "n3", Came.STARTED, known)


# -- gone to nobody knows where ----------------------------------------------------------------------------------------


def test_while_a_move_is_wished_nobody_is_told_that_who_has_lost_it_is_about_to_hand_it_over() -> None:
    web = msgspec.structs.replace(WEB, appeared=None, move_to="n3", moves=1, stop=Stop.LIVE)
    plan = decide(seen(web, left(web)))
    assert plan.actions == ()
    assert [one.group for one in plan.waiting] == ["web"]
    assert plan.waiting[0].why.startswith("an administrator: n1 says that it was migrated away past the cluster; when")


def test_the_death_of_who_said_that_it_went_away_proves_nothing_of_where_it_went() -> None:
    web = msgspec.structs.replace(WEB, appeared=None)
    dead = [silence("n1", proof=ProofKind.FENCE)]
    plan = decide(seen(web, left(web), silences=dead))
    assert plan.actions == ()
    assert "an administrator: n1 said before it ended that it was migrated away" in plan.waiting[0].why
    others = {name: session(name) for name in ("n2", "n3")}
    assert decide(seen(web, left(web), sessions=others)).actions == ()
    spoken = msgspec.structs.replace(web, intents=1)
    assert [one.owner for one in assigned(seen(spoken, left(web), silences=dead))] == ["n2"]
