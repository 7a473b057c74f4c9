"""What do groups need, and what do nodes have left of it?

Memory is hard: a node gets no group that its memory does not hold. Processors are shared, so they only weigh. What a
node may give to resources stands in its session (`memory_mib`, `cpus`); 0 is not known, and not limited.
"""

from collections.abc import Mapping

import msgspec

from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import Session

STEPS = 20
"""Loads are compared in steps of one in so many: what differs by less is as good."""


class Need(msgspec.Struct, frozen=True):
    memory_mib: int = 0
    cpus: int = 0


class Capacity(msgspec.Struct, frozen=True):
    """What a node has for resources; 0: not known, and not limited."""

    memory_mib: int = 0
    cpus: int = 0


UNKNOWN = Capacity()


def given(machine: Capacity, *, memory_mib: int | None, cpus: int | None, host_memory_mib: int) -> Capacity:
    """What of a machine resources may use: what was set (None: not), else all that it has but for what the host itself
    needs. A machine that is all host gives the last MiB rather than an unlimited nothing."""
    left_mib = max(1, machine.memory_mib - host_memory_mib) if machine.memory_mib else 0
    return Capacity(left_mib if memory_mib is None else memory_mib, machine.cpus if cpus is None else cpus)


NOTHING = Need()


def need(group: Group, resources: Mapping[str, Resource]) -> Need:
    """What its resources take together, those that are wanted off left out."""
    if len(group.resources) == 1:  # the usual one, and there are thousands of them
        only = resources.get(group.resources[0])
        return NOTHING if only is None or only.wanted is Wanted.OFFLINE else Need(only.memory_mib, only.vcpus)
    known = [resources[name] for name in group.resources if name in resources]
    wanted = [resource for resource in known if resource.wanted is Wanted.ONLINE]
    return Need(sum(one.memory_mib for one in wanted), sum(one.vcpus for one in wanted))


class Used:
    """What has been given away of one node."""

    __slots__ = ("cpus", "groups", "has_cpus", "has_mib", "memory_mib")

    def __init__(self, session: Session | None) -> None:
        self.has_mib = session.memory_mib if session else 0
        self.has_cpus = session.cpus if session else 0
        self.groups = 0
        self.memory_mib = 0
        self.cpus = 0

    def add(self, need: Need, times: int = 1) -> None:
        self.groups += times
        self.memory_mib += need.memory_mib * times
        self.cpus += need.cpus * times

    @property
    def free_mib(self) -> int | None:
        """None: nobody knows. Below 0: more was given away than there is."""
        return self.has_mib - self.memory_mib if self.has_mib else None

    def lacks(self, need: Need) -> str:
        """Why its memory does not hold that much more, for people; "" when it does."""
        if not self.has_mib or not need.memory_mib or self.memory_mib + need.memory_mib <= self.has_mib:
            return ""
        left = max(0, self.has_mib - self.memory_mib)
        return f"it has {left} MiB of memory left of {self.has_mib}, and {need.memory_mib} are needed"

    def load(self, need: Need = NOTHING) -> float:
        """From 0 (nothing) to 1 (its memory is full and each processor given away once), and above; with that much
        more. Memory and processors weigh the same. Of what is not known, nothing is full."""
        memory = (self.memory_mib + need.memory_mib) / self.has_mib if self.has_mib else 0.0
        cpus = (self.cpus + need.cpus) / self.has_cpus if self.has_cpus else 0.0
        return (memory + cpus) / 2
