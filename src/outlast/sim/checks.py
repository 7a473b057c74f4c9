"""What must hold in every cluster at every moment, whatever happens to it?

The invariants of the design's rules of safety, written once. `Checks` is told facts: commits of the cluster database,
power going on and off, VMs starting and ending, and what people did. It knows nothing of how a world is made, so that
the lab can use it as well as the simulator. A breach is a `Violation`; the list only grows.

1. No VM runs on two nodes at once. A node without power runs nothing; a frozen node's VMs run.
2. The cluster starts a VM only on the node that the database names owner, and whose session is valid.
3. A group changes its owner, or its epoch, only with proof: the owner's death, or its positive word that nothing runs.
   Each such proof, and each "offline" or "failed", must be true when it is written.
4. Epochs only rise, and every change of owner raises one.
5. What is wanted changes only by an administrator, or by a hand at the console or inside the guest.
6. No VM is stopped for which nothing called.
7. A node whose run permit ran out soon runs nothing (as long as one of its hosts is able to act).
8. When faults stop: what is wanted runs within a bound, and what is not wanted is down.
9. The database goes on in one place only: nothing is committed by members whose cluster went on without them.
10. What was committed once is never lost.
11. No VM is stopped for want of a permit while nobody can decide anything and everyone is well (rule 11).
12. A node whose session declares a watchdog runs nothing without one that counts.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from outlast.core.timing import Timing, timing
from outlast.model import keys
from outlast.model.group import Group, Resource, Wanted
from outlast.model.node import ProofKind, Silence
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, State
from outlast.ports.database import Batch, Change


class Life(msgspec.Struct, frozen=True):
    """What of a session record matters here; the rest of it is not even read."""

    incarnation: str
    peers: tuple[str, ...] = ()
    watchdog_s: float = 0.0


_GROUP = msgspec.json.Decoder(Group)
_RESOURCE = msgspec.json.Decoder(Resource)
_SESSION = msgspec.json.Decoder(Life)
_SILENCE = msgspec.json.Decoder(Silence)
_STATUS = msgspec.json.Decoder(GroupStatus)
_PROOFS = (keys.SESSIONS, keys.SILENCES)
_DOWN = (State.OFFLINE, State.FAILED)

_SAME_S = 1e-6
_RECENTLY_S = 10.0
"""What a node does may still rest on what the database said so long ago: it acts on an old picture for less."""


_AT_REST_S = 40.0
"""A node to which nothing has been done for so long has told the others how it is, and heard the same of them."""


@dataclass(frozen=True, slots=True)
class Violation:
    at_s: float
    rule: int
    words: str

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s: invariant {self.rule}: {self.words}"


@dataclass(slots=True)
class _Life:
    """A node, as far as facts tell."""

    on: bool = False
    on_since_s: float = 0.0
    session: Life | None = None
    session_at_s: float = float("-inf")
    """When its record was written last; or from when it may count, because nobody could decide without it (rule 11)."""
    incarnation_since_s: float = 0.0
    """When the first record of the present incarnation was written."""
    disturbed_until_s: float = float("-inf")
    touched_at_s: float = float("-inf")
    """When somebody last did something to it, to its service or to its links."""


@dataclass(slots=True)
class _Kept:
    """A group's record, and what else of its past matters."""

    record: Group
    owner_incarnation: str = ""
    """Of the owner's session when the group was given to it."""
    last_off_s: float = float("-inf")
    """When it was last wanted offline or elsewhere, or given away."""


@dataclass(slots=True)
class Checks:
    now: Callable[[], float]
    violations: list[Violation] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    held_at_s: float = 0.0  # since when nobody has confirmed who owns what
    groups: dict[str, _Kept] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    stops_within_s: dict[str, float] = field(default_factory=dict)
    """How long an orderly stop that was once begun may take, by VM."""
    statuses: dict[str, GroupStatus] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    lives: dict[str, _Life] = field(default_factory=dict)
    copies: dict[str, dict[str, str]] = field(default_factory=dict)
    """VM, node, and who started it."""
    wishes: dict[str, list[Wanted]] = field(default_factory=dict)
    """What people have done that may change what is wanted of a group."""

    switched_off: dict[str, str] = field(default_factory=dict)
    """VM, and the node where somebody switched it off by hand, as long as the cluster has not written that down."""

    distrusted: set[str] = field(default_factory=set)
    promises: dict[tuple[str, str], float] = field(default_factory=dict)
    """Who promised whom to decide nothing against him, and when last."""
    committed_at_s: float = float("-inf")
    _pauses: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=5))
    """When nobody wrote anything for longer than observers bear, most lately."""
    is_needed: Callable[[str], bool] = lambda node: False
    """Can nothing be committed without the vote of this node?"""
    watchdog_counts: Callable[[str], bool] = lambda node: True
    is_well: Callable[[str], bool] = lambda node: False
    """Is nothing wrong with the node's service and with its links to the others?"""

    # --- facts ----------------------------------------------------------------------------------------------------

    def power(self, node: str, *, on: bool) -> None:
        life = self._life(node)
        life.on = on
        if on:
            life.on_since_s = self.now()
        else:
            self._forget_hands(node)  # nobody else could know

    def wish(self, group: str, wanted: Wanted) -> None:
        """Somebody who may has asked for this, or did it by hand."""
        self.wishes.setdefault(group, []).append(wanted)
        if wanted is Wanted.ONLINE:  # the last word counts
            for vm in [vm for vm in self.switched_off if self.group_of.get(vm) == group]:
                del self.switched_off[vm]

    def switched_by_hand(self, node: str, vm: str, wanted: Wanted) -> None:
        """Somebody switched it at the console, or inside the guest: the cluster has to make that its intent."""
        group = self.group_of.get(vm)
        if group is None:
            return
        self.wish(group, wanted)
        record = self.groups[group].record
        if wanted is Wanted.OFFLINE and record.wanted is Wanted.ONLINE and self._said_online(record):
            self.switched_off[vm] = node
        else:
            self.switched_off.pop(vm, None)

    def distrust(self, vm: str) -> None:
        """Its plugin has lied about it: what the cluster concludes is not the cluster's fault."""
        self.distrusted.add(self.group_of.get(vm, ""))

    def disturb(self, node: str, for_s: float) -> None:
        """Something on this node is broken on purpose: stopping a VM there may be called for."""
        life = self._life(node)
        life.disturbed_until_s = max(life.disturbed_until_s, self.now() + for_s)

    def touch(self, node: str) -> None:
        """Something is done to it that may keep it from telling others how it is, or from hearing of them."""
        self._life(node).touched_at_s = self.now()

    def vm_started(self, node: str, vm: str, *, by_cluster: bool) -> None:
        running = self.copies.setdefault(vm, {})
        running[node] = "the cluster" if by_cluster else "hand"
        if len(running) > 1:
            self._broken(1, f"{vm} runs on {' and '.join(sorted(running))} at once")
        hand = self.switched_off.pop(vm, "")
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None or not by_cluster:
            return
        if hand and not self._disturbed(hand):  # what is broken there may have kept it from being seen in time
            self._broken(5, f"{vm} was switched off by hand on {hand}, and was started again on {node}")
        if self.settings.hold and self.now() - self.held_at_s > _RECENTLY_S:
            self._broken(2, f"{vm} was started on {node} although nobody has confirmed who owns it")
        if kept.record.owner != node:
            self._broken(2, f"{vm} was started on {node}, but its owner is {kept.record.owner or 'nobody'}")
        problem = self._session_problem(node)
        if problem and not self._disturbed(node):  # a start that hung may come through late, and is then undone
            self._broken(2, f"{vm} was started on {node}, {problem}")
        wanted_off = kept.record.wanted is Wanted.OFFLINE and not kept.record.move_to
        if wanted_off and self.now() - kept.last_off_s > _RECENTLY_S and not self._disturbed(node):
            self._broken(5, f"{vm} was started on {node} although it is wanted offline")

    def vm_ended(
        self, node: str, vm: str, *, called: bool = False, by_permit: bool = False, permit_passed: bool = False
    ) -> None:
        """`called`: the cluster told its host to stop it. `by_permit`: a host stopped it for want of a permit.
        `permit_passed`: whether the node's run permit had really passed."""
        self.copies.get(vm, {}).pop(node, None)
        if by_permit and not permit_passed:
            self._broken(6, f"{vm} was stopped on {node} for want of a permit that had not passed")
        elif by_permit and self._needlessly(node):
            away_s = self.now() - self.committed_at_s
            self._broken(
                11, f"{vm} was stopped on {node}: nobody has written anything for {away_s:.1f} s, and all are well"
            )
        elif called and not permit_passed and not self._called_for(node, vm):
            self._broken(6, f"{vm} was stopped on {node}, and nothing called for it")

    def permit_counted(self, node: str, from_s: float) -> None:
        """A node extended its run permit, and counts it from that moment on."""
        life = self._life(node)
        if from_s <= life.session_at_s + _SAME_S:
            return
        missing = self._may_decide_against(node, from_s)
        if missing:
            words = f"{node} counts its run permit from after its renewal was written, and {missing} could decide"
            self._broken(7, words)
        life.session_at_s = from_s

    def promised(self, by: str, to: str) -> None:
        self.promises[by, to] = self.now()

    def two_go_on(self, words: str) -> None:
        self._broken(9, words)

    def commits_lost(self, words: str) -> None:
        self._broken(10, words)

    def outlived_permit(self, node: str, vm: str) -> None:
        self._broken(7, f"{vm} still runs on {node}, whose run permit has passed")

    def committed(self, batch: Batch) -> None:
        """A commit, in the moment of it. Judged as a whole: what it writes together counts together."""
        if self.now() - self.committed_at_s > self._timing.steady_gap_s:
            self._pauses.append((self.committed_at_s, self.now()))
        self.committed_at_s = self.now()
        if len(batch.changes) == 1:  # nearly always: a session record
            self._take(batch.changes[0])
            return
        # Sessions and silences first: they are the proof for what the same commit does to groups and statuses.
        for change in sorted(batch.changes, key=lambda change: not change.key.startswith(_PROOFS)):
            self._take(change)

    def _take(self, change: Change) -> None:
        for prefix, take in _TAKE:
            if change.key.startswith(prefix):
                take(self, change.key[len(prefix) :], change.value)
                return

    # --- commits --------------------------------------------------------------------------------------------------

    def _session(self, node: str, value: bytes | None) -> None:
        life = self._life(node)
        if value is None:
            life.session = None
            return
        session = _SESSION.decode(value)
        if life.session is None or life.session.incarnation != session.incarnation:
            life.incarnation_since_s = self.now()
            self._returned(node)
            self._forget_hands(node)
        life.session = session
        life.session_at_s = self.now()
        if session.watchdog_s > 0 and not self.watchdog_counts(node):
            running = sorted(vm for vm, where in self.copies.items() if where.get(node) == "the cluster")
            if running:
                self._broken(12, f"{node} declares a watchdog, runs {', '.join(running)}, and none counts")

    def _returned(self, node: str) -> None:
        for vm, running in self.copies.items():
            group = self.group_of.get(vm)
            if node in running and running[node] == "the cluster" and group is not None:
                self._broken(3, f"{node} opened a new session while it still runs {vm} of its last one")

    def _silence(self, node: str, value: bytes | None) -> None:
        if value is None:
            self.silences.pop(node, None)
            return
        silence = _SILENCE.decode(value)
        before = self.silences.get(node)
        self.silences[node] = silence
        life = self._life(node)
        if silence.proof is None or (before is not None and before.proof is not None):
            return
        self._forget_hands(node)  # what only that node knew is lost with it
        same_life = life.on and life.on_since_s < life.incarnation_since_s
        running = [vm for vm, where in self.copies.items() if where.get(node) == "the cluster"]
        if same_life and (running or silence.proof.kind is ProofKind.FENCE):
            still = f"it runs {', '.join(sorted(running))}" if running else "it has power"
            self._broken(3, f"{node} is called dead ({silence.proof.words}), and {still}")

    def _cluster(self, name: str, value: bytes | None) -> None:
        if value is not None and not name:
            before, self.settings = self.settings, msgspec.json.decode(value, type=Settings)
            self.held_at_s = self.held_at_s if before.hold else self.now()

    def _resource(self, name: str, value: bytes | None) -> None:
        if value is not None:
            resource = _RESOURCE.decode(value)
            self.group_of[name] = resource.group
            self.stops_within_s[name] = resource.offline_timeout_s + _RECENTLY_S
        else:
            self.group_of.pop(name, None)

    def _status(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.statuses.pop(name, None)
            return
        status = _STATUS.decode(value)
        self.statuses[name] = status
        for vm, one in status.resources.items():
            by = self.copies.get(vm, {}).get(status.node)
            if one.state in _DOWN and by == "the cluster":
                self._broken(3, f"{status.node} reports {vm} {one.state.value} while it runs there")

    def _group(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.groups.pop(name, None)
            return
        record = _GROUP.decode(value)
        kept = self.groups.get(name)
        if kept is None:
            kept = self.groups[name] = _Kept(record)
        else:
            self._compare(kept.record, record, kept.owner_incarnation)
        given = record.owner != kept.record.owner or record.epoch != kept.record.epoch
        if given or not kept.owner_incarnation:
            session = self._life(record.owner).session if record.owner else None
            kept.owner_incarnation = session.incarnation if session else ""
        if given or _unwanted(record) or _unwanted(kept.record):
            kept.last_off_s = self.now()
        kept.record = record

    def _compare(self, old: Group, new: Group, incarnation: str) -> None:
        if new.epoch < old.epoch:
            self._broken(4, f"the epoch of {new.name} fell from {old.epoch} to {new.epoch}")
        if new.owner != old.owner and new.epoch <= old.epoch:
            self._broken(4, f"{new.name} went from {old.owner or 'nobody'} to {new.owner} without a new epoch")
        if self.settings.hold:
            return  # a backup is written back, or an administrator says who owns what: nothing is started meanwhile
        if old.owner and (new.owner != old.owner or new.epoch != old.epoch):
            problem = self._unproven(old, incarnation)
            if problem:
                self._broken(3, f"{new.name} was given to {new.owner} (epoch {new.epoch}) without proof: {problem}")
        if new.wanted is not old.wanted:
            wishes = self.wishes.get(new.name, [])
            if new.wanted in wishes:
                wishes.remove(new.wanted)
                for vm in new.resources:
                    self.switched_off.pop(vm, None)
            elif new.name not in self.distrusted:
                self._broken(5, f"{new.name} became wanted {new.wanted.value}, and nobody asked for it")

    def _unproven(self, old: Group, incarnation: str) -> str:
        """Why nothing proves that the owner of the group runs nothing of it; "" when something does."""
        owner = old.owner
        silence = self.silences.get(owner)
        session = self._life(owner).session
        if silence is not None:
            if silence.proof is not None:
                return ""
            return f"{owner} is only suspected to be dead"
        if session is None or session.incarnation != incarnation:
            return ""  # it left in order, or came back: both only after it had stopped everything (checked there)
        status = self.statuses.get(old.name)
        if status is None or (status.node, status.epoch) != (owner, old.epoch):
            return f"{owner} has reported nothing at epoch {old.epoch}"
        if all(one.state in _DOWN for one in status.resources.values()):
            return ""
        return f"{owner} reported " + ", ".join(f"{name} {one.state.value}" for name, one in status.resources.items())

    # --- at the end -----------------------------------------------------------------------------------------------

    def unfinished(self) -> list[str]:
        """Invariant 8, asked when the bound has passed: what is not as it is wanted, for people."""
        found = []
        for vm, group in sorted(self.group_of.items()):
            kept = self.groups.get(group)
            if kept is None:
                continue
            record = kept.record
            where = sorted(self.copies.get(vm, {}))
            if record.wanted is Wanted.OFFLINE:
                if where:
                    found.append(f"{vm} is wanted offline and runs on {', '.join(where)}")
            elif not where and self.excuse(group) is None:
                found.append(f"{vm} is wanted online and does not run (owner {record.owner or 'nobody'})")
            elif where and where != [record.owner]:
                found.append(f"{vm} runs on {', '.join(where)} and its owner is {record.owner or 'nobody'}")
            elif where and not self._said_online(record):
                found.append(f"{vm} runs on {record.owner}, which does not report it online")
        return found

    def is_member(self, node: str) -> bool:
        return not self._session_problem(node)

    def excuse(self, group: str) -> str | None:
        """Why a group may stay down although it is wanted: its failovers are spent, and that can be seen."""
        record = self.groups[group].record
        status = self.statuses.get(group)
        limit = self.settings.failover_threshold if record.failover_threshold is None else record.failover_threshold
        limit = limit if limit >= 0 else max(1, len(self.lives) - 1)
        failed = status is not None and any(one.state is State.FAILED for one in status.resources.values())
        if failed and len(record.failures) >= limit:
            return f"{group} failed over {len(record.failures)} times, which is its limit"
        return None

    def _said_online(self, group: Group) -> bool:
        status = self.statuses.get(group.name)
        return (
            status is not None
            and (status.node, status.epoch) == (group.owner, group.epoch)
            and all(one.state is State.ONLINE for one in status.resources.values())
        )

    # --- small questions ------------------------------------------------------------------------------------------

    def _life(self, node: str) -> _Life:
        life = self.lives.get(node)
        if life is None:
            life = self.lives[node] = _Life()
        return life

    @property
    def _timing(self) -> Timing:
        return timing(self.settings.node_timeout_s)

    def _may_decide_against(self, node: str, since_s: float) -> str:
        """Who has power, is on the node's list, and has promised it nothing since then; "" when nobody is left."""
        if self.is_needed(node) and self._paused_at(since_s):
            return ""
        session = self._life(node).session
        listed = session.peers if session is not None else ()
        since_s -= _SAME_S
        return ", ".join(p for p in listed if self._life(p).on and self.promises.get((p, node), since_s - 1) < since_s)

    def _paused_at(self, when_s: float) -> bool:
        """Had nobody been able to write for a while then?"""
        pauses = [*self._pauses, (self.committed_at_s, self.now())]
        return any(start + self._timing.steady_gap_s <= when_s + _SAME_S <= end + 2 * _SAME_S for start, end in pauses)

    def _needlessly(self, node: str) -> bool:
        """Is the database away for everyone, and all is and was well with the node and those whose promises it asks?"""
        session = self._life(node).session
        if session is None or node in self.silences or self.now() - self.committed_at_s <= self._timing.permit_s:
            return False
        since_s = self.committed_at_s - _AT_REST_S
        concerned = (node, *session.peers)
        lives = [self._life(name) for name in concerned]
        at_rest = all(max(life.touched_at_s, life.incarnation_since_s) < since_s for life in lives)
        return at_rest and all(self.is_well(name) for name in concerned)

    def _disturbed(self, node: str) -> bool:
        return self.now() < self._life(node).disturbed_until_s

    def _session_problem(self, node: str) -> str:
        life = self._life(node)
        if life.session is None:
            return "which has no session"
        silence = self.silences.get(node)
        if silence is not None and silence.incarnation == life.session.incarnation:
            return "which is declared silent"
        age_s = self.now() - life.session_at_s
        if age_s > self._timing.node_timeout_s:
            return f"whose session was renewed {age_s:.1f} s ago"
        return ""

    def _forget_hands(self, node: str) -> None:
        for vm in [vm for vm, where in self.switched_off.items() if where == node]:
            del self.switched_off[vm]

    def _called_for(self, node: str, vm: str) -> bool:
        kept = self.groups.get(self.group_of.get(vm, ""))
        if kept is None or kept.record.owner != node or _unwanted(kept.record):
            return True
        if not self._said_online(kept.record):
            return True  # its start failed, and what is left of it is cleared away
        recently = self.now() - kept.last_off_s <= self.stops_within_s.get(vm, 0.0)
        lapsed = self.now() - self._life(node).session_at_s >= self._timing.permit_s / 2
        return recently or lapsed or node in self.silences or self._disturbed(node)

    def _broken(self, rule: int, words: str) -> None:
        self.violations.append(Violation(self.now(), rule, words))


def _unwanted(group: Group) -> bool:
    return group.wanted is Wanted.OFFLINE or group.move_to not in ("", group.owner)


_TAKE: Iterable[tuple[str, Callable[[Checks, str, bytes | None], None]]] = (
    (keys.SESSIONS, Checks._session),
    (keys.STATUS, Checks._status),
    (keys.GROUPS, Checks._group),
    (keys.RESOURCES, Checks._resource),
    (keys.SILENCES, Checks._silence),
    (keys.CLUSTER, Checks._cluster),
)
