"""What a node does for the members of the database, put together: its own member, the votes, the last one's step."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from outlast.core.membership.membership import Session
from outlast.model.roll import Roll
from outlast.ports.environment import Environment
from outlast.service.config import NodeConfig
from outlast.service.fence.fencing import Fencing
from outlast.service.journal import Journal
from outlast.service.observation import Observation
from outlast.service.quorum.holding import Holding
from outlast.service.quorum.last_one import LastOne
from outlast.service.quorum.member_keeper import MemberKeeper
from outlast.service.quorum.members import Quorum
from outlast.service.quorum.roll_call import RollCall
from outlast.service.quorum.voting import Voting
from outlast.service.store import Store


@dataclass(frozen=True, slots=True)
class Voters:
    """`keeper` and `last_one` are None where no member runs on this node, or somebody else sees to it; then `quorum`
    and `voting` still are, if the database has members at all."""

    keeper: MemberKeeper | None = None
    last_one: LastOne | None = None
    quorum: Quorum | None = None
    voting: Voting | None = None
    holding: Holding | None = None

    async def keep(self) -> None:
        """Before there is a database, and while it is away."""
        async with asyncio.TaskGroup() as tasks:
            if self.keeper is not None and self.last_one is not None:
                tasks.create_task(self.keeper.run())
                tasks.create_task(self.last_one.run())
            if self.holding is not None:
                tasks.create_task(self.holding.run())

    async def run(self) -> None:
        if self.voting is not None:
            await self.voting.run()

    def session_opened(self, store: Store) -> None:
        """In a new life, on a picture that is as new: what was held for a database that was thrown away is over."""
        if self.keeper is not None and self.keeper.left_hold:
            if store.held_here == self.keeper.left_hold:
                store.hold("")
            self.keeper.left_hold = ""


NO_VOTERS = Voters()


def voters(
    config: NodeConfig,
    env: Environment,
    store: Store,
    session: Session,
    fencing: Fencing,
    journal: Journal,
    observation: Observation,
    coordinates: Callable[[], bool],
) -> Voters:
    if env.members is None:
        return NO_VOTERS
    keeper, last_one = None, None
    if env.local_member is not None:
        keeper = MemberKeeper(
            config.node,
            env.local_member,
            env.members,
            env.peers,
            env.clock,
            same_life=env.incarnations.member_began,
            on_start=env.incarnations.note_member_began,
            on_hold=store.hold,
            election_s=config.member.election_ms / 1000 if config.member else 0.5,
        )
        last_one = LastOne(keeper, store, fencing, session, env.clock)
        member = keeper
        store.went_on_in = lambda: member.went_on_in
    if keeper is not None:
        calls = keeper.calls
    else:  # who asks to be added must be heard also where the coordinator carries no member
        calls = RollCall(config.node, env.peers, env.members, env.clock, lambda: Roll(config.node))
    quorum = Quorum(env.members, keeper, calls, store, env.clock, observation.view)
    observation.vital = quorum.vital
    voting = Voting(quorum, env.members, store, observation, journal, coordinates, session, env.clock)
    return Voters(keeper, last_one, quorum, voting, Holding(store, keeper))
