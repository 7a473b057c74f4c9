"""Follows failovers as this node sees them, and keeps how long their phases took.

Every node follows all of them, so that the next coordinator knows what went before; whoever coordinates when a phase
ends counts it, so that the sum over all nodes is right.
"""

from collections.abc import Callable, Iterable

from outlast.core.coordinator.phases import PHASES, Phases, Took
from outlast.model import keys
from outlast.model.metrics import PhaseMetrics
from outlast.ports.environment import Clock
from outlast.service.measuring.instruments import FAILOVER_S, Histograms
from outlast.service.store import Store


class Failovers:
    def __init__(self, store: Store, clock: Clock, coordinates: Callable[[], bool]) -> None:
        self._store = store
        self._clock = clock
        self._coordinates = coordinates
        known = [(cause.value, phase.value) for cause, phases in PHASES.items() for phase in phases]
        self._times: Histograms[tuple[str, str]] = Histograms(FAILOVER_S, known)

    def metrics(self) -> tuple[PhaseMetrics, ...]:
        return tuple(PhaseMetrics(cause, phase, times) for (cause, phase), times in self._times.read())

    async def run(self) -> None:
        changes = self._store.subscribe(keys.SILENCES, keys.GROUPS, keys.STATUS)
        phases = Phases(self._store.groups)
        while True:
            for key in await changes.wait():
                for took in self._saw(phases, key):
                    if self._coordinates():
                        self._times.observe((took.cause.value, took.phase.value), took.seconds)

    def _saw(self, phases: Phases, key: str) -> Iterable[Took]:
        store, now = self._store, self._clock.now()
        if key.startswith(keys.SILENCES):
            name = key.removeprefix(keys.SILENCES)
            return phases.silence(name, store.silences.get(name), store.observer.seen_at.get(name, now), now)
        if key.startswith(keys.GROUPS):
            name = key.removeprefix(keys.GROUPS)
            return phases.group(name, store.groups.get(name), now)
        name = key.removeprefix(keys.STATUS)
        return phases.status(name, store.statuses.get(name), now)
