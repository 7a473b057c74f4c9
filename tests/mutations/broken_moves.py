"""How to break rule 9 in the running code of this process: a live migration is one fact."""

from typing import Any

import msgspec

from mutations.broken import swap
from outlast.core.coordinator import handing_over
from outlast.core.owner import duty, own_stop, resource
from outlast.core.owner.duty import Duty
from outlast.core.owner.own_stop import OwnStop
from outlast.core.owner.resource import Call, E, S
from outlast.model.group import Group
from outlast.model.status import Handover
from outlast.service.hosting import strays
from outlast.service.hosting.handing import Handing
from outlast.service.hosting.local import Local


def whatever_the_owner_says() -> None:
    setattr(handing_over, "nothing_runs", lambda *_: True)  # noqa: B010


def the_destination(does: Duty) -> None:
    original = duty.duty

    def other(group: Group, me: str) -> Duty:
        found = original(group, me)
        return does if found is Duty.RECEIVE else found

    swap(original, other)


def ends_what_arrives() -> None:
    the_destination(Duty.LEAVE)
    setattr(strays.Strays, "look_at", lambda *_: strays.NONE)  # noqa: B010


def failed_is_done() -> None:
    resource.TRANSITIONS[S.HANDING_OVER, E.CALL_FAILED] = (S.HANDED_OVER, Call.NONE)

    def failed(self: Handing, local: Local, call: Call, why: str) -> None:
        if local.handover is not None:
            local.handover = msgspec.structs.replace(local.handover, done=True)

    setattr(Handing, "failed", failed)  # noqa: B010


def forgets_that_it_was_handed_over() -> None:
    original = own_stop.after

    def after(stop: OwnStop, state: S) -> OwnStop:
        found = original(stop, state)
        return OwnStop.NONE if found is OwnStop.HANDING else found

    swap(original, after)


def guesses_where_it_went() -> None:
    """Where it is to go by the record of now."""

    def found_gone(self: Any, local: Local) -> None:
        group = self._records.group(local)
        local.handover = Handover(group.moves, group.move_to, done=bool(group.move_to))
        self._changed()

    setattr(Handing, "found_gone", found_gone)  # noqa: B010
