"""Somebody switched resources off or on past the cluster: what is wanted from then on (rule 10)?

A group of one resource, as a VM has it, is wanted as its resource was switched. Of a group of several only that
resource is wanted off, and the rest runs on; switched on, it is wanted online together with its group. Or its settings
say that it comes back (`on_console_stop`, `on_guest_shutdown`): then nothing else is wanted, and it is brought online.
"""

from collections.abc import Mapping, Sequence

import msgspec

from outlast.model.group import Group, Resource, Wanted
from outlast.model.health import EndedBy
from outlast.model.policy import OnStop

MOST_RETURNS = 3
RETURNS_WITHIN_S = 600.0
"""What was stopped and brought online again so often within that time, stays off the next time: somebody means it, or
nothing helps."""


class Return(msgspec.Struct, frozen=True):
    """Is what was stopped past the cluster brought online again at once?"""

    comes_back: bool = False
    words: str = ""
    """By which setting it does; or why it does not although it should."""


def returns(resource: Resource, ended_by: EndedBy, times_s: Sequence[float], now_s: float) -> Return:
    """`times_s`: when it came back before."""
    settings = {
        EndedBy.CONSOLE: ("on_console_stop", resource.on_console_stop),
        EndedBy.GUEST: ("on_guest_shutdown", resource.on_guest_shutdown),
    }
    name, policy = settings.get(ended_by, ("", OnStop.RESPECT))
    if policy is OnStop.RESPECT:
        return Return()
    lately = [at_s for at_s in times_s if now_s - at_s < RETURNS_WITHIN_S]
    if len(lately) >= MOST_RETURNS:
        within = f"{RETURNS_WITHIN_S / 60:.0f} min"
        return Return(words=f"{len(lately)} times brought online again within {within}, so it stays off")
    return Return(True, f"{name}={policy.value}")


class Switched(msgspec.Struct, frozen=True):
    resource: str
    wanted: Wanted
    how: str
    """For people: "it was shut down inside the guest"."""


class Intent(msgspec.Struct, frozen=True):
    group: Group
    """As it is from now on; the same as before when nothing about it changes."""
    resources: tuple[Resource, ...]
    """Those that change."""
    words: tuple[str, ...]


def intent(group: Group, resources: Mapping[str, Resource], switched: Sequence[Switched], where: str) -> Intent | None:
    """None: it is wanted so already."""
    changed: dict[str, Resource] = {}
    words: list[str] = []
    wanted, by = group.wanted, group.wanted_by
    for one in switched:
        who = f"{one.how}, on {where}"
        resource = resources.get(one.resource)
        if (one.wanted is Wanted.ONLINE and wanted is Wanted.OFFLINE) or len(group.resources) == 1:
            if wanted is not one.wanted:
                wanted, by = one.wanted, who
                words.append(f"{group.name} is wanted {wanted.value}: {who}")
            if one.wanted is Wanted.OFFLINE:
                continue
        if resource is not None and resource.wanted is not one.wanted:
            changed[one.resource] = msgspec.structs.replace(resource, wanted=one.wanted)
            words.append(f"{one.resource} of {group.name} is wanted {one.wanted.value}: {who}")
    if not words:
        return None
    record = group
    if wanted is not group.wanted:
        record = msgspec.structs.replace(group, wanted=wanted, wanted_by=by, intents=group.intents + 1)
    return Intent(record, tuple(changed.values()), tuple(words))
