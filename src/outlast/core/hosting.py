"""Which resource types share a host process, and when is a host started again?

All types begin in one shared host. A type that hung a call, or was at work when its host crashed, is from then on
kept in a host of its own, so that its next fault hurts only itself. A host that ends is replaced at once, and with
growing pauses when it keeps ending soon after its start.
"""

from collections.abc import Collection, Mapping

import msgspec

SHARED = "shared"
STEADY_S = 60.0
"""A host that lived that long has proven itself: its next end is the first again."""
LONGEST_PAUSE_S = 30.0


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
        self._ends: dict[str, int] = {}
        self._started_at: dict[str, float] = {}

    def first(self) -> Start:
        return Start(SHARED, (), 0.0)

    def started(self, slot: str, types: Collection[str], now: float) -> None:
        self._known.update(types)
        self._started_at[slot] = now

    def slot_of(self, type_name: str) -> str:
        return type_name if type_name in self._isolated else SHARED

    def ended(self, slot: str, blamed: Collection[str], now: float) -> list[Start]:
        """The slot's host ended while calls of the `blamed` types were under way, or because of them."""
        born = self._started_at.pop(slot, None)
        lived_s = now - born if born is not None else 0.0
        ends = 1 if lived_s >= STEADY_S else self._ends.get(slot, 0) + 1
        self._ends[slot] = ends
        delay_s = 0.0 if ends == 1 else min(LONGEST_PAUSE_S, 0.5 * 2.0 ** (ends - 2))
        if slot != SHARED:
            return [Start(slot, (slot,), delay_s)]
        fresh = sorted(set(blamed) - self._isolated)
        self._isolated.update(fresh)
        shared = tuple(sorted(self._known - self._isolated))
        starts = [Start(name, (name,), 0.0) for name in fresh]
        if shared or not self._known:
            starts.append(Start(SHARED, shared, delay_s))
        return starts

    def isolated(self) -> Mapping[str, str]:
        """Type to slot, for those that have a host of their own."""
        return {name: name for name in sorted(self._isolated)}
