"""Keeps this machine's own member of the database: starts it when it may run, watches it, lets it join again.

It needs no database and no picture of one: it runs before both are there, and on a witness, where neither is. What it
knows of other machines it has from its own disk and from their answers (`service/quorum/roll_call.py`). Whether the
member may start is decided in `core/quorum/roll_call.py`; whether a step that leaves other members behind may be taken
is decided by who calls `go_alone`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import msgspec
import structlog

from outlast.core.quorum.leaderless import Leaderless, Look
from outlast.core.quorum.roll_call import Begin, Hold, Rejoin, RollCallView, roll_call
from outlast.model.member import Member, MemberStatus, Part
from outlast.model.roll import NOTED, Noted, Roll, RollAnswer, Stage, Trace
from outlast.ports.environment import Clock
from outlast.ports.members import FIRST_START, LocalMember, Members, NotWhole, Start, Unavailable
from outlast.ports.peers import Peers
from outlast.service.quorum.roll_call import RollCall

log = structlog.get_logger()

LOOK_S = 0.5
"""How often the own member is looked at while all is well."""
QUICK = 0.4
"""Part of an election's time-out between two looks while it sees no leader, and always with two voters: then it must be
noticed quickly that nothing can be decided any more, while this node's permit still lasts."""
LIST_S = 1.0
"""How often it is asked who votes, then."""
NOTE_S = 30.0
"""How often the member's index is noted on its disk, and the others are told."""
CALL_S = 1.0
"""How often the others are asked while something is amiss."""
ALONE_WITHIN_S = 30.0
LONGEST_PAUSE_S = 30.0
"""Between two starts of a member that ends by itself each time."""
MAJORITY = "a majority of those that vote"


class MemberKeeper:
    def __init__(
        self,
        me: str,
        local: LocalMember,
        members: Members,
        peers: Peers | None,
        clock: Clock,
        *,
        same_life: Callable[[], bool],
        part: Part = Part.NODE,
        election_s: float = 0.5,
        on_start: Callable[[], None] = lambda: None,
        on_hold: Callable[[str], None] = lambda why: None,
    ) -> None:
        """`same_life`: it is certain that the member has run since this machine had no power last. `on_hold`: from now
        on nothing may be started or stopped here, for that reason; "": not for that reason any more."""
        self.why = "its keeper, which has just started"
        """What the own member waits for, for people; "" when it follows a leader."""
        self.confirmed_off: set[str] = set()
        """Who is certainly off, by an administrator's word or by a fence device, as long as that matters here."""
        self.proven_off: dict[str, float] = {}
        """Nodes that this one had confirmed off since its member saw a leader last, and when (rule 11). Who was off may
        be on again, and decide with this member's vote. So it counts only as long as that member says, in the same raft
        term, that it sees no leader; and while it is stopped and started to go on alone, which needs nobody's vote."""
        self.changed = asyncio.Event()
        """Set after every look."""
        self.noted = Noted()
        self.story: list[str] = []
        """What happened while nobody could write it down, for the event log."""
        self._me = me
        self._local = local
        self._members = members
        self._clock = clock
        self.same_life = same_life
        self._part = part
        self._on_start = on_start
        self._on_hold = on_hold
        self._election_s = election_s
        self._leaderless = Leaderless(me, election_s)
        self.known: tuple[Member, ...] = ()
        """The members, as the own one knew them last."""
        self._runs = False
        self._started = False
        """By this life of the service."""
        self._failed_starts = 0
        self._unstartable = ""
        """Why it could not even be started the last time."""
        self._noted_at = 0.0
        self._asked_at = float("-inf")
        self._listed_at = float("-inf")
        self.went_on_in = 0
        """The generation that it has begun in this life of the service, by going on alone."""
        self.left_hold = ""
        """A hold that is over as soon as a session is opened: it was noted for a database that was thrown away."""
        self._said_empty = False
        """It has said so since it saw a leader last."""
        self._goes_alone = False
        self._busy = asyncio.Lock()
        """Held while the member is stopped and started on purpose."""
        self.calls = RollCall(me, peers, members, clock, self.roll)
        self._read_marks()

    def look(self) -> Look | None:
        """The last look at the own member; None: it does not answer."""
        return self._leaderless.last

    def vote_look(self) -> Look | None:
        """The last look, as long as nothing can be decided without the vote that it tells of. Who was told that this
        member has no data may go on without it; data that come back then are of the past, and their word is none."""
        return None if self._said_empty else self.look()

    @property
    def follows(self) -> bool:
        """The own member sees a leader."""
        look = self.look()
        return look is not None and bool(look.leader)

    @property
    def stage(self) -> Stage:
        if self._runs:
            return Stage.RUNS if self.follows else Stage.STARTED
        try:
            return Stage.WAITS if self._local.has_data() else Stage.EMPTY
        except OSError:
            return Stage.WAITS  # a disk that cannot be read may hold everything: nobody may take it for empty

    @property
    def client_url(self) -> str:
        return self._local.client_url

    def roll(self) -> Roll:
        noted, stage = self.noted, self.stage
        self._said_empty = self._said_empty or stage is Stage.EMPTY
        return Roll(
            self._me, stage, self._part, noted.member, noted.generation, noted.trace, noted.voters,
            self._local.client_url, self._local.peer_url, tuple(sorted(self.confirmed_off)),
        )  # fmt: skip

    def know(self, addresses: Mapping[str, str], witnesses: tuple[str, ...], generation: int) -> None:
        """From the picture of the database, where there is one."""
        self.calls.addresses = dict(addresses)
        with suppress(OSError):  # a disk that takes nothing is no reason to end; its member says what is wrong with it
            self._note(
                addresses=dict(addresses), witnesses=witnesses, generation=max(generation, self.noted.generation)
            )

    def may_be_out(self, may_be: bool) -> None:
        """Noted before this node leaves in order; and no longer once it has had a session for a while."""
        self._note(may_be_out=may_be)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._ask())

    # --- steps that leave others behind ---------------------------------------------------------------------------

    async def go_alone(
        self,
        left_behind: tuple[str, ...] = (),
        *,
        whole_log: bool = False,
        hold: str = "",
        hold_without: Collection[str] = (),
    ) -> str:
        """Go on as the only voter, with what is on this disk. Nothing but proof that the others are out may lead here.

        `left_behind`: voters that could be a majority by themselves if they came back. `whole_log`: only two voted, so
        all that it has on its disk counts. `hold`: what was lost may say that something runs elsewhere by now, unless
        those in `hold_without` are all others; it is kept from before anything is done, through all that may end in
        between, until it stands in the database. Returns "" when it runs alone, else why not.
        """
        changes = {"left_behind": left_behind, "whole_log": whole_log}
        if hold:
            changes |= {"hold": hold, "hold_without": tuple(sorted(hold_without))}
        self._goes_alone = True
        try:
            return await self._go_alone(changes)
        finally:
            self._goes_alone = False
            self._forget_proofs()

    async def _go_alone(self, changes: Mapping[str, object]) -> str:
        look = self.look()
        before = look.voters if look is not None and look.voters else self.noted.voters
        async with self._busy:
            log.warning(
                "the member of the database goes on alone", without=[name for name in before if name != self._me]
            )
            try:
                # Noted first: were the power cut in between, this disk must say that others may be left behind.
                self._note(
                    generation=self.noted.generation + (not self.noted.alone_from),
                    voters=(self._me,),
                    alone_from=self.noted.alone_from or before,
                    **changes,
                )
                self.went_on_in = self.noted.generation
                if self.noted.hold:
                    self._on_hold(self.noted.hold)
                self._missed()
                await self._local.stop()
                await self._start_alone()
            except OSError as error:
                self._runs = False  # on purpose: it has not ended by itself
                return f"its member cannot be started alone: {error}"
        if not await self.leader_within(ALONE_WITHIN_S):
            return f"its member was started alone and does not lead after {ALONE_WITHIN_S:g} s"
        return ""

    async def _start_alone(self) -> None:
        """From the moment on that it is tried its log may say that the others are out, also when it ends before that
        counts: started as one of many then, it could bring the others to believe it. (etcd writes it down first, and
        that it is committed a second later.) So it is started alone until it is."""
        self._note(alone_tried=True)
        try:
            await self._local.start(Start({}, alone=True, whole_log=self.noted.whole_log))
        except NotWhole:
            self._note(alone_tried=False)
            raise
        self._runs = self._started = True
        self._on_start()

    def hold_is_over(self, *, everywhere: bool) -> None:
        """It stands in the database; or it is over `everywhere`. Raises OSError when that cannot be noted."""
        held = bool(self.noted.hold)
        self._note(hold="", hold_without=())
        if held and everywhere:
            self._on_hold("")

    async def leader_within(self, timeout_s: float) -> bool:
        """Does the own member see a leader in that time?"""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.follows:
                    self.changed.clear()
                    await self.changed.wait()
        return self.follows

    # --- watching -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            async with self._busy:
                pause_s = await self._step()
            self.changed.set()
            await asyncio.sleep(pause_s)

    async def _step(self) -> float:
        """One look, and what follows from it. Returns how long to wait before the next."""
        try:
            ran, self._runs = self._runs, await self._local.runs()
            if self._runs:
                self._started = True
                return await self._look()
            self._missed()
            if ran:
                self._failed_starts += 1
                self.why = f"its process to go on: it has ended by itself {_times(self._failed_starts)}, see its log"
                log.warning("the member of the database has ended by itself", times=self._failed_starts)
            return await self._try_to_start()
        except OSError as error:
            self.why = f"somebody's help: {error}"
            if self._unstartable != str(error):
                self._unstartable = str(error)
                log.warning("the member of the database cannot be kept", why=self._unstartable)
                return 0.0  # whoever has just started must find the others while its permit lasts
            return CALL_S

    async def _look(self) -> float:
        asked_at = self._clock.now()
        timeout_s = self._election_s
        try:
            status = await self._members.status(self._local.client_url, timeout_s=timeout_s)
            await self._learn_members(status, asked_at, timeout_s)
        except Unavailable as error:
            self._missed()
            self.why = f"an answer of its own: {error}"
            return self._election_s * QUICK
        before = self.look()
        look = self._leaderless.saw(status, self.known, asked_at, self._clock.now())
        if look.leader or (before is not None and before.term != look.term):
            self._forget_proofs()
        if self.noted.alone_from:
            self._settle(look)
        if not look.leader:
            self.why = MAJORITY
            return self._election_s * QUICK
        self.why = ""
        self._failed_starts = 0
        self._said_empty = False
        self.confirmed_off.clear()
        self._note_progress(look)
        return self._election_s * QUICK if look.pair else LOOK_S

    def _missed(self) -> None:
        """A look without an answer."""
        self._leaderless.missed()
        self._forget_proofs()

    def _forget_proofs(self) -> None:
        if not self._goes_alone:
            self.proven_off.clear()

    async def _learn_members(self, status: MemberStatus, now: float, timeout_s: float) -> None:
        if status.leader and now - self._listed_at < LIST_S:
            return
        try:
            self.known = tuple(await self._members.known_to(self._local.client_url, timeout_s=timeout_s))
            self._listed_at = now
        except Unavailable:
            if not status.leader:
                raise
            # A learner says nothing of the members. It follows somebody, and that is all that matters of it.

    def _note_progress(self, look: Look) -> None:
        now = self._clock.now()
        noted = self.noted
        news = noted.member != look.member or (look.voters and set(noted.voters) != set(look.voters))
        if not news and now - self._noted_at < NOTE_S and self._noted_at:
            return
        self._noted_at = now
        self._learn_generation(self.calls.answers())
        here = {member.name for member in self.known if member.name}
        self._note(
            member=look.member,
            voters=look.voters or noted.voters,
            left_behind=tuple(name for name in noted.left_behind if name not in here and name in self.calls.addresses),
            trace=Trace(noted.trace.boots, look.index),
            remembered={member.id: self.calls.remembered[member.id] for member in self.known
                        if member.id in self.calls.remembered},
        )  # fmt: skip
        self._asked_at = float("-inf")

    def _settle(self, look: Look) -> None:
        """A step that leaves others behind was begun: now it shows whether it was done before the power was cut."""
        noted = self.noted
        if look.voters == (self._me,):
            self._note(alone_from=(), alone_tried=False)
        elif set(look.voters) == set(noted.alone_from) and not noted.alone_tried:
            self._note(alone_from=(), left_behind=(), voters=look.voters, generation=noted.generation - 1)
            self.went_on_in = 0
            self.hold_is_over(everywhere=True)

    # --- starting -------------------------------------------------------------------------------------------------

    async def _try_to_start(self) -> float:
        has_data, same_life = self._local.has_data(), self.same_life() or self._started
        first = self._local.marks().get(FIRST_START)
        if not has_data and first is not None and not self.noted.member:
            await self._begin(msgspec.json.decode(first, type=Start), "it was just set up")
            return LOOK_S
        if not (has_data and same_life and self._failed_starts < 2 and not self._unstartable):
            await self.calls.ask_all()
        answers = self.calls.answers()
        verdict = roll_call(
            RollCallView(
                me=self._me,
                peer_url=self._local.peer_url,
                has_data=has_data,
                same_life=same_life,
                failed_starts=self._failed_starts,
                noted=self.noted,
                answers=answers,
                off=frozenset(self.confirmed_off.union(*(answer.mine.off for answer in answers.values()))),
            )
        )
        match verdict:
            case Hold(why):
                self._hold(why)
                return CALL_S
            case Rejoin(why):
                await self._throw_away(why)
                return CALL_S
            case Begin(why, initial, member):
                if member and member != self.noted.member:  # else its last start failed: others may know of that boot
                    self._note(
                        member=member,
                        trace=Trace(),
                        voters=tuple(initial),
                        alone_from=(),
                        alone_tried=False,
                        left_behind=(),
                    )
                    self._learn_generation(answers)
                await self._begin(Start(initial), why)
        return min(LONGEST_PAUSE_S, LOOK_S * 2.0**self._failed_starts)

    def _hold(self, why: str) -> None:
        if self.why != why:
            self.why = why
            log.info("the member of the database is not started yet", waits_for=why)

    async def _begin(self, how: Start, why: str) -> None:
        if not (self.same_life() or self._started):
            trace = self.noted.trace
            self._note(trace=Trace(trace.boots + 1, trace.index), may_be_out=True)
            await self.calls.ask_all()  # they are told, before this boot's member can have done anything
        if self.noted.alone_tried:
            await self._start_alone()
        else:
            await self._local.start(how)
        log.info("the member of the database is started", why=why, alone=self.noted.alone_tried)
        self._unstartable = ""
        self._runs = self._started = True
        self._on_start()

    async def _throw_away(self, why: str) -> None:
        log.warning("the data of the member of the database is thrown away; it joins again", why=why)
        self.why = why
        await self._local.wipe()
        self.story.append(f"the data of the member of {self._me} were put aside, and it joins again: {why}")
        self._failed_starts = 0
        self.known = ()
        self.left_hold = self.noted.hold or self.left_hold
        self.went_on_in = 0
        self._note(
            member="",
            voters=(),
            trace=Trace(),
            alone_from=(),
            alone_tried=False,
            left_behind=(),
            hold="",
            hold_without=(),
        )

    def _learn_generation(self, answers: Mapping[str, RollAnswer]) -> None:
        running = [answer.mine.generation for answer in answers.values() if answer.mine.stage is Stage.RUNS]
        self._note(generation=max([self.noted.generation, *running]))

    # --- telling and noting ---------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """The others are asked now and then while all is well, and every second while it is not."""
        while True:
            if self.stage in (Stage.STARTED, Stage.RUNS):
                now = self._clock.now()
                if not self.follows or now - self._asked_at >= NOTE_S:
                    self._asked_at = now
                    await self.calls.ask_all()
            await asyncio.sleep(CALL_S)

    def _read_marks(self) -> None:
        noted = self._local.marks().get(NOTED)
        if noted is not None:
            self.noted = msgspec.json.decode(noted, type=Noted)
        self.calls.addresses = dict(self.noted.addresses)
        self.calls.remember(self.noted.remembered)
        if self.noted.hold:
            self._on_hold(self.noted.hold)

    def _note(self, **changes: object) -> None:
        changed = msgspec.structs.replace(self.noted, **changes)
        if changed != self.noted:
            marks = {key: value for key, value in self._local.marks().items() if key not in (FIRST_START, NOTED)}
            if not changed.member and FIRST_START in self._local.marks() and not self._local.has_data():
                # It has never run: how it will first is still needed.
                marks[FIRST_START] = self._local.marks()[FIRST_START]
            self._local.mark({**marks, NOTED: msgspec.json.encode(changed).decode()})
            self.noted = changed


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
