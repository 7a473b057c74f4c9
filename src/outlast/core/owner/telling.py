"""What does an owner tell the cluster about a resource of its group?

*Offline* and *failed* are promises that nothing runs (rule 8): they are said of what does not run here, and of nothing
else. What does not run and is about to be started is called *online pending* from the moment on that this is decided,
also while it waits for others of its group, for its turn on its node, or for its next attempt after a failure; so
nobody takes the group away in the middle of its start.
"""

from outlast.core.owner.duty import Duty, Here, duty, may_begin
from outlast.core.owner.resource import PUBLISHED, S, runs_nothing
from outlast.model.group import Group
from outlast.model.status import ResourceStatus, State

LEFT_BY_HAND = "it was migrated away past the cluster, and runs on no node that says so"
RUNS_NOTHING = (State.OFFLINE, State.FAILED)


def is_promise(said: ResourceStatus) -> bool:
    """Does it say that nothing of the resource runs on this node? What went away past the cluster is UNKNOWN, and may
    be given to where it went."""
    return said.state in RUNS_NOTHING or said.moved_away


def stands_for_a_moment(before: ResourceStatus | None, last_known: S | None) -> bool:
    """Its host is being replaced, and nothing can be said of it just now: may what was told last stand meanwhile? Not
    that nothing runs, of what was seen to run since, before anybody was told (somebody started it at the console)."""
    seen_to_run = last_known is not None and not runs_nothing(last_known)
    return before is None or not is_promise(before) or not seen_to_run


def told(
    group: Group, me: str, here: Here, why: str, *, announced: bool, again: str, before: ResourceStatus | None
) -> ResourceStatus | None:
    """`announced`: it is started when that stands in the database. `again`: how it is to be tried again here; "" when
    it is not. `before`: what was told last at this epoch. None: nothing worth telling yet."""
    if announced:
        return ResourceStatus(State.ONLINE_PENDING)
    if here.left_by_hand:
        return ResourceStatus(State.UNKNOWN, LEFT_BY_HAND, moved_away=True, left_in=here.left_in)
    state = PUBLISHED[here.state]
    if not runs_nothing(here.state) or duty(group, me) is not Duty.RUN or here.switched_off or here.handed_to:
        return ResourceStatus(state, why)
    if here.left_alone:
        words = here.left_alone if here.state is S.FAILED else f"not started: {here.left_alone}"
        return ResourceStatus(state, "; ".join(filter(None, (why if here.state is S.FAILED else "", words))))
    failed_now = here.state is S.FAILED and group.epoch == here.failed_epoch
    if not (again and failed_now) and not may_begin(group, here):
        return ResourceStatus(state, why)
    if here.place.barred:
        return ResourceStatus(state, why) if failed_now else ResourceStatus(State.OFFLINE, here.place.barred)
    if again and failed_now:
        return ResourceStatus(State.ONLINE_PENDING, f"{again}: {why}" if why else again)
    if here.gate:
        return ResourceStatus(State.OFFLINE, here.gate)
    if here.place.waits:
        return ResourceStatus(State.ONLINE_PENDING, f"waits for {here.place.waits}")
    if here.turn:
        return ResourceStatus(State.ONLINE_PENDING, f"waits for its turn: {here.turn}")
    return ResourceStatus(state, why) if here.state in (S.OFFLINE, S.HANDED_OVER) else before
