"""What this node saw by its own clock, for the decisions: ages of what stands in the database, and who is silent.

Ages count from when this node first saw a thing, so they are never longer than the truth.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from outlast.core.coordinator import handing_over, intake
from outlast.core.coordinator.failing import failed
from outlast.core.membership.certainty import Pledges
from outlast.core.membership.membership import Observer
from outlast.core.placement.networks import FLAPS, LATELY_S, TRUSTED_AGAIN_S
from outlast.model.group import Stop
from outlast.model.node import Session
from outlast.model.status import ResourceStatus
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
        own: Callable[[], Mapping[str, ResourceStatus]] = dict,
    ) -> None:
        self.runs_on = ""
        """While the database does not answer: why this node runs on without it, for people."""
        self.vital: Callable[[], tuple[str, ...]] = tuple
        """Whose member of the database cannot be lost now, as it was seen last (`service/quorum/members.py`)."""
        self.voters: tuple[str, ...] = ()
        """Who votes in the database, as it was last asked (`service/quorum/voting.py`)."""
        self._store = store
        self._clock = clock
        self._observer = observer
        self._pledges = pledges
        self._fence_reports = fence_reports
        self._own = own
        self._silences: dict[str, float] = {}
        self._failures: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._unmoved: dict[str, float] = {}
        self._moving: dict[str, float] = {}
        """By "GROUP MOVES": wishes to hand a group over as it runs."""
        self._marks: dict[str, float] = {}
        self._lives: dict[str, float] = {}
        self._quarantines: dict[str, float] = {}
        self._lost_networks: frozenset[str] = frozenset()
        self._networks_back: dict[str, float] = {}
        self._network_losses: dict[str, tuple[float, ...]] = {}
        """By "node network": when it was lost of late."""
        self._open: dict[str, float] = {}
        self._lost_volumes: dict[str, float] = {}
        self._seen_volumes: dict[str, float] = {}
        self._failing: dict[str, str] = {}
        self._unhanded: dict[str, str] = {}
        """Groups that stay failed, and an id for that."""
        self._looked_at = -1
        """The picture of which all was noted."""

    def view(self) -> ClusterView:
        """The cluster as this node sees it now. Use it before the next `await`."""
        store, now = self._store, self._clock.now()
        if self._looked_at != store.changes:
            self._note_first_seen(now)
            self._looked_at = store.changes
        steady_s = self._observer.steady_s(now)
        observed = Observed(
            silent_s=self._observer.silent_s(store.sessions, now),
            silence_age_s={name: self._silence_age_s(name, steady_s, now) for name in store.silences},
            settling_s={name: left_s for name in store.silences if (left_s := self._settling_s(name, now)) > 0},
            failure_age_s={id: now - at for id, at in self._failures.items()},
            volume_lost_s=_ages(self._lost_volumes, now),
            volume_seen_s=_ages(self._seen_volumes, now),
            mark_age_s={id: now - at for id, at in self._marks.items()},
            open_s={life.partition(" ")[0]: now - at for life, at in self._open.items()},
            calm_s=now - self._store.stirred_at,
            session_age_s={node: now - self._lives[_life(session)] for node, session in store.sessions.items()},
            network_back_s=self._network_back_s(now),
            quarantine_age_s={name.partition(" ")[0]: now - at for name, at in self._quarantines.items()},
            hour=datetime.fromtimestamp(self._clock.wall()).hour,
            failed_s={name: now - self._failed[id] for name, id in self._failing.items()},
            unmoved_s={name: now - self._unmoved[id] for name, id in self._unhanded.items()},
            moving_s={id.partition(" ")[0]: now - at for id, at in self._moving.items()},
            fence_reports=dict(self._fence_reports()),
            promised_s=self._pledges.all_left_s(now),
            voters=self.voters,
            vital=self.vital(),
            runs_on=self.runs_on,
            unread_s=self.unread_s(now),
            own=self._own(),
        )
        return store.view(observed)

    def _note_first_seen(self, now: float) -> None:
        store = self._store
        silences = dict.fromkeys(f"{name} {silence.incarnation}" for name, silence in store.silences.items())
        failures = dict.fromkeys(failure.id for group in store.groups.values() for failure in group.failures)
        _keep_first_seen(self._silences, silences, now)
        _keep_first_seen(self._failures, failures, now)
        self._failing = self._staying_failed()
        _keep_first_seen(self._failed, dict.fromkeys(self._failing.values()), now)
        self._unhanded = self._not_handed_over()
        _keep_first_seen(self._unmoved, dict.fromkeys(self._unhanded.values()), now)
        moving = [
            f"{name} {group.moves}"
            for name, group in store.groups.items()
            if group.move_to and not group.queued and group.stop is Stop.LIVE
        ]
        _keep_first_seen(self._moving, moving, now)
        self._look_at_nodes(now)

    def _look_at_nodes(self, now: float) -> None:
        nodes = self._store.nodes.values()
        _keep_first_seen(self._marks, [mark.id for node in nodes for mark in (*node.losses, *node.fenced)], now)
        _keep_first_seen(self._lives, [_life(session) for session in self._store.sessions.values()], now)
        _keep_first_seen(self._open, self._open_lives(), now)
        self._look_at_networks(now)
        sessions = self._store.sessions.values()
        _keep_first_seen(self._lost_volumes, _volumes(sessions, lost=True), now)
        _keep_first_seen(self._seen_volumes, _volumes(sessions, lost=False), now)
        quarantined = [f"{node.name} {node.quarantined}" for node in nodes if node.quarantined]
        _keep_first_seen(self._quarantines, quarantined, now)

    def _network_back_s(self, now: float) -> dict[str, float]:
        flaps = {id for id, at in self._network_losses.items() if len(at) >= FLAPS}
        return {id: now - at for id, at in self._networks_back.items() if id in flaps and now - at < TRUSTED_AGAIN_S}

    def _look_at_networks(self, now: float) -> None:
        sessions = self._store.sessions.items()
        told = {f"{name} {one.network}": bool(one.lost) for name, session in sessions for one in session.networks}
        lost = frozenset(id for id, is_lost in told.items() if is_lost)
        for id in sorted(lost - self._lost_networks):
            self._network_losses[id] = (*self._network_losses.get(id, ()), now)
            self._networks_back.pop(id, None)
        for id in sorted(self._lost_networks - lost):
            if id in told:
                self._networks_back[id] = now
        # Of a node that is away nobody knows whether it is back there.
        self._lost_networks = lost | (self._lost_networks - told.keys())
        for id, at in list(self._network_losses.items()):
            self._network_losses[id] = tuple(one for one in at if now - one < LATELY_S)
            if not self._network_losses[id] and id not in self._lost_networks:
                del self._network_losses[id]
                self._networks_back.pop(id, None)

    def _open_lives(self) -> list[str]:
        """Of nodes that take groups now."""
        nodes, sessions = self._store.nodes, self._store.sessions
        present = [(nodes[name], session) for name, session in sessions.items() if name in nodes]
        return [_life(session) for node, session in present if not intake.refuses(node, session)]

    def _staying_failed(self) -> dict[str, str]:
        """Groups that may have failed for the last time, and an id for that attempt: few, so all are looked at first
        for what costs nothing."""
        store = self._store
        never = store.settings.failover_threshold == 0
        found = {}
        for name, group in store.groups.items():
            if group.failures or never or group.failover_threshold == 0:
                status = store.statuses.get(name)
                if status is not None and status.epoch == group.epoch and failed(group, status):
                    found[name] = f"{name} {group.epoch}"
        return found

    def _not_handed_over(self) -> dict[str, str]:
        """Groups whose owner tried to hand them over in vain, and an id for that attempt."""
        found = {}
        for name, group in self._store.groups.items():
            said = handing_over.word(group, self._store.statuses.get(name)) if group.moves else None
            if said is not None and said.why:
                found[name] = f"{name} {group.epoch} {said.move}"
        return found

    def unread_s(self, now: float) -> float:
        """Nothing acknowledged and nothing heard: a node without a session writes nothing, and hears all the same."""
        unread_s = min(self._observer.unheard_s(now), now - self._store.heard_at)
        return unread_s if unread_s > self._observer.timing.steady_gap_s else 0.0

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

    def overdue(self, kept_s: float) -> tuple[list[str], float]:
        """Who was not heard of for half of a time-out (all others, when this node is cut off itself), also who was
        called silent less than `kept_s` ago and is not proven dead; and in how many seconds to look again."""
        now = self._clock.now()
        half_s = self._observer.timing.node_timeout_s / 2
        unheard_s = {name: self._unheard_s(name, now) for name in self._store.sessions if name != self._store.me}
        overdue = [name for name, age_s in unheard_s.items() if age_s >= half_s and self._may_live(name, kept_s)]
        left_s = [half_s - age_s for age_s in unheard_s.values() if age_s < half_s]
        return overdue, min(left_s, default=half_s) + 0.01

    def _unheard_s(self, node: str, now: float) -> float:
        if self._observer.reaches_database(now):
            return self._observer.counted_s(node, now)
        return self._observer.unheard_s(now)

    def _may_live(self, node: str, kept_s: float) -> bool:
        silence = self._store.silences.get(node)
        if silence is None:
            return True
        seen_at = self._silences.get(f"{node} {silence.incarnation}", self._clock.now())
        return silence.proof is None and self._clock.now() - seen_at < kept_s

    def last_record_s(self) -> dict[str, float]:
        """Seconds since each node's last session record was seen here."""
        now = self._clock.now()
        return {name: now - at for name, at in self._observer.seen_at.items()}


def _volumes(sessions: Iterable[Session], *, lost: bool) -> list[str]:
    """Those that are lost on nodes, or that they see; of each node in its present life."""
    return [
        f"{session.node} {one.volume}\n{session.incarnation}"
        for session in sessions
        for one in session.volumes
        if bool(one.lost) is lost
    ]


def _ages(first_seen: Mapping[str, float], now: float) -> dict[str, float]:
    return {id.partition("\n")[0]: now - at for id, at in first_seen.items()}


def _life(session: Session) -> str:
    return f"{session.node} {session.incarnation}"


def _keep_first_seen(seen: dict[str, float], present: Collection[str], now: float) -> None:
    for id in [id for id in seen if id not in present]:
        del seen[id]
    for id in present:
        seen.setdefault(id, now)
