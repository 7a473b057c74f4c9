"""How do the members of the database stand, as this node sees them? For the decisions about votes, and for people.

They are asked when somebody wants to know, and not again within the age that he allows. With a quorum the members are
those that the cluster agrees on; without one, those that this node's own member knows.
"""

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import suppress
from typing import TypeVar

from outlast.core.fence.agents import proving
from outlast.core.quorum.margin import Margin, margin
from outlast.core.quorum.voting import VoteView
from outlast.model.member import Member, MemberStatus, Part
from outlast.model.roll import Stage
from outlast.model.view import ClusterView
from outlast.ports.environment import Clock
from outlast.ports.members import Members, Unavailable
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.quorum.roll_call import RollCall
from outlast.service.store import Store

Seen = TypeVar("Seen", bound=Hashable)
LIST_S = 2.0
STATUS_S = 1.0
DISK_S = 2.5
WORDS_S = 0.5
"""Nobody who asks for the status of the cluster waits longer for it because of this."""
WORDS_AGE_S = 10.0


class Quorum:
    def __init__(
        self,
        members: Members,
        keeper: MemberKeeper | None,
        calls: RollCall,
        store: Store,
        clock: Clock,
        cluster: Callable[[], ClusterView],
    ) -> None:
        self.keeper = keeper
        self.calls = calls
        """The keeper's; a node without a member hears as well who asks to be added."""
        self.margin: Margin | None = None
        """As it was when the members were last asked."""
        self.agreed = False
        """The cluster agreed on the members that were seen last: there was a quorum."""
        self._members = members
        self._store = store
        self._clock = clock
        self._cluster = cluster
        self._view: VoteView | None = None
        self._seen_at = float("-inf")
        self._unanswered_since: dict[str, float] = {}
        self._present_since: dict[tuple[str, bool, bool], float] = {}
        self._asking = asyncio.Lock()

    async def look(self, max_age_s: float) -> VoteView:
        """Raises `Unavailable` when nobody knows the members."""
        async with self._asking:
            if self._view is None or self._clock.now() - self._seen_at > max_age_s:
                self._view = await self._ask()
                self._seen_at = self._clock.now()
                self.margin = margin(self._view, self.fenced())
        return self._view

    @property
    def seen(self) -> VoteView | None:
        """The members as they were asked last; None: they never answered."""
        return self._view

    async def disks_s(self, view: VoteView) -> dict[str, float]:
        """By member that answers: how long its disk takes for a write now. Takes a moment."""
        asked = [member for member in view.members if member.id in view.statuses]
        found = await asyncio.gather(
            *(self._members.disk_s(member.client_urls[0], within_s=DISK_S) for member in asked)
        )
        return {member.id: disk_s for member, disk_s in zip(asked, found, strict=True)}

    async def narrow(self) -> str:
        """Why no member can be lost now, for people; "" when one can, or nobody knows."""
        if self.keeper is not None and not self.keeper.follows:
            return f"the member of {self._store.me} waits for {self.keeper.why} (outlast quorum show)"
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(WORDS_S):
                await self.look(WORDS_AGE_S)
        only_one = len(self._store.nodes) == 1
        return "" if self.margin is None or self.margin.margin > 0 or only_one else self.margin.words

    def vital(self) -> tuple[str, ...]:
        """Who cannot be lost now, as far as this node has looked. The only node there is is no news."""
        return self.margin.vital if self.margin is not None and len(self._store.nodes) > 1 else ()

    def fenced(self) -> Collection[str]:
        return [name for name, node in self._store.nodes.items() if proving(node.fence)]

    def witnesses(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, record in self._store.members.items() if record.part is Part.WITNESS))

    async def _ask(self) -> VoteView:
        members = await self._list()
        statuses = {
            member.id: status
            for member, status in zip(members, await asyncio.gather(*map(self._status, members)), strict=True)
            if status is not None
        }
        now = self._clock.now()
        _keep_since(self._unanswered_since, [member.id for member in members if member.id not in statuses], now)
        shapes = {member.id: (member.id, bool(member.name), member.learner) for member in members}
        _keep_since(self._present_since, list(shapes.values()), now)
        cluster = self._cluster()
        heard = self.calls.heard()
        if self.keeper is not None:
            own = self.keeper.roll()
            heard = {**heard, own.node: (own, 0.0)}
        return VoteView(
            members=tuple(members),
            statuses=statuses,
            unanswered_s={id: now - since for id, since in self._unanswered_since.items()},
            present_s={id: now - self._present_since[shape] for id, shape in shapes.items()},
            machines=dict(self._store.members),
            dead_s={
                name: cluster.observed.silence_age_s.get(name, 0.0)
                for name, silence in cluster.silences.items()
                if silence.proof is not None
            },
            left=frozenset(
                name for name in cluster.nodes if name not in cluster.sessions and name not in cluster.silences
            ),
            asking={name: roll for name, (roll, _) in heard.items() if roll.stage is Stage.EMPTY},
            asked_s={name: age_s for name, (_, age_s) in heard.items()},
            joining=frozenset(
                self._store.members[join.name].peer_url
                for join in self._store.joins.values()
                if join.name in self._store.members
            ),
            vote_removal_s=cluster.settings.vote_removal_s,
            most_voters=cluster.settings.most_voters,
        )

    async def _list(self) -> Sequence[Member]:
        try:
            found = await self._members.list(timeout_s=LIST_S)
            self.agreed = True
        except Unavailable:
            self.agreed = False
            if self.keeper is None or not self.keeper.known:
                raise
            found = self.keeper.known
        return found

    async def _status(self, member: Member) -> MemberStatus | None:
        if not member.client_urls:
            return None
        try:
            return await self._members.status(member.client_urls[0], timeout_s=STATUS_S)
        except Unavailable:
            return None


def _keep_since(since: dict[Seen, float], present: Collection[Seen], now: float) -> None:
    for gone in [key for key in since if key not in present]:
        del since[gone]
    for key in present:
        since.setdefault(key, now)
