"""Which reports of this node that nothing runs may stand in the database, heard of or not?

The coordinator may give a group away because of such a report (`core/owner/duty.py`), so nothing is started before that
is taken back. The picture of the database does not tell it all: a report whose answer was lost may be committed later,
and a service that has just started does not know what the one before it had sent. Each report compares the one before
it, so one that was taken back, also unheard, is never written after that.
"""

from collections.abc import Iterable

from outlast.core.owner.telling import is_promise
from outlast.model.group import Group
from outlast.model.status import GroupStatus


class StandingReports:
    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}
        """By resource: at which epoch of its group such a report may stand."""

    def begin(self, groups: Iterable[Group], *, continuing: bool) -> None:
        """A session has been opened. Reports of another life say nothing; those of this one may have been sent."""
        self._epochs = {name: group.epoch for group in groups for name in group.resources} if continuing else {}

    def sending(self, status: GroupStatus) -> None:
        for name, one in status.resources.items():
            if is_promise(one):
                self._epochs[name] = status.epoch

    def written(self, status: GroupStatus) -> None:
        for name, one in status.resources.items():
            if not is_promise(one):
                self._epochs.pop(name, None)

    def may_stand(self, resource: str, epoch: int) -> bool:
        return self._epochs.get(resource) == epoch

    def takes_back(self, status: GroupStatus) -> bool:
        """Is this report to be written although the picture shows the very same?"""
        return any(not is_promise(one) and self.may_stand(name, status.epoch) for name, one in status.resources.items())
