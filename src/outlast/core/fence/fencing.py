"""Which fence device is tried next, and when is a node proven to be off?

A *level* is what must be switched off together: its devices are tried beside each other, and all must confirm (a node
with two power supplies is off when both are). Levels are tried in order; the first that confirmed as a whole is
enough. As soon as one device of a level has failed for good, the next level is tried; after the last one the first
again, with a pause that grows.
"""

from collections.abc import Sequence

import msgspec

from outlast.core.fence.agents import proving
from outlast.model.fence import FenceDevice

RETRY_S = 0.5
"""Before the next attempt of one device."""
SHORTEST_ATTEMPT_S = 1.0
LONGEST_PAUSE_S = 15.0


class Off(msgspec.Struct, frozen=True):
    """Ask this device to switch the node off."""

    device: str
    timeout_s: float


class GiveUp(msgspec.Struct, frozen=True):
    """What this device is being asked matters no more."""

    device: str


class Proven(msgspec.Struct, frozen=True):
    """All devices of a level have confirmed."""

    devices: tuple[str, ...]
    words: str


class Confirmed(msgspec.Struct, frozen=True):
    device: str
    words: str


class Failed(msgspec.Struct, frozen=True):
    device: str


class Lied(msgspec.Struct, frozen=True):
    """The node was seen alive after the whole level had confirmed that it is off."""


Action = Off | GiveUp | Proven
Event = Confirmed | Failed | Lied | None


def called(device: FenceDevice) -> str:
    return device.name or device.agent


def in_levels(devices: Sequence[FenceDevice]) -> list[tuple[FenceDevice, ...]]:
    """Only of those whose word is proof."""
    counted = proving(devices)
    levels = sorted({device.level for device in counted})
    return [tuple(device for device in counted if device.level == level) for level in levels]


class Ladder:
    """One node's devices, from the first attempt to the proof. `handle` is also called when `deadline` has come."""

    def __init__(self, devices: Sequence[FenceDevice], now: float, *, delay_s: float = 0.0) -> None:
        self.attempts = 0
        self.rounds = 0
        """How often all levels have failed."""
        self._levels = in_levels(devices)
        self._at = 0
        self._delay_s = delay_s
        self._due: dict[str, float] = {}
        """When which device is to be asked."""
        self._asked: set[str] = set()
        self._tries: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self._confirmed: dict[str, str] = {}
        self._enter(now)

    def handle(self, event: Event, now: float) -> list[Action]:
        match event:
            case Confirmed(device, words) if device in self._asked:
                self._asked.discard(device)
                self._confirmed[device] = words
                level = self._levels[self._at]
                if len(self._confirmed) == len(level):
                    return [self._proven(level)]
            case Failed(device) if device in self._asked:
                self._asked.discard(device)
                if not self._try_again(device, now):
                    return [*self._next_level(now), *self._ask(now)]
            case Lied():
                return [*self._next_level(now), *self._ask(now)]
        return self._ask(now)

    def deadline(self) -> float | None:
        return min(self._due.values(), default=None)

    def _proven(self, level: Sequence[FenceDevice]) -> Proven:
        names = tuple(called(device) for device in level)
        return Proven(names, "; ".join(f"{name} confirmed: {self._confirmed[name]}" for name in names))

    def _ask(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for device in [device for device, at in self._due.items() if at <= now]:
            del self._due[device]
            self._asked.add(device)
            self._tries[device] = self._tries.get(device, 0) + 1
            self.attempts += 1
            actions.append(Off(device, self._ends[device] - now))
        return actions

    def _try_again(self, name: str, now: float) -> bool:
        """Once more on this level, if its number of attempts and its time allow it?"""
        device = next(device for device in self._levels[self._at] if called(device) == name)
        again_at = now + RETRY_S
        if self._tries[name] >= device.attempts or self._ends[name] - again_at < SHORTEST_ATTEMPT_S:
            return False
        self._due[name] = again_at
        return True

    def _next_level(self, now: float) -> list[Action]:
        left = [GiveUp(device) for device in sorted(self._asked)]
        self._at += 1
        pause_s = 0.0
        if self._at == len(self._levels):
            self._at = 0
            self.rounds += 1
            pause_s = min(LONGEST_PAUSE_S, RETRY_S * 2 ** min(self.rounds, 10))
        self._enter(now + pause_s)
        return [*left]

    def _enter(self, at: float) -> None:
        """The delays are waited once: later rounds come late enough."""
        self._asked.clear()
        self._tries.clear()
        self._confirmed.clear()
        self._due.clear()
        for device in self._levels[self._at] if self._levels else ():
            delay_s = self._delay_s + device.delay_s if self.rounds == 0 else 0.0
            self._due[called(device)] = at + delay_s
            self._ends[called(device)] = at + delay_s + device.timeout_s
        self._delay_s = 0.0
