"""Which groups are moved because a shared volume of theirs is lost on their node?"""

from typing import Any

import msgspec
import pytest
from volume_builders import VOLUME, cluster

from build import failure, group, incarnation, status
from outlast.core.coordinator.alarms import alarms
from outlast.core.coordinator.failover import decide
from outlast.model.group import Stop, Wanted
from outlast.model.node import Offer
from outlast.model.plan import WishMove
from outlast.model.status import GroupStatus, Handover, ResourceStatus, State
from outlast.model.view import ClusterView
from outlast.model.volume import VolumeState

MOVABLE = (Offer("vm", functions=("migrate",)), Offer("shared_volume"))
LOST = "the volume v1 is lost on n1: read-only file system"


def moves(view: ClusterView) -> list[WishMove]:
    return [action for action in decide(view).actions if isinstance(action, WishMove)]


def waits(view: ClusterView) -> str:
    return next((one.why for one in decide(view).waiting if one.group == "web"), "")


def test_what_needs_a_volume_that_is_there_stays() -> None:
    assert decide(cluster()).actions == ()


def test_it_is_turned_off_and_moved_and_that_counts_as_a_failure() -> None:
    (move,) = moves(cluster(lost=("n1",)))
    assert (move.group, move.to, move.stop, move.return_to) == ("web", "n2", Stop.TURN_OFF, "n1")
    assert move.failure is not None
    assert (move.failure.node, move.failure.why) == ("n1", LOST)


def test_before_the_limit_it_waits_and_says_for_how_long() -> None:
    seen = cluster(lost=("n1",), lost_s=20.0)
    assert moves(seen) == []
    assert waits(seen) == f"the volume to come back within 40 s, since {LOST}"
    assert decide(seen).wake_in_s == 40.0


def test_when_storage_comes_back_for_all_nobody_is_turned_off_because_another_node_saw_it_first() -> None:
    seen = cluster(lost=("n1",), lost_s=3600.0, seen_s=5.0)
    assert moves(seen) == []
    assert waits(seen) == f"the volume to come back within 55 s, since {LOST}"


def test_with_no_limit_it_waits_for_ever() -> None:
    seen = cluster(lost=("n1",), limit_s=-1)
    assert moves(seen) == []
    assert "limit_s is never" in waits(seen)


def test_it_goes_only_where_the_volume_is_seen() -> None:
    (move,) = moves(cluster(lost=("n1", "n2")))
    assert move.to == "n3"


def test_a_node_that_has_not_said_that_it_sees_the_volume_is_no_reason_to_turn_it_off() -> None:
    seen = cluster(lost=("n1", "n2"), silent=("n3",))
    assert moves(seen) == []
    assert "n3: it has not said whether it sees the volume v1" in waits(seen)


def test_a_volume_that_is_lost_everywhere_moves_nothing_and_everybody_sees_that() -> None:
    seen = cluster(lost=("n1", "n2", "n3"))
    assert moves(seen) == []
    assert "a node that sees the volume" in waits(seen)
    assert [words for words in alarms(seen) if words.startswith("The volume v1 is lost on every node")]


def test_first_it_is_handed_over_as_it_runs() -> None:
    (move,) = moves(cluster(lost=("n1",), lost_s=100.0, offers=MOVABLE))
    assert (move.stop, move.failure) == (Stop.LIVE, None)


def test_after_that_came_to_nothing_it_is_turned_off() -> None:
    seen = cluster(lost=("n1",), offers=MOVABLE)
    web = seen.groups["web"]
    said = ResourceStatus(State.ONLINE, handover=Handover(web.moves, "n2", why="it has an I/O error"))
    report = GroupStatus("web", "n1", incarnation("n1"), web.epoch, {"web": said})
    (move,) = moves(msgspec.structs.replace(seen, statuses={**seen.statuses, "web": report}))
    assert move.stop is Stop.TURN_OFF


@pytest.mark.parametrize(
    ("lost_s", "moving_s", "stop"),
    [
        (100.0, 40.0, None),
        (121.0, 61.0, Stop.TURN_OFF),
        (121.0, 30.0, None),  # it began late, and has its own time
        (100.0, 900.0, None),  # somebody wished it long before
    ],
)
def test_a_migration_that_does_not_come_to_an_end_is_not_waited_for(
    lost_s: float, moving_s: float, stop: Stop | None
) -> None:
    seen = cluster(lost=("n1",), lost_s=lost_s, offers=MOVABLE, move_to="n2", stop=Stop.LIVE)
    observed = msgspec.structs.replace(seen.observed, moving_s={"web": moving_s})
    assert [move.stop for move in moves(msgspec.structs.replace(seen, observed=observed))] == ([stop] if stop else [])


def test_no_more_are_handed_over_at_once_than_may_move_and_the_others_wait_for_their_turn_but_not_for_long() -> None:
    def seen(lost_s: float) -> ClusterView:
        found = cluster(lost=("n1",), lost_s=lost_s, offers=MOVABLE)
        web = found.groups["web"]
        groups, resources, statuses = dict(found.groups), dict(found.resources), dict(found.statuses)
        for number in range(4):
            name = f"web{number}"
            groups[name] = msgspec.structs.replace(web, name=name, resources=(name,))
            resources[name] = msgspec.structs.replace(found.resources["web"], name=name, group=name)
            statuses[name] = status(groups[name], State.ONLINE)
        return msgspec.structs.replace(found, groups=groups, resources=resources, statuses=statuses)

    assert [move.stop for move in moves(seen(100.0))] == [Stop.LIVE] * 2
    waiting = [one.why for one in decide(seen(100.0)).waiting]
    assert waiting == [f"others to move, since {LOST}: n1 gives away 2 at once"] * 3
    assert [move.stop for move in moves(seen(121.0))] == [Stop.TURN_OFF] * 5


@pytest.mark.parametrize(
    "more",
    [{"wanted": Wanted.OFFLINE}, {"maintenance": "somebody works on it"}, {"move_to": "n2", "stop": Stop.SHUTDOWN}],
)
def test_what_is_off_in_maintenance_or_leaves_anyway_is_left_alone(more: Any) -> None:
    assert moves(cluster(lost=("n1",), **more)) == []


def test_one_that_has_spent_its_failovers_waits_for_an_administrator() -> None:
    spent = tuple(failure(f"web-{number}", on="n2") for number in range(2))
    seen = cluster(lost=("n1",), failures=spent)
    assert moves(seen) == []
    assert "an administrator" in waits(seen)


def test_while_it_is_not_certain_that_nothing_of_it_runs_it_is_not_started_elsewhere() -> None:
    seen = cluster(lost=("n1",), move_to="n2", stop=Stop.TURN_OFF)
    stuck = status(seen.groups["web"], State.UNKNOWN)
    seen = msgspec.structs.replace(seen, statuses={**seen.statuses, "web": stuck})
    assert decide(seen).actions == ()
    assert waits(seen) == "n1 to take it offline before it moves to n2 (as it is)"


def test_the_coordinator_of_a_volume_goes_where_the_volume_is_seen() -> None:
    seen = cluster(lost=("n1", "n2"), volumes_on={VOLUME: "n1"})
    failed = status(seen.groups[VOLUME], State.FAILED)
    seen = msgspec.structs.replace(seen, statuses={**seen.statuses, VOLUME: failed})
    owners = [action.owner for action in decide(seen).actions if getattr(action, "group", "") == VOLUME]  # type: ignore[union-attr]
    assert owners == ["n3"]


def test_a_volume_that_is_full_is_told_and_moves_nothing() -> None:
    seen = cluster()
    full = {
        name: msgspec.structs.replace(session, volumes=(VolumeState(VOLUME, is_full=True),))
        for name, session in seen.sessions.items()
    }
    seen = msgspec.structs.replace(seen, sessions=full)
    assert moves(seen) == []
    assert "The volume v1 is full: what grows on it stops. Make room on it" in alarms(seen)


def test_a_move_by_hand_that_still_waits_for_its_turn_keeps_nobody_from_getting_it_away_from_a_lost_volume() -> None:
    waits_for_its_turn: dict[str, Any] = {"move_to": "n2", "stop": Stop.SHUTDOWN, "queued": True}
    seen = cluster(lost=("n1",), **waits_for_its_turn)
    busy = [group(name, on="n1", move_to="n3") for name in ("a", "b")]
    full = msgspec.structs.replace(seen, groups={**seen.groups, **{one.name: one for one in busy}})
    (move,) = (one for one in moves(full) if one.group == "web")
    assert (move.to, move.stop) == ("n2", Stop.TURN_OFF)
