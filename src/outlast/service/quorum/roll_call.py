"""Asks the other machines how their members of the database are, and answers the same (topic `roll-call`).

Everybody says how far the own member is, and remembers what others said of theirs: that is how a disk that comes back
from the past is found out. What follows is decided in `core/quorum/roll_call.py`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from outlast.model.member import Member
from outlast.model.roll import TOPIC, Roll, RollAnswer, Stage, Trace
from outlast.ports.environment import Clock
from outlast.ports.members import Members, Unavailable
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable

ASK_S = 1.0
LIST_S = 2.0
FRESH_S = 5.0
"""An answer counts for so long: it is asked for every second where it matters."""


class RollCall:
    def __init__(self, me: str, peers: Peers | None, members: Members, clock: Clock, roll: Callable[[], Roll]) -> None:
        self.addresses: dict[str, str] = {}
        """Of all other machines' services, as far as they are known."""
        self.remembered: dict[str, Trace] = {}
        """By id of the member."""
        self.words_for: Callable[[str], str] = lambda name: ""
        """What this machine knows about another one's waiting, for people."""
        self._me = me
        self._peers = peers
        self._members = members
        self._clock = clock
        self._roll = roll
        self._answers: dict[str, tuple[RollAnswer, float]] = {}
        self._said: dict[str, tuple[Roll, float]] = {}
        self._unheard_since: dict[str, float] = {}
        if peers is not None:
            peers.answer(TOPIC, self._answer)

    async def ask_all(self) -> None:
        """Ask everybody once, side by side."""
        async with asyncio.TaskGroup() as tasks:
            for name, address in self.addresses.items():
                if name != self._me:
                    tasks.create_task(self._ask(name, address))

    def answers(self) -> dict[str, RollAnswer]:
        """What was answered a moment ago."""
        now = self._clock.now()
        return {name: answer for name, (answer, at) in self._answers.items() if now - at <= FRESH_S}

    def heard(self) -> dict[str, tuple[Roll, float]]:
        """What others said of themselves a moment ago, in their questions or their answers; and how long ago it was."""
        now = self._clock.now()
        return {name: (roll, now - at) for name, (roll, at) in self._said.items() if now - at <= 2 * FRESH_S}

    def unheard_s(self, name: str) -> float:
        """For how long it has not answered although it was asked; 0: it answered, or was not asked."""
        since = self._unheard_since.get(name)
        return 0.0 if since is None else self._clock.now() - since

    async def _ask(self, name: str, address: str) -> None:
        assert self._peers is not None
        asked_at = self._clock.now()
        try:
            question = msgspec.json.encode(self._roll())
            said = await self._peers.ask(name, address, TOPIC, question, timeout_s=ASK_S)
            answer = msgspec.json.decode(said, type=RollAnswer)
        except PeerUnreachable:
            self._unheard_since.setdefault(name, asked_at)
            self._answers.pop(name, None)
            return
        except (NotAnswered, msgspec.DecodeError):
            self._unheard_since.pop(name, None)  # somebody is there, and understands nothing
            self._answers.pop(name, None)
            return
        self._unheard_since.pop(name, None)
        self._answers[name] = (answer, self._clock.now())
        self._remember(name, answer.mine)
        self._members.reach_at([url for member in answer.members if member.name for url in member.client_urls])
        for other, where in answer.addresses.items():
            self.addresses.setdefault(other, where)

    async def _answer(self, asker: str, question: bytes) -> bytes:
        try:
            said = msgspec.json.decode(question, type=Roll)
        except msgspec.DecodeError as error:
            raise NotAnswered(f"that is no roll call: {error}") from None
        if asker and asker != said.node:
            raise NotAnswered(f"{asker} asks in the name of {said.node}")
        yours = self.remembered.get(said.member) if said.member else None
        self._remember(said.node, said)
        mine = self._roll()
        members = await self._present_members() if mine.stage is Stage.RUNS else ()
        words = self.words_for(said.node)
        return msgspec.json.encode(RollAnswer(mine, tuple(members), yours, self.addresses, words))

    async def _present_members(self) -> Sequence[Member]:
        try:
            return await self._members.list(timeout_s=LIST_S)
        except Unavailable:
            return ()

    def _remember(self, name: str, roll: Roll) -> None:
        self._said[name] = (roll, self._clock.now())
        if roll.member:
            self.remembered[roll.member] = roll.trace.furthest(self.remembered.get(roll.member, Trace()))

    def remember(self, known: Mapping[str, Trace]) -> None:
        """From an earlier life of the service."""
        for member, trace in known.items():
            self.remembered[member] = trace.furthest(self.remembered.get(member, Trace()))
