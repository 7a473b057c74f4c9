"""A resource failed on its owner: is it restarted there, how often, and when?

As in the original: so often within a period (`restart_threshold`, `restart_period_s`), each time after a pause
(`restart_delay_s`). What then remains failed is told to the cluster, and its group moves if `restart_action` says so.
Nobody else looks after a resource whose group is not to move: its owner tries it once more after `retry_after_s`, its
own or its group's, all attempts anew.

Times are seconds of the owner's own clock. They are forgotten with the service, and with each new epoch.
"""

from collections.abc import Sequence

import msgspec

from outlast.model.group import Group, Resource
from outlast.model.policy import RestartAction


class Attempt(msgspec.Struct, frozen=True):
    """It is tried here again."""

    at_s: float
    number: int
    of: int
    """0: it is the retry after long; before it all its attempts were spent."""

    @property
    def words(self) -> str:
        return f"is restarted here ({self.number} of {self.of})" if self.of else "is tried here once more"


def restart(resource: Resource, restarts_s: Sequence[float], failed_at_s: float) -> Attempt | None:
    """The next attempt here; None: it stays failed. `restarts_s`: when it was restarted here, at this epoch."""
    if resource.restart_action is RestartAction.NOTHING:
        return None
    number = sum(1 for at_s in restarts_s if failed_at_s - at_s < resource.restart_period_s) + 1
    if number > resource.restart_threshold:
        return None
    return Attempt(failed_at_s + resource.restart_delay_s, number, resource.restart_threshold)


def retry(resource: Resource, group: Group, failed_at_s: float) -> Attempt | None:
    """When one that stays failed is tried once more by its owner; None: never, or that is the coordinator's to say."""
    after_s = group.retry_after_s if resource.retry_after_s < 0 else resource.retry_after_s
    if resource.restart_action is not RestartAction.RESTART or after_s <= 0:
        return None
    return Attempt(failed_at_s + max(after_s, resource.restart_period_s), 1, 0)
