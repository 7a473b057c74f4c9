"""Can a group be handed over to another node as it runs, and whose word says that it was?"""

from typing import Any

import msgspec
import pytest

from build import group, node, observed, resource, session, silence, status, view
from outlast.core.coordinator import handing_over
from outlast.core.coordinator.failover import decide
from outlast.model.group import AWAY, Group, Stop, Wanted
from outlast.model.node import Offer, ProofKind
from outlast.model.plan import Assign, ClearMove, Plan, WishMove
from outlast.model.policy import OfflineAction
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, Handover, State
from outlast.model.view import ClusterView

ABLE = (Offer("vm", functions=("migrate",)),)
NODES = ("n1", "n2", "n3")
GOING = group("web", move_to="n2", stop=Stop.LIVE, moves=4)
DONE = Handover(4, "n2", done=True)
FAILED = Handover(4, "n2", why="its processor is of another kind there")


def able(*groups: Group, **more: Any) -> ClusterView:
    """All nodes can hand over VMs, and take them."""
    return view(*groups, **{"sessions": [session(name, offers=ABLE) for name in NODES], **more})


def told(of: Group, said: Handover, state: State = State.OFFLINE, **more: Any) -> GroupStatus:
    """What its owner reports of a group of one resource."""
    report = status(of, state, **more)
    of_each = {name: msgspec.structs.replace(one, handover=said) for name, one in report.resources.items()}
    return msgspec.structs.replace(report, resources=of_each)


def stands_on(of: Group, said: GroupStatus, **more: Any) -> str:
    seen = able(of, statuses=[said], **more)
    members = [name for name in seen.sessions if name not in seen.silences]
    return handing_over.stands_on(of, members, seen)


SAVES = (Offer("vm", functions=("migrate", "save")),)

# -- in vain -----------------------------------------------------------------------------------------------------------


def test_what_could_not_be_saved_stays_and_is_shut_down_when_its_node_keeps_nothing() -> None:
    going = group("web", move_to="n2", stop=Stop.SAVE, moves=4)
    said = told(going, Handover(4, "n2", why="no room", saving=True), State.ONLINE)
    (kept,) = decide(able(going, statuses=[said])).actions
    assert isinstance(kept, ClearMove)
    assert kept.why == "it could not be saved: no room"
    forced = msgspec.structs.replace(node("n1"), paused=True, draining=True, force_drain=True)
    nodes = (forced, node("n2"), node("n3"))
    for to in ("n2", AWAY):
        away = msgspec.structs.replace(going, move_to=to)
        (wish,) = decide(able(away, nodes=nodes, statuses=[said])).actions
        assert isinstance(wish, WishMove)
        assert (wish.to, wish.stop) == (to, Stop.SHUTDOWN)


def test_what_could_not_go_live_goes_by_its_policy_when_its_node_keeps_nothing() -> None:
    going = msgspec.structs.replace(GOING, offline_action=OfflineAction.SAVE)
    forced = msgspec.structs.replace(node("n1"), paused=True, draining=True, force_drain=True)
    nodes = (forced, node("n2"), node("n3"))
    sessions = [session(name, offers=SAVES) for name in NODES]
    said = told(going, FAILED, State.ONLINE)
    (wish,) = decide(view(going, nodes=nodes, sessions=sessions, statuses=[said])).actions
    assert isinstance(wish, WishMove)
    assert wish.stop is Stop.SAVE


# -- can it be? --------------------------------------------------------------------------------------------------------


def test_what_is_online_goes_as_it_runs_to_a_node_that_can_take_it_so() -> None:
    web = group("web")
    assert handing_over.why_not_live(web, "n2", able(web)) == ""
    assert handing_over.how(web, "n2", able(web)) is Stop.LIVE


def test_it_goes_as_it_runs_only_when_it_runs_and_both_nodes_are_able_to_and_it_says_why_not() -> None:
    web = group("web")
    unable, not_set_up = session("n2"), session("n1", offers=ABLE, migration="")
    others = [session(name, offers=ABLE) for name in NODES]
    cases = [
        (able(web, statuses=[status(web, State.OFFLINE)]), "it is offline"),
        (able(web, statuses=[]), "it is not running"),
        (able(web, sessions=[*others, unable]), "vm cannot be migrated live on n2"),
        (able(web, sessions=[*others, not_set_up]), "n1 is not set up for live migration (docs/migration.md)"),
    ]
    for seen, why in cases:
        assert handing_over.why_not_live(web, "n2", seen) == why
        assert handing_over.how(web, "n2", seen) is Stop.SHUTDOWN


def test_a_group_of_several_resources_is_never_handed_over_as_it_runs() -> None:
    shop = Group("shop", ("ip", "db"), owner="n1", epoch=3)
    assert "several resources" in handing_over.why_not_live(shop, "n2", able(shop))


def test_what_has_a_device_of_its_node_goes_nowhere_as_it_runs_and_it_says_which() -> None:
    web, device = group("web"), "the PCI device 0000:01:00.0"
    seen = able(web, resources=[resource("web", host_devices=(device, "the USB device 046d:c52b"))])
    why = handing_over.why_not_live(web, "n2", seen)
    assert why == f"it has {device} and the USB device 046d:c52b of n1, and that cannot go along"
    assert handing_over.how(web, "n2", seen) is Stop.SHUTDOWN


@pytest.mark.parametrize(
    ("cpu", "here", "there", "words"),
    [
        ("host-passthrough", "EPYC 7B13, aa", "Xeon, bb", "n2 has another one (Xeon, bb) than n1 (EPYC 7B13, aa)"),
        ("host-passthrough", "EPYC 7B13, aa", "EPYC 7B13, cc", "n2 has another one (EPYC 7B13, cc)"),
        ("host-passthrough", "EPYC 7B13, aa", "EPYC 7B13, aa", ""),
        ("host-passthrough", "EPYC 7B13, aa", "", ""),  # a node of a former version: nobody knows
        ("Haswell", "EPYC 7B13, aa", "Xeon, bb", ""),
        ("host-model", "EPYC 7B13, aa", "Xeon, bb", ""),  # libvirt compares what it has become
    ],
)
def test_who_has_the_very_processor_of_its_node_goes_live_only_to_a_like_one(
    cpu: str, here: str, there: str, words: str
) -> None:
    web = group("web")
    sessions = [session("n1", offers=ABLE, processor=here), session("n2", offers=ABLE, processor=there)]
    seen = able(web, sessions=sessions, resources=[resource("web", cpu=cpu)])
    why = handing_over.why_not_live(web, "n2", seen)
    assert words in why
    assert bool(why) is bool(words)
    assert handing_over.how(web, "n2", seen) is (Stop.SHUTDOWN if words else Stop.LIVE)


def test_what_only_leaves_its_node_is_shut_down() -> None:
    web = group("web")
    assert handing_over.how(web, AWAY, able(web)) is Stop.SHUTDOWN


# -- whose word says that it was? --------------------------------------------------------------------------------------


def test_a_failure_is_of_its_wish_and_where_it_stands_is_so_whatever_is_wished_since() -> None:
    later = msgspec.structs.replace(GOING, moves=5)
    assert handing_over.word(GOING, told(GOING, FAILED)) == FAILED
    assert handing_over.word(later, told(later, FAILED)) is None
    assert handing_over.word(later, told(later, DONE)) == DONE


def test_it_stands_there_by_the_word_of_its_living_owner_that_nothing_of_it_runs() -> None:
    assert stands_on(GOING, told(GOING, DONE)) == "n2"
    for state in (State.ONLINE, State.ONLINE_PENDING, State.UNKNOWN):
        assert stands_on(GOING, told(GOING, DONE, state)) == ""
    assert stands_on(GOING, told(GOING, Handover(4, "n2", percent=100))) == ""


def test_no_word_counts_of_another_epoch_another_node_or_another_life_of_the_owner() -> None:
    assert stands_on(GOING, told(GOING, DONE, epoch=2)) == ""
    assert stands_on(GOING, told(GOING, DONE, by="n3")) == ""
    assert stands_on(GOING, told(GOING, DONE, life=2)) == ""


def test_it_stands_nowhere_when_the_node_that_got_it_is_no_member_any_more() -> None:
    assert stands_on(GOING, told(GOING, DONE), silences=[silence("n2")]) == ""


def test_it_stands_there_also_when_its_owner_died_after_that_word_and_only_when_that_is_proven() -> None:
    said = told(GOING, DONE)
    assert stands_on(GOING, said, silences=[silence("n1")]) == ""
    assert stands_on(GOING, said, observed=observed(silent_s={"n1": 5.0})) == ""
    assert stands_on(GOING, said, silences=[silence("n1", proof=ProofKind.FENCE)]) == "n2"
    of_before = told(GOING, DONE, life=2)
    assert stands_on(GOING, of_before, silences=[silence("n1", proof=ProofKind.FENCE)]) == ""


def test_it_stands_there_also_when_its_owner_has_left_the_cluster_in_order() -> None:
    left = [session(name, offers=ABLE) for name in ("n2", "n3")]
    assert stands_on(GOING, told(GOING, DONE), sessions=left) == "n2"


# -- and when it was tried in vain? ------------------------------------------------------------------------------------


def test_what_could_not_be_handed_over_is_tried_again_after_a_while_which_is_this_nodes_own_to_count() -> None:
    def left(unmoved_s: float) -> tuple[str, float]:
        seen = able(
            GOING, statuses=[told(GOING, FAILED, State.ONLINE)], observed=observed(unmoved_s={"web": unmoved_s})
        )
        return handing_over.in_vain(GOING, seen)

    assert left(10.0) == (f"it could not be handed over to n2: {FAILED.why}", 50.0)
    assert left(60.0) == ("", 0.0)
    assert handing_over.in_vain(GOING, able(GOING)) == ("", 0.0)


def test_only_a_node_that_keeps_nothing_shuts_down_what_cannot_go_as_it_runs() -> None:
    def drained(force: bool) -> ClusterView:
        n1 = msgspec.structs.replace(node("n1"), draining=True, force_drain=force)
        return able(GOING, nodes=(n1, node("n2"), node("n3")))

    assert not handing_over.shuts_down_instead(GOING, able(GOING))
    assert not handing_over.shuts_down_instead(GOING, drained(force=False))
    assert handing_over.shuts_down_instead(GOING, drained(force=True))


# -- what does the coordinator make of it? -----------------------------------------------------------------------------

GONE = Handover(4, "n3", done=True)
LIVE = group("web", on="n2", move_to="n3", stop=Stop.LIVE, moves=4)


def handed_over(said: Handover = GONE, state: State = State.OFFLINE, web: Group = LIVE, **changes: Any) -> ClusterView:
    report = status(web, state)
    resources = {"web": msgspec.structs.replace(report.resources["web"], handover=said)}
    return view(web, statuses=[msgspec.structs.replace(report, resources=resources)], **changes)


GOES_ON = Assign("web", "n3", 4, "handed over by n2 as it ran", received_from="n2")


def test_what_was_handed_over_is_assigned_to_where_it_stands_and_the_record_says_that_it_goes_on_from_there() -> None:
    assert decide(handed_over()).actions == (GOES_ON,)


def assigned(plan: Plan) -> dict[str, str]:
    return {action.group: action.owner for action in plan.actions if isinstance(action, Assign)}


def waits(plan: Plan) -> str:
    return "; ".join(waiting.why for waiting in plan.waiting)


def test_without_its_owners_word_it_is_handed_over_to_nobody() -> None:
    for state in (State.ONLINE, State.UNKNOWN, State.ONLINE_PENDING):
        assert decide(handed_over(Handover(4, "n3", percent=70), state)).actions == ()
        assert decide(handed_over(GONE, state)).actions == ()
    (assign,) = decide(handed_over(Handover(4, "n3", percent=100))).actions
    assert isinstance(assign, Assign)
    assert assign.received_from == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"move_to": ""},
        {"move_to": "n1", "moves": 5},
        {"maintenance": "it is being mended"},
        {"wanted": Wanted.OFFLINE, "move_to": ""},
        {"possible_owners": ("n1", "n2")},
    ],
)
def test_where_it_stands_there_it_goes_on_whatever_is_wished_by_now(changes: dict[str, Any]) -> None:
    assert decide(handed_over(web=msgspec.structs.replace(LIVE, **changes))).actions[:1] == (GOES_ON,)


def test_where_it_stands_there_it_goes_on_whatever_keeps_that_node_from_taking_groups_and_also_when_not_armed() -> None:
    paused = (node("n1"), node("n2"), node("n3", paused=True))
    assert decide(handed_over(nodes=paused)).actions[:1] == (GOES_ON,)
    assert decide(handed_over(settings=Settings(armed=False))).actions == (GOES_ON,)
    assert decide(handed_over(Handover(4, "n3"), settings=Settings(armed=False))).actions == ()


def test_when_the_node_where_it_stands_is_lost_it_is_started_anew_where_it_was() -> None:
    plan = decide(handed_over(silences=[silence("n3", proof=ProofKind.FENCE)]))
    assert [type(action) for action in plan.actions] == [ClearMove]


def test_who_died_after_that_word_has_handed_it_over_all_the_same_and_not_before_his_death_is_proven() -> None:
    assert GOES_ON in decide(handed_over(silences=[silence("n2", proof=ProofKind.FENCE)])).actions
    assert assigned(decide(handed_over(silences=[silence("n2")]))) == {}


def test_who_died_before_that_word_has_handed_over_nothing() -> None:
    plan = decide(
        handed_over(Handover(4, "n3", percent=90), State.ONLINE, silences=[silence("n2", proof=ProofKind.FENCE)])
    )
    (assign,) = (action for action in plan.actions if isinstance(action, Assign))
    assert assign.received_from == ""


def test_while_it_is_handed_over_everybody_sees_how_far_it_has_come() -> None:
    plan = decide(handed_over(Handover(4, "n3", percent=40), State.ONLINE))
    assert waits(plan) == "n2 to hand it over to n3 (40 % of it is there)"


def test_what_could_not_be_handed_over_runs_on_where_it_is_and_its_move_is_over() -> None:
    failed = Handover(4, "n3", why="its processor is of another kind there")
    plan = decide(handed_over(failed, State.ONLINE))
    assert plan.actions == (
        ClearMove("web", "it could not be handed over to n3: its processor is of another kind there"),
    )


def test_by_force_what_could_not_be_handed_over_is_shut_down_instead() -> None:
    leaving = msgspec.structs.replace(node("n2"), paused=True, draining=True, force_drain=True)
    failed = Handover(4, "n3", why="its processor is of another kind there")
    plan = decide(handed_over(failed, State.ONLINE, nodes=(node("n1"), leaving, node("n3"))))
    (wish,) = (action for action in plan.actions if isinstance(action, WishMove))
    assert (wish.to, wish.stop) == ("n3", Stop.SHUTDOWN)
