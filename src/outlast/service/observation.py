"""What this node saw by its own clock, for the decisions: ages of what stands in the database, and who is silent.

Ages count from when this node first saw a thing, so they are never longer than the truth.
"""

from collections.abc import Callable, Collection, Mapping

from outlast.core.certainty import Pledges
from outlast.core.membership import Observer
from outlast.model.view import ClusterView, FenceReport, Observed
from outlast.ports.environment import Clock
from outlast.service.store import Store

COMES_BACK_S = 15.0
"""A service that starts, on a database that is just there, has its session within that."""


class Observation:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        observer: Observer,
        pledges: Pledges,
        fence_reports: Callable[[], Mapping[str, FenceReport]],
    ) -> None:
        self.runs_on = ""
        """While the database does not answer: why this node runs on without it, for people."""
        self.voters: tuple[str, ...] = ()
        """Who votes in the database, as it was last asked (`service/quorum/voting.py`)."""
        self._store = store
        self._clock = clock
        self._observer = observer
        self._pledges = pledges
        self._fence_reports = fence_reports
        self._silences: dict[str, float] = {}
        self._failures: dict[str, float] = {}

    def view(self) -> ClusterView:
        """The cluster as this node sees it now. Use it before the next `await`."""
        store, now = self._store, self._clock.now()
        silences = dict.fromkeys(f"{name} {silence.incarnation}" for name, silence in store.silences.items())
        failures = dict.fromkeys(failure.id for group in store.groups.values() for failure in group.failures)
        _keep_first_seen(self._silences, silences, now)
        _keep_first_seen(self._failures, failures, now)
        steady_s = self._observer.steady_s(now)
        observed = Observed(
            silent_s=self._observer.silent_s(store.sessions, now),
            silence_age_s={name: self._silence_age_s(name, steady_s, now) for name in store.silences},
            settling_s={name: left_s for name in store.silences if (left_s := self._settling_s(name, now)) > 0},
            failure_age_s={id: now - at for id, at in self._failures.items()},
            fence_reports=dict(self._fence_reports()),
            promised_s=self._pledges.all_left_s(now),
            voters=self.voters,
            runs_on=self.runs_on,
        )
        return store.view(observed)

    def _settling_s(self, node: str, now: float) -> float:
        """A new silence was judged by somebody who had the database for a node time-out: nothing to wait for."""
        steady_s = self._observer.steady_s(now)
        known_s = now - self._silences[f"{node} {self._store.silences[node].incarnation}"]
        old = known_s > steady_s - self._observer.timing.node_timeout_s
        return COMES_BACK_S - steady_s if old else 0.0

    def _silence_age_s(self, node: str, steady_s: float, now: float) -> float:
        """What this node could not watch, because it was cut off or had not started, may have run on with good reason:
        then its permit may have lasted until one time-out after that; else until what this node has promised to wait
        for is over (rule 11)."""
        session = self._store.sessions.get(node)
        timeout_s = max(self._observer.timing.node_timeout_s, session.node_timeout_s if session is not None else 0.0)
        seen_at = self._silences[f"{node} {self._store.silences[node].incarnation}"]
        return max(0.0, min(now - seen_at, steady_s - timeout_s, self._pledges.over_s(node, now)))

    def silence_in_s(self) -> float | None:
        """In how many seconds the next node will be silent, if nothing comes from it."""
        now = self._clock.now()
        judged = self._observer.silent_s(self._store.sessions, now)
        doubtful = [name for name in self._store.sessions if name not in self._store.silences and name not in judged]
        deadline = self._observer.deadline(name for name in doubtful if name != self._store.me)
        if deadline is None:
            return None
        # Past and not judged: this node is cut off itself, and can judge nobody until it writes again.
        return deadline - now if deadline > now else self._observer.timing.renew_interval_s

    def last_record_s(self) -> dict[str, float]:
        """Seconds since each node's last session record was seen here."""
        now = self._clock.now()
        return {name: now - at for name, at in self._observer.seen_at.items()}


def _keep_first_seen(seen: dict[str, float], present: Collection[str], now: float) -> None:
    for id in [id for id in seen if id not in present]:
        del seen[id]
    for id in present:
        seen.setdefault(id, now)
