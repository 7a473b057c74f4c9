"""One resource as it stands on this node."""

import asyncio

import msgspec

from outlast.core.resource import S
from outlast.model.group import Resource


class Remark(msgspec.Struct, frozen=True):
    """Something worth an event, to be written when the database can be reached."""

    kind: str
    words: str
    group: str = ""


class Local:
    """One resource as it stands on this node."""

    def __init__(self, resource: Resource, now: float) -> None:
        self.resource = resource
        self.state = S.DETACHED
        self.why = ""
        self.since = now
        """When it came into its state, as the cluster is told it."""
        self.changes = 0
        """Up by one with each change of state: an answer to an older question is no longer one."""
        self.opened = False
        """Does the present host have it open?"""
        self.must_stop = ""
        """Why it must not run here, whatever the group's record says; empty when the record decides."""
        self.last_known: S | None = None
        """The last state in which it could be told what runs, whatever can be told of it now."""
        self.failed_epoch = -1
        self.switched_off = ""
        """Somebody switched it off on purpose, and the group's record does not know it yet: how."""
        self.switched_on = ""
        self.switched_at = -1
        """The group's count of intents when that was seen: a later word of an administrator wins."""
        self.announced = False
        """The reporter is to tell that it is about to be brought online."""
        self.hung = False
        """A call of it still hangs in its host."""
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.resource.name
