"""Who hears whom in the simulated world, on which network, in which direction, and how late?

A link carries what one machine sends to another, on one *plane*: the database's (clients to members, members among
themselves) or the services' own. Each direction is cut, slowed and healed by itself, so that every shape of a
partition can be made; a machine always hears itself. A link *flaps* when it is cut and whole in turn.

Nothing is kept here of what is under way: who carries a message asks when it leaves, and again when it arrives.
"""

import enum
from asyncio import TimerHandle
from collections.abc import Callable, Iterable

from outlast.sim.loop import SimLoop
from outlast.sim.process import OUTSIDE


class Plane(enum.Enum):
    """Of which network. The value is the name in scenario files."""

    DATABASE = "database"
    SERVICE = "service"


BOTH_PLANES = tuple(Plane)
Link = tuple[str, str, Plane]
"""From, to, on which plane."""


class Links:
    def __init__(self, loop: SimLoop, *, way_s: Callable[[], float] = lambda: 0.001) -> None:
        self.on_change: list[Callable[[], None]] = []
        """Told of every change, in the moment of it."""
        self._loop = loop
        self._way_s = way_s
        self._cut: dict[Link, None] = {}
        self._slow_s: dict[Link, float] = {}
        self._flaps: dict[Link, TimerHandle] = {}

    # --- asked ----------------------------------------------------------------------------------------------------

    def carries(self, sender: str, receiver: str, plane: Plane) -> bool:
        return not self._cut or (sender, receiver, plane) not in self._cut

    def connects(self, one: str, other: str, plane: Plane) -> bool:
        """In both directions."""
        return not self._cut or (self.carries(one, other, plane) and self.carries(other, one, plane))

    def way_s(self, sender: str, receiver: str, plane: Plane) -> float:
        """How long a message takes that leaves now."""
        return self._way_s() + self.slower_by_s(sender, receiver, plane)

    def slower_by_s(self, sender: str, receiver: str, plane: Plane) -> float:
        return self._slow_s.get((sender, receiver, plane), 0.0) if self._slow_s else 0.0

    @property
    def any_slow(self) -> bool:
        return bool(self._slow_s)

    @property
    def whole(self) -> bool:
        """Is every link as it should be?"""
        return not (self._cut or self._slow_s or self._flaps)

    # --- done to them ---------------------------------------------------------------------------------------------

    def cut(self, sender: str, receiver: str, planes: Iterable[Plane] = BOTH_PLANES) -> None:
        """What `sender` sends no longer arrives; what `receiver` sends still does."""
        if sender != receiver:
            self._cut.update(dict.fromkeys((sender, receiver, plane) for plane in planes))
            self._changed()

    def heal(self, sender: str, receiver: str, planes: Iterable[Plane] = BOTH_PLANES) -> None:
        """Whole and quick again; it flaps no more."""
        for plane in planes:
            link = (sender, receiver, plane)
            self._cut.pop(link, None)
            self._slow_s.pop(link, None)
            flap = self._flaps.pop(link, None)
            if flap is not None:
                flap.cancel()
        self._changed()

    def heal_all(self) -> None:
        for sender, receiver, plane in [*self._cut, *self._slow_s, *self._flaps]:
            self.heal(sender, receiver, (plane,))

    def slow(self, sender: str, receiver: str, by_s: float, planes: Iterable[Plane] = BOTH_PLANES) -> None:
        if sender != receiver:
            self._slow_s.update({(sender, receiver, plane): by_s for plane in planes})
            self._changed()

    def flap(self, sender: str, receiver: str, period_s: float, planes: Iterable[Plane] = BOTH_PLANES) -> None:
        """Cut for half of the period, whole for the other half, and so on until it is healed."""
        for plane in planes:
            self.heal(sender, receiver, (plane,))
            self._turn((sender, receiver, plane), period_s / 2)

    def _turn(self, link: Link, half_s: float) -> None:
        if link in self._cut:
            del self._cut[link]
        else:
            self._cut[link] = None
        self._flaps[link] = self._loop.call_later(half_s, self._turn, link, half_s, context=OUTSIDE)
        self._changed()

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()
