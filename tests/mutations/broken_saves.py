"""How to break rule 13 in the running code of this process: a saved state is gone on from once, as it was left."""

from typing import Any

from mutations.broken import swap
from outlast.core.owner import duty
from outlast.core.owner.duty import Here, Step
from outlast.model.group import Group
from outlast.model.saved import SavedState
from outlast.service.hosting import saving
from outlast.service.hosting.local import Local
from outlast.service.hosting.saving import Saving


def starts_without_taking_it_out() -> None:
    original = duty.next_step

    def next_step(group: Group, me: str, here: Here, *, hold: bool = False) -> Step:
        found = original(group, me, here, hold=hold)
        return Step.ONLINE if found is Step.ANNOUNCE and not here.promised else found

    swap(original, next_step)


def puts_back_what_may_have_run() -> None:
    original = Saving.restore

    async def restore(self: Any, local: Local, state: SavedState) -> None:
        try:
            await original(self, local, state)
        except BaseException:
            local.kept.put_back = state
            raise

    setattr(Saving, "restore", restore)  # noqa: B010


def leaves_it_to_who_has_taken_it() -> None:
    setattr(Saving, "record_of_stray", Saving.record)  # noqa: B010


def keeps_what_is_of_the_past() -> None:
    setattr(saving, "_is_past", lambda local, record: False)  # noqa: B010
