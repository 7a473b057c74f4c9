"""What a decision's actions write: compares and writes, one transaction each.

Compared is what the decision was made from, so an outdated one is refused and made again.
"""

import base64
import zlib
from collections.abc import Sequence

import msgspec

from outlast.core.coordinator import marks
from outlast.core.coordinator.failover import decide
from outlast.model import keys
from outlast.model.group import AWAY, Group, Stop, Wanted
from outlast.model.node import Mark, Silence
from outlast.model.plan import (
    Action,
    Assign,
    BeginMove,
    ChangeNode,
    ClearMove,
    DeclareSilent,
    Fence,
    ForgetFailures,
    ForgetReturn,
    LeaveOff,
    RecordOnAgain,
    RecordProof,
    WishMove,
)
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Write
from outlast.ports.environment import Clock
from outlast.service.journal import Journal
from outlast.service.store import Store, put

Parts = tuple[list[Compare], list[Write]]


class Recording:
    def __init__(self, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock

    def against(self, action: Action) -> str:
        """The node that the action takes something from (`service/deciding.py`); "" when it does not."""
        return action.node if isinstance(action, DeclareSilent | RecordProof) else ""

    def parts(self, action: Action) -> Parts | None:
        """None: nothing of it is written, or (`Assign`) together with others."""
        match action:
            case DeclareSilent():
                return self._declare_silent(action)
            case Fence():
                return self._count_fencing(action)
            case RecordProof():
                return self._record_proof(action)
            case RecordOnAgain():
                return self._record_on_again(action)
            case ForgetFailures():
                return self._forget_failures(action)
            case ForgetReturn():
                return self._forget_return(action)
            case ClearMove():
                return self._clear_move(action)
            case BeginMove():
                return self._begin_move(action)
            case WishMove():
                return self._wish_move(action)
            case LeaveOff():
                return self._leave_off(action)
            case ChangeNode():
                return self._change_node(action)
        return None

    def inputs(self, view: ClusterView) -> tuple[str, Write]:
        """What a decision was made from, to be read again by its id."""
        id = self._journal.new_id()
        return id, self._journal.inputs(id, _pack(view))

    def assign(self, action: Assign, inputs: str) -> Parts:
        group = self._store.groups[action.group]
        failures = group.failures
        if action.failure is not None:
            failures = (*failures, msgspec.structs.replace(action.failure, at_s=self._clock.wall()))
        move_to = "" if group.move_to in (action.owner, AWAY) else group.move_to
        return_to = "" if action.owner == group.return_to else group.return_to
        if action.return_to is not None:
            return_to = action.return_to
        record = msgspec.structs.replace(
            group,
            owner=action.owner,
            epoch=action.epoch,
            failures=failures,
            move_to=move_to,
            queued=group.queued and bool(move_to),
            return_to=return_to,
            received_from=action.received_from,
            appeared=None,
        )
        switched: list[Write] = []
        if action.wanted_by and group.wanted is Wanted.OFFLINE:
            record = msgspec.structs.replace(
                record, wanted=Wanted.ONLINE, wanted_by=action.wanted_by, intents=group.intents + 1
            )
            words = f"{group.name} is wanted online: {action.wanted_by}"
            switched.append(self._journal.event("intent", words, group=group.name))
        event = self._journal.event(
            "decided",
            f"{group.name} goes to {action.owner} (epoch {action.epoch}): {action.why}",
            group=group.name,
            about=action.owner,
            reasons=action.reasons,
            inputs=inputs,
        )
        return self._taken_from_its_owner(group), [put(keys.GROUPS + group.name, record), event, *switched]

    def _taken_from_its_owner(self, group: Group) -> list[Compare]:
        """What must still be so when its owner loses it."""
        # The owner's report too: it may be about to take back that nothing runs (core/owner/duty.py).
        compares = self._store.unchanged(keys.GROUPS + group.name, keys.STATUS + group.name)
        if group.owner in self._store.silences:
            # Rule 4: the proof this decision rests on must still stand when it is written.
            compares += self._store.unchanged(keys.SILENCES + group.owner)
        elif group.owner and group.owner not in self._store.sessions:
            # It left in order: when it is back, it may have started the group already.
            compares.append(Compare(keys.SESSIONS + group.owner, 0))
        return compares

    def _declare_silent(self, action: DeclareSilent) -> Parts:
        record = Silence(action.node, action.incarnation, action.why, action.watchdog_s)
        # The session's revision: a node that has renewed meanwhile is not silent.
        compares = self._store.unchanged(keys.SESSIONS + action.node, keys.SILENCES + action.node)
        event = self._journal.event("node-silent", f"{action.why}; it is declared silent", about=action.node)
        more_compares, more_writes = self._mark(action.node, lost=marks.loss(action.incarnation, action.why))
        return [*compares, *more_compares], [put(keys.SILENCES + action.node, record), event, *more_writes]

    def _count_fencing(self, action: Fence) -> Parts | None:
        """Written before its devices are asked: whoever coordinates after this one knows of it."""
        compares, writes = self._mark(action.node, fenced=marks.fencing(action.incarnation))
        return (compares, writes) if writes else None

    def _mark(self, name: str, *, lost: Mark | None = None, fenced: Mark | None = None) -> Parts:
        """What happened to that life of the node, once."""
        node = self._store.nodes.get(name)
        if node is None:
            return [], []
        losses = node.losses if lost is None else marks.added(self._now(lost), node.losses)
        times = node.fenced if fenced is None else marks.added(self._now(fenced), node.fenced)
        if (losses, times) == (node.losses, node.fenced):
            return [], []
        record = msgspec.structs.replace(node, losses=losses, fenced=times)
        return self._store.unchanged(keys.NODES + name), [put(keys.NODES + name, record)]

    def _now(self, mark: Mark) -> Mark:
        """The core has no clock."""
        return msgspec.structs.replace(mark, at_s=self._clock.wall())

    def _record_proof(self, action: RecordProof) -> Parts:
        silence = self._store.silences[action.node]
        record = msgspec.structs.replace(silence, proof=action.proof)
        words = f"{action.node} is dead: {action.proof.words}"
        writes = [put(keys.SILENCES + action.node, record), self._journal.event("node-dead", words, about=action.node)]
        return self._store.unchanged(keys.SILENCES + action.node), [*writes]

    def _record_on_again(self, action: RecordOnAgain) -> Parts:
        record = msgspec.structs.replace(self._store.silences[action.node], on_again=action.words)
        event = self._journal.event("fence", action.words, about=action.node)
        return self._store.unchanged(keys.SILENCES + action.node), [put(keys.SILENCES + action.node, record), event]

    def _forget_failures(self, action: ForgetFailures) -> Parts:
        group = self._store.groups[action.group]
        kept = tuple(failure for failure in group.failures if failure.id not in action.failures)
        writes: list[Write] = [put(keys.GROUPS + group.name, msgspec.structs.replace(group, failures=kept))]
        if action.why:
            writes.append(self._journal.event("decided", f"{group.name}: {action.why}", group=group.name))
        return self._store.unchanged(keys.GROUPS + group.name), writes

    def _forget_return(self, action: ForgetReturn) -> Parts:
        record = msgspec.structs.replace(self._store.groups[action.group], return_to="")
        return self._store.unchanged(keys.GROUPS + action.group), [put(keys.GROUPS + action.group, record)]

    def _clear_move(self, action: ClearMove) -> Parts:
        group = self._store.groups[action.group]
        record = msgspec.structs.replace(group, move_to="", queued=False)
        event = self._journal.event("not-moved", f"{group.name} is not moved: {action.why}", group=group.name)
        return self._store.unchanged(keys.GROUPS + group.name), [put(keys.GROUPS + group.name, record), event]

    def _begin_move(self, action: BeginMove) -> Parts:
        """It was told when it was asked for."""
        record = msgspec.structs.replace(self._store.groups[action.group], queued=False)
        return self._store.unchanged(keys.GROUPS + action.group), [put(keys.GROUPS + action.group, record)]

    def _wish_move(self, action: WishMove) -> Parts:
        group = self._store.groups[action.group]
        failures = group.failures
        if action.failure is not None:
            failures = (*failures, msgspec.structs.replace(action.failure, at_s=self._clock.wall()))
        return_to = group.return_to if action.return_to is None else action.return_to
        # However an administrator had it stopped the last time.
        record = msgspec.structs.replace(
            group,
            move_to=action.to,
            queued=False,
            moves=group.moves + 1,
            return_to=return_to,
            failures=failures,
            stop=action.stop,
        )
        where = f"move to {action.to}" if action.to != AWAY else f"leave {group.owner}"
        about = action.to if action.to != AWAY else group.owner
        event = self._journal.event(
            "intent", f"{group.name} is to {where}: {action.why}", group=group.name, about=about
        )
        # What is to become of its node: from one that was resumed a moment ago nothing is taken off any more.
        rests_on = (keys.GROUPS + group.name, keys.STATUS + group.name, keys.NODES + group.owner)
        return self._store.unchanged(*rests_on), [put(keys.GROUPS + group.name, record), event]

    def _leave_off(self, action: LeaveOff) -> Parts:
        group = self._store.groups[action.group]
        record = msgspec.structs.replace(
            group,
            wanted=Wanted.OFFLINE,
            wanted_by=f"the cluster, since {action.why}",
            intents=group.intents + 1,
            stop=Stop.SHUTDOWN,
            move_to="",
            return_to="",
        )
        event = self._journal.event("intent", f"{group.name} is wanted offline: {action.why}", group=group.name)
        if not action.released:
            return self._store.unchanged(keys.GROUPS + group.name), [put(keys.GROUPS + group.name, record), event]
        free = msgspec.structs.replace(record, owner="", epoch=group.epoch + 1)
        return self._taken_from_its_owner(group), [put(keys.GROUPS + group.name, free), event]

    def _change_node(self, action: ChangeNode) -> Parts:
        node = self._store.nodes[action.node]
        record = msgspec.structs.replace(
            node,
            losses=node.losses if action.losses is None else action.losses,
            fenced=node.fenced if action.fenced is None else action.fenced,
            quarantined=node.quarantined if action.quarantined is None else action.quarantined,
            spared=node.spared if action.spared is None else action.spared,
            calls_back=node.calls_back if action.calls_back is None else action.calls_back,
        )
        writes: list[Write] = [put(keys.NODES + node.name, record)]
        if action.why:
            writes.append(self._journal.event("node-changed", action.why, about=node.name))
        return self._store.unchanged(keys.NODES + node.name), writes


def _pack(view: ClusterView) -> str:
    return base64.b64encode(zlib.compress(msgspec.json.encode(view), 3)).decode("ascii")


def unpack(text: str) -> ClusterView:
    """The view that a stored decision was made from."""
    return msgspec.json.decode(zlib.decompress(base64.b64decode(text)), type=ClusterView)


def replay(text: str) -> Sequence[object]:
    """What this version of the code would decide from stored inputs."""
    return decide(unpack(text)).actions
