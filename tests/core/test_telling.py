"""What an owner, n1, tells of a resource of its group; above all, when it tells that nothing of it runs."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from build import group
from outlast.core.owner.duty import Here, Step, next_step
from outlast.core.owner.ordering import Place
from outlast.core.owner.resource import PUBLISHED, S, runs_nothing
from outlast.core.owner.telling import LEFT_BY_HAND, stands_for_a_moment, told
from outlast.model.group import Group, Stop, Wanted
from outlast.model.status import ResourceStatus, State

ME = "n1"
MINE = group("web", on=ME, epoch=3)
OFF = group("web", on=ME, wanted=Wanted.OFFLINE)
PROMISES = (State.OFFLINE, State.FAILED)


def tell(of: Group, here: Here, why: str = "", **more: Any) -> ResourceStatus | None:
    return told(of, ME, here, why, **{"announced": False, "again": "", "before": None, **more})


_heres = st.builds(
    Here,
    st.sampled_from(S),
    st.sampled_from([-1, 2, 3]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.builds(
        Place,
        st.sampled_from(["", "disk, which it needs, failed"]),
        st.booleans(),
        st.sampled_from(["", "disk to be online"]),
        st.sampled_from(["", "note needs it and may still run"]),
    ),
    st.sampled_from(["", "waits for db to be online"]),
    st.sampled_from(["", "in maintenance: it is being mended"]),
)
_groups = st.sampled_from([MINE, OFF, group("web", on=ME, move_to="n2")])


@given(_groups, _heres, st.booleans(), st.sampled_from(["", "is restarted here (1 of 3)"]))
def test_that_nothing_runs_is_told_only_of_what_does_not_run(
    of: Group, here: Here, announced: bool, again: str
) -> None:
    status = tell(of, here, "why", announced=announced, again=again)
    if status is not None and status.state in PROMISES:
        assert runs_nothing(here.state)
        assert not announced


@given(_groups, _heres, st.sampled_from(["", "is restarted here (1 of 3)"]))
def test_what_runs_or_may_run_is_told_as_it_is_whatever_stands_beside_it(of: Group, here: Here, again: str) -> None:
    if not runs_nothing(here.state):
        assert tell(of, here, "why", again=again) == ResourceStatus(PUBLISHED[here.state], "why")


@given(_heres)
def test_what_waits_only_for_others_of_its_group_is_on_its_way_and_nobody_takes_it_away(here: Here) -> None:
    """Else the group could be given away between the start of its first resource and that of its last one."""
    waits = here.place.waits and not here.place.barred
    able = not (here.gate or here.left_alone or here.switched_off)
    if here.state is S.OFFLINE and waits and able:
        status = tell(MINE, here)
        assert status is not None
        assert status.state is State.ONLINE_PENDING


def test_a_start_that_was_announced_is_told_before_it_is_made() -> None:
    assert tell(MINE, Here(S.OFFLINE), announced=True) == ResourceStatus(State.ONLINE_PENDING)


def test_while_a_failed_resource_is_restarted_where_it_is_it_is_not_told_as_failed() -> None:
    failed = Here(S.FAILED, failed_epoch=3)
    assert tell(MINE, failed, "it broke", again="is restarted here (1 of 3)") == ResourceStatus(
        State.ONLINE_PENDING, "is restarted here (1 of 3): it broke"
    )
    assert tell(MINE, failed, "it broke") == ResourceStatus(State.FAILED, "it broke")


def test_a_restart_that_cannot_come_is_not_waited_for() -> None:
    """What it needs is gone for good: the group would be pending for ever, and never go elsewhere."""
    here = Here(S.FAILED, failed_epoch=3, place=Place("disk, which it needs, failed"))
    assert tell(MINE, here, "it broke", again="is restarted here (1 of 3)") == ResourceStatus(State.FAILED, "it broke")


def test_a_group_that_waits_for_another_one_is_off_and_says_so() -> None:
    gate = "waits for db to be online"
    assert tell(MINE, Here(S.OFFLINE, gate=gate)) == ResourceStatus(State.OFFLINE, gate)
    assert tell(MINE, Here(S.FAILED, failed_epoch=2, gate=gate)) == ResourceStatus(State.OFFLINE, gate)


def test_what_is_off_with_what_it_needs_says_so() -> None:
    here = Here(S.OFFLINE, place=Place("disk, which it needs, is wanted offline"))
    assert tell(MINE, here) == ResourceStatus(State.OFFLINE, "disk, which it needs, is wanted offline")


def test_what_is_left_alone_says_so_and_stays_as_it_is() -> None:
    alone = "in maintenance: it is being mended"
    assert tell(MINE, Here(S.OFFLINE, left_alone=alone)) == ResourceStatus(State.OFFLINE, f"not started: {alone}")
    failed = tell(MINE, Here(S.FAILED, failed_epoch=3, left_alone=alone), "it broke", again="is restarted here")
    assert failed == ResourceStatus(State.FAILED, f"it broke; {alone}")


def test_what_failed_at_an_earlier_epoch_and_is_about_to_be_tried_is_told_as_before() -> None:
    before = ResourceStatus(State.ONLINE_PENDING)
    assert tell(MINE, Here(S.FAILED, failed_epoch=2), before=before) is before
    assert tell(MINE, Here(S.FAILED, failed_epoch=2)) is None


@given(_heres)
def test_what_is_told_to_wait_is_not_started(here: Here) -> None:
    status = tell(MINE, here, "why")
    if status is not None and status.state is State.OFFLINE and status.why != "why":
        assert next_step(MINE, ME, here) not in (Step.ONLINE, Step.ANNOUNCE)


def test_what_waits_for_its_turn_is_on_its_way_and_says_for_whom() -> None:
    here = Here(S.OFFLINE, turn="db starts first, with a higher priority")
    status = told(group("web"), "n1", here, "", announced=False, again="", before=None)
    assert status == ResourceStatus(State.ONLINE_PENDING, "waits for its turn: db starts first, with a higher priority")


def test_what_stands_on_another_node_is_off_here_and_is_not_about_to_be_started() -> None:
    online = ResourceStatus(State.ONLINE)
    for of in (MINE, group("web", on=ME, move_to="n2", stop=Stop.LIVE)):
        here = Here(S.HANDED_OVER, handed_to="n2")
        assert tell(of, here, "handed over", before=online) == ResourceStatus(State.OFFLINE, "handed over")


def test_what_stood_on_a_node_that_is_gone_is_told_as_off_before_it_is_started_here() -> None:
    assert tell(MINE, Here(S.HANDED_OVER), before=ResourceStatus(State.ONLINE)) == ResourceStatus(State.OFFLINE)


def test_what_was_migrated_away_past_the_cluster_is_unknown_and_no_promise() -> None:
    assert tell(MINE, Here(S.HANDED_OVER, left_by_hand=True)) == ResourceStatus(
        State.UNKNOWN, LEFT_BY_HAND, moved_away=True
    )


def test_what_stands_here_is_on_its_way_online_and_what_is_handed_over_runs() -> None:
    assert tell(MINE, Here(S.RECEIVED)) == ResourceStatus(State.ONLINE_PENDING, "")
    assert tell(MINE, Here(S.HANDING_OVER)) == ResourceStatus(State.ONLINE, "")


def test_while_a_host_is_replaced_what_was_told_stands_but_not_that_what_was_seen_to_run_is_off() -> None:
    for promise in (
        ResourceStatus(State.OFFLINE),
        ResourceStatus(State.FAILED),
        ResourceStatus(State.UNKNOWN, moved_away=True),
    ):
        assert not stands_for_a_moment(promise, S.ONLINE)
        assert not stands_for_a_moment(promise, S.TERMINATING)
        assert stands_for_a_moment(promise, S.OFFLINE)
        assert stands_for_a_moment(promise, None)  # by a service that has just started: it is about to look
    assert stands_for_a_moment(ResourceStatus(State.ONLINE), S.ONLINE)
    assert stands_for_a_moment(None, S.ONLINE)
