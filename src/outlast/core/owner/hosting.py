"""Which resource types share a host process, and when is a host started again?

All types begin in one shared host. A type that hung a call, or was at work when its host crashed, is from then on
kept in a host of its own, so that its next fault hurts only itself. So is a single resource for which somebody asked
for that (`separate_host`). A host that ends is replaced at once, and with growing pauses when it keeps ending soon
after its start. When a shared host keeps ending and nobody is to blame, each of its types gets a host of its own: the
one that it was hurts only itself from then on.

A type whose host keeps ending is *held back*: it is still tried, and nothing that runs is touched, but it is no basis
for protection, until a host of it has lived long enough or an administrator says so.
"""

from collections.abc import Collection, Mapping

import msgspec

SHARED = "shared"
STEADY_S = 60.0
"""A host that lived that long has proven itself: its next end is the first again."""
LONGEST_PAUSE_S = 30.0
HELD_BACK_AFTER = 4
"""A host that ended so often in a row soon after its start is no basis for protection."""
SPLIT_AFTER = 3
"""A shared host that ended so often in a row, with nobody to blame, is divided."""


class Start(msgspec.Struct, frozen=True):
    """Start the host of this slot with these types (empty: all there are) after `delay_s`."""

    slot: str
    types: tuple[str, ...]
    delay_s: float


class Hosting:
    """Slots, each a host process for a set of types."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._isolated: set[str] = set()
        self._alone: dict[str, str] = {}
        """Slots of single resources, and their types."""
        self._ends: dict[str, int] = {}
        self._started_at: dict[str, float] = {}

    def first(self) -> Start:
        return Start(SHARED, (), 0.0)

    def installed(self, types: Collection[str]) -> None:
        """These are here, whether a host of them ever starts or not."""
        self._known.update(types)

    def adopt(self, type_name: str) -> list[Start]:
        """A type that was installed after the shared host had started. It gets a host of its own."""
        if type_name in self._known:
            return []
        self._known.add(type_name)
        self._isolated.add(type_name)
        return [Start(type_name, (type_name,), 0.0)]

    def beside(self, slot: str, type_name: str) -> tuple[str, ...]:
        """Which types share this slot with that one: what it does hurts them too."""
        return tuple(sorted(self._known - self._isolated - {type_name})) if slot == SHARED else ()

    def held_back(self, slot: str) -> bool:
        return self._ends.get(slot, 0) >= HELD_BACK_AFTER

    def release(self, slot: str) -> None:
        """It has proven itself, or an administrator says so: what was is forgotten."""
        self._ends.pop(slot, None)

    def started(self, slot: str, types: Collection[str], now: float) -> None:
        if slot not in self._alone:
            self._known.update(types)
        self._started_at[slot] = now

    def slot_of(self, type_name: str, alone: str = "") -> str:
        """`alone`: the resource that has a host of its own."""
        if alone:
            return f"{type_name} of {alone}"
        return type_name if type_name in self._isolated else SHARED

    def keep_alone(self, type_name: str, alone: str) -> list[Start]:
        """A resource is to have a host of its own from now on."""
        slot = self.slot_of(type_name, alone)
        if slot in self._alone:
            return []
        self._alone[slot] = type_name
        return [Start(slot, (type_name,), 0.0)]

    def leave_alone(self, type_name: str, alone: str) -> None:
        """Its host is needed no longer: it ends, and is not started again."""
        slot = self.slot_of(type_name, alone)
        self._alone.pop(slot, None)
        self._ends.pop(slot, None)

    def is_alone(self, slot: str, type_name: str) -> bool:
        """Is that the slot of a single resource of this type?"""
        return self._alone.get(slot) == type_name

    def ended(self, slot: str, blamed: Collection[str], now: float, *, meant: bool = False) -> list[Start]:
        """The slot's host ended while calls of the `blamed` types were under way, or because of them. `meant`: an
        administrator had it replaced."""
        born = self._started_at.pop(slot, None)
        lived_s = now - born if born is not None else 0.0
        fresh = sorted(set(blamed) - self._isolated) if slot == SHARED else []
        ends = 0 if meant else 1 if lived_s >= STEADY_S else self._ends.get(slot, 0) + 1
        if slot == SHARED and ends >= SPLIT_AFTER and not fresh:
            fresh = sorted(self._known - self._isolated)
        if fresh:
            self._ends.update(dict.fromkeys(fresh, 1))
            ends = 1  # those that stay are not to blame
        self._ends[slot] = ends
        delay_s = 0.0 if ends <= 1 else min(LONGEST_PAUSE_S, 0.5 * 2.0 ** (ends - 2))
        if slot in self._alone:
            return [Start(slot, (self._alone[slot],), delay_s)]
        if slot != SHARED:
            return [Start(slot, (slot,), delay_s)] if slot in self._isolated else []
        self._isolated.update(fresh)
        shared = tuple(sorted(self._known - self._isolated))
        starts = [Start(name, (name,), 0.0) for name in fresh]
        if shared or not self._known:
            starts.append(Start(SHARED, shared, delay_s))
        return starts

    def isolated(self) -> Mapping[str, str]:
        """Type to slot, for those that have a host of their own."""
        return {name: name for name in sorted(self._isolated)}
