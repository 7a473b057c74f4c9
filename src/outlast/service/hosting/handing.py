"""Hands resources over to other nodes as they run, and remembers what became of it.

How many at once is this node's own business: each costs memory, processors and network here. What is told the cluster
of the progress is told in steps that are worth a write; people who wait ask this node itself.
"""

from collections.abc import Callable, Iterable

from outlast.core.network.migration import address
from outlast.core.owner.own_stop import OwnStop, is_of_the_past
from outlast.core.owner.resource import Call, S
from outlast.model.group import Group
from outlast.model.health import Condition, Health
from outlast.model.status import Handover, State
from outlast.model.transfer import Destination, Transfer
from outlast.ports.environment import Clock
from outlast.ports.hosts import CallFailed
from outlast.service.hosting.calls import Calls
from outlast.service.hosting.local import Local
from outlast.service.hosting.records import Records
from outlast.service.store import Store

TOLD_EVERY_PERCENT = 10
TOLD_EVERY_S = 10.0
"""Or after so long: a guest that writes much comes no further, and those who wait are to see that it goes on."""
UNDER_WAY = (S.HANDING_OVER, S.CALLING_BACK)


class Handing:
    def __init__(
        self,
        store: Store,
        calls: Calls,
        records: Records,
        certificates: str,
        clock: Clock,
        remark: Callable[[str, str, str], None],
        changed: Callable[[], None],
    ) -> None:
        """`certificates`: the directory with this node's own. `remark`: an event is to be written (kind, words, group).
        `changed`: there is something to tell the cluster."""
        self.transfers: dict[str, Transfer] = {}
        """How far each has come that is under way, by resource."""
        self._told_s: dict[str, float] = {}
        """When it was told last how far each has come."""
        self._store = store
        self._calls = calls
        self._records = records
        self._certificates = certificates
        self._clock = clock
        self._remark = remark
        self._changed = changed

    def words(self, group: Group) -> str:
        """Where it comes from that is taken up here."""
        by_hand = group.received_from == self._store.me
        return "started at the host's console" if by_hand else f"handed over by {group.received_from}"

    def turn_of(self, local: Local, locals: Iterable[Local]) -> str:
        """Why its turn has not come yet, for people; "" when it has."""
        most = max(1, self._store.settings.parallel_moves)
        under_way = [one.name for one in locals if one.state in UNDER_WAY and one is not local]
        return f"{self._store.me} hands over {most} at once" if len(under_way) >= most else ""

    def begins(self, local: Local, group: Group) -> None:
        local.handover, local.handing = Handover(group.moves, group.move_to), (group.move_to, group.epoch)
        local.handing_since, local.handed_how = self._clock.now(), ""

    def is_expected(self, local: Local) -> bool:
        """By the records it goes on here from what another node has handed over, seen or not."""
        group = self._records.group(local)
        mine = group is not None and group.owner == self._store.me and bool(group.received_from)
        return mine and self._records.reported(local) is not State.ONLINE

    def is_left_behind(self, local: Local, health: Health) -> bool:
        """It is here, and a host that is gone had begun to hand it over: its type may still be about to, with nobody
        waiting for that. Then it would leave later, and nobody could tell any more that it was this cluster's doing.
        So it may, and most of all, what stands still for the last of it."""
        group = self._records.group(local)
        ours = group is not None and group.owner == self._store.me and bool(local.handing_to(group))
        return local.stop is OwnStop.HANDING and ours and health.condition is Condition.ONLINE

    async def hand_over(self, local: Local) -> None:
        """Raises what `Calls.hand_over` raises."""
        said = local.handover
        node = self._store.nodes.get(said.to) if said is not None else None
        if said is None or node is None:
            raise CallFailed(f"{said.to if said else 'its destination'} is no node of this cluster any more")
        session, network = self._store.sessions.get(node.name), self._store.settings.migration_network
        there, why = address(self._store.sessions.get(self._store.me), session, network) if network else ("", "")
        reached = ""

        def came_so_far(transfer: Transfer) -> None:
            nonlocal reached
            reached = transfer.address or reached
            self._came_so_far(local, transfer)

        to = Destination(
            node.name,
            there or node.address,
            node.address if there else "",
            self._certificates,
            one_cache=session is not None and session.migration == "lab",
            bandwidth_mib_s=self._store.settings.migration_mib_s,
        )
        self._told_s[local.name] = self._clock.now()
        try:
            await self._calls.hand_over(local.resource, to, came_so_far)
        finally:
            last = self.transfers.pop(local.name, None)
            self._told_s.pop(local.name, None)
        local.handover = Handover(said.move, said.to, done=True, percent=100)
        local.handed_how = f"copied for {self._took(local)}"
        if network and reached == there != "":
            local.handed_how += f" over {network}"
        elif network:
            local.handed_how += f", not over {network} ({why or f'{node.name} does not answer there'})"
        if last is not None and last.percent == 100 and last.downtime_ms:
            local.handed_how += f", standing still for the last {last.downtime_ms} ms of it"

    def _took(self, local: Local) -> str:
        return f"{self._clock.now() - local.handing_since:.2f} s"

    def _came_so_far(self, local: Local, transfer: Transfer) -> None:
        self.transfers[local.name] = transfer
        said, now = local.handover, self._clock.now()
        if said is None or transfer.percent >= 100:  # its end is told anyway
            return
        far = said.percent + TOLD_EVERY_PERCENT <= transfer.percent
        if far or now - self._told_s.get(local.name, now) >= TOLD_EVERY_S:
            self._told_s[local.name] = now
            measured = transfer if transfer.rate_mib_s or transfer.left_mib else None
            local.handover = Handover(said.move, said.to, percent=transfer.percent, transfer=measured)
            self._changed()

    def failed(self, local: Local, call: Call, why: str) -> None:
        """It was tried in vain; where it is is looked at next."""
        if call is Call.HAND_OVER and local.handover is not None:
            if local.state is S.CALLING_BACK:  # else the coordinator says what it makes of that
                group = local.resource.group
                words = f"handing {local.name} over to {local.handover.to} was given up after {self._took(local)}"
                self._remark("not-moved", f"{words}: it was called back", group)
            local.handover = Handover(local.handover.move, local.handover.to, why=why)
            self._changed()

    def found_gone(self, local: Local) -> None:
        """libvirt says that it went to another node as it ran. If we had begun that, it went there, whatever is wished
        by now; else somebody moved it past the cluster, and nobody here knows where to. What it did before its group
        was another node's is over."""
        group = self._records.group(local)
        if group is None or group.owner != self._store.me:
            return
        to = local.handing_to(group)
        local.handover = None
        if not is_of_the_past(local.stop):
            local.left_at, local.left_in = group.intents, self._records.left_in(local)
        elif to:  # else it was ours at an earlier epoch, and that is over
            local.handover = Handover(group.moves, to, done=True, percent=100)
        self._changed()
