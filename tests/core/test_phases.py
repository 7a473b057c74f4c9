"""How long each phase of a failover took: what counts as one, and from when to when each phase is."""

from collections.abc import Iterable, Mapping

import msgspec

from build import failure, group, silence, status
from outlast.core.coordinator.phases import ANSWERS_WITHIN_S, Cause, Phase, Phases, Took
from outlast.model.group import Group, Wanted
from outlast.model.node import ProofKind
from outlast.model.status import GroupStatus, State

WEB = group("web1", on="n1", epoch=3)
ON_N2 = group("web1", on="n2", epoch=4)
DEAD = silence("n1", proof=ProofKind.FENCE)


def told(took: Iterable[Took]) -> Mapping[tuple[Cause, Phase], float]:
    return {(one.cause, one.phase): one.seconds for one in took}


def watching(*groups: Group) -> Phases:
    return Phases({one.name: one for one in groups or (WEB,)})


def without_n1(*groups: Group) -> Phases:
    """n1 sent its last record at 10 s, was silent at 15 s, and its death was proven at 17 s."""
    phases = watching(*groups)
    assert told(phases.silence("n1", silence("n1"), 10.0, 15.0)) == {(Cause.NODE_LOST, Phase.DETECTED): 5.0}
    assert told(phases.silence("n1", DEAD, 10.0, 17.0)) == {(Cause.NODE_LOST, Phase.PROVEN): 2.0}
    return phases


def answering(of: Group) -> GroupStatus:
    online = status(of, State.ONLINE)
    each = {name: msgspec.structs.replace(one, answers=True) for name, one in online.resources.items()}
    return msgspec.structs.replace(online, resources=each)


def test_a_lost_node_is_told_from_its_last_sign_of_life_to_the_answering_guest() -> None:
    phases = without_n1()
    assert told(phases.group("web1", ON_N2, 17.5)) == {(Cause.NODE_LOST, Phase.DECIDED): 0.5}
    assert told(phases.status("web1", status(ON_N2, State.ONLINE_PENDING), 18.0)) == {}
    assert told(phases.status("web1", status(ON_N2, State.ONLINE), 20.5)) == {
        (Cause.NODE_LOST, Phase.STARTED): 3.0,
        (Cause.NODE_LOST, Phase.WHOLE): 10.5,
    }
    assert told(phases.status("web1", answering(ON_N2), 29.5)) == {(Cause.NODE_LOST, Phase.ANSWERED): 9.0}
    assert told(phases.status("web1", answering(ON_N2), 30.0)) == {}


def test_what_fails_is_told_from_its_failure() -> None:
    phases = watching()
    phases_at_20 = phases.status("web1", status(WEB, State.FAILED), 20.0)
    assert told(phases_at_20) == {}
    moved = msgspec.structs.replace(ON_N2, failures=(failure("web1 3"),))
    assert told(phases.group("web1", moved, 20.25)) == {(Cause.FAILED, Phase.DECIDED): 0.25}
    assert told(phases.status("web1", status(moved, State.ONLINE), 22.0)) == {
        (Cause.FAILED, Phase.STARTED): 1.75,
        (Cause.FAILED, Phase.WHOLE): 2.0,
    }


def test_phases_of_a_node_are_told_once_and_anew_for_its_next_life() -> None:
    phases = without_n1()
    assert told(phases.silence("n1", DEAD, 10.0, 18.0)) == {}
    assert told(phases.silence("n1", None, 10.0, 60.0)) == {}
    assert told(phases.silence("n1", silence("n1", life=2), 90.0, 95.5)) == {(Cause.NODE_LOST, Phase.DETECTED): 5.5}


def test_a_silent_node_that_comes_back_loses_nothing() -> None:
    phases = watching()
    list(phases.silence("n1", silence("n1"), 10.0, 15.0))
    list(phases.silence("n1", None, 10.0, 16.0))
    assert told(phases.group("web1", ON_N2, 30.0)) == {}


def test_a_move_and_a_first_placement_are_no_failovers() -> None:
    assert told(watching().group("web1", ON_N2, 30.0)) == {}
    placed = watching(group("web1", on="", epoch=0))
    assert told(placed.group("web1", group("web1", on="n2", epoch=1), 30.0)) == {}
    assert told(placed.status("web1", status(group("web1", on="n2", epoch=1), State.ONLINE), 33.0)) == {}


def test_an_administrators_new_attempt_is_no_failover() -> None:
    phases = watching()
    list(phases.status("web1", status(WEB, State.FAILED), 20.0))
    assert told(phases.group("web1", group("web1", on="n1", epoch=4), 7220.0)) == {}


def test_what_was_off_on_purpose_when_its_node_died_did_not_fail_over() -> None:
    phases = without_n1(group("web1", on="n1", epoch=3, wanted=Wanted.OFFLINE))
    list(phases.group("web1", WEB, 3000.0))  # wanted online by now
    assert told(phases.group("web1", ON_N2, 3001.0)) == {}


def test_who_is_lost_again_on_the_way_was_down_all_the_while() -> None:
    phases = without_n1()
    list(phases.group("web1", ON_N2, 17.5))
    list(phases.silence("n2", silence("n2"), 18.0, 23.0))
    list(phases.silence("n2", silence("n2", proof=ProofKind.FENCE), 18.0, 24.0))
    on_n3 = group("web1", on="n3", epoch=5)
    assert told(phases.group("web1", on_n3, 24.5)) == {(Cause.NODE_LOST, Phase.DECIDED): 0.5}
    whole = told(phases.status("web1", status(on_n3, State.ONLINE), 26.0))
    assert whole[Cause.NODE_LOST, Phase.WHOLE] == 16.0


def test_a_report_of_an_earlier_owner_ends_nothing() -> None:
    phases = without_n1()
    list(phases.group("web1", ON_N2, 17.5))
    assert told(phases.status("web1", status(WEB, State.ONLINE), 18.0)) == {}


def test_what_answers_an_hour_later_does_so_for_another_reason() -> None:
    phases = without_n1()
    list(phases.group("web1", ON_N2, 17.5))
    list(phases.status("web1", status(ON_N2, State.ONLINE), 20.0))
    assert told(phases.status("web1", answering(ON_N2), 20.5 + ANSWERS_WITHIN_S)) == {}
