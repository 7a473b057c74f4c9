"""Sends what the rules for notices want told. The coordinator does it; whoever is it next goes on where it has stopped.

It follows the event log, so whoever writes an event has nothing to do with notices and waits for none. Up to where a
rule has told stands in the database: written after what was sent, seldom, and compared with who coordinates. So what
nobody has noted is sent again by the next coordinator: at least once, with an id by which it is known again.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from outlast.core.notices.flood import Flood, Place, after
from outlast.core.notices.matching import fits
from outlast.model import keys
from outlast.model.event import Event
from outlast.model.notice import Noticed, NoticeRule
from outlast.ports.database import Compacted, Compare, Database, Entry, Refused, Snapshot, Unavailable
from outlast.ports.environment import Clock
from outlast.ports.notices import NotTaken
from outlast.service.journal import Journal
from outlast.service.notices.telling import Telling
from outlast.service.store import READ_TIMEOUT_S, Store, put

log = structlog.get_logger()

LOOKS_S = 60.0
RETRY_S = 5.0
NOTED_EVERY_S = 5.0
"""At most so often it is written down how far a rule has come: so much is told again if a coordinator dies."""
FAILING_AFTER = 4
"""So many failures in a row, 35 s and more, are told to the event log."""
_LATEST = "\uffff"
"""Greater than the id of any event: of what was written with the rule itself, nothing is told."""


class Noticing:
    def __init__(
        self, store: Store, telling: Telling, journal: Journal, clock: Clock, coordinates: Callable[[], bool]
    ) -> None:
        self._store = store
        self._telling = telling
        self._journal = journal
        self._clock = clock
        self._coordinates = coordinates
        self._tellers: dict[str, tuple[_Teller, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        changes = self._store.subscribe(keys.NOTICES, keys.COORDINATOR)
        while True:
            await changes.wait(LOOKS_S)
            if not self._has_work():
                continue
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear(self._store.revision, changes.wake))
                while self._has_work():
                    self._see_to_tellers(tasks, changes.wake)
                    await changes.wait(LOOKS_S)
                hearing.cancel()
                self._end_tellers()

    def _has_work(self) -> bool:
        return self._coordinates() and any(rule.enabled for rule in self._store.notices.values())

    def _see_to_tellers(self, tasks: asyncio.TaskGroup, wake: Callable[[], None]) -> None:
        """One for each rule as it is now; what an earlier one has sent and not noted, the next one knows."""
        before: dict[str, Noticed | None] = {}
        for name, (teller, task) in list(self._tellers.items()):
            if task.done() or teller.rule != self._store.notices.get(name):
                task.cancel()
                before[name] = teller.to_note
                del self._tellers[name]
        events = _Log(self._store.database)
        for name, rule in sorted(self._store.notices.items()):
            if rule.enabled and name not in self._tellers:
                teller = _Teller(rule, self._store, self._telling, self._journal, self._clock, events, before.get(name))
                self._tellers[name] = teller, tasks.create_task(_guarded(teller, wake))

    def _end_tellers(self) -> None:
        for _, task in self._tellers.values():
            task.cancel()
        self._tellers.clear()

    async def _hear(self, after_revision: int, wake: Callable[[], None]) -> None:
        """The event log. `after_revision`: no newer than what any teller reads by itself."""
        while True:
            try:
                async for batch in self._store.database.watch(keys.EVENTS, after_revision):
                    after_revision = batch.revision
                    for change in batch.changes:
                        if change.value is not None:
                            heard = Entry(change.key, change.value, change.revision)
                            for teller, _ in self._tellers.values():
                                teller.hear(heard)
            except Compacted:
                # History is gone, or went back: all of them read anew from where they are noted to be, and later than
                # from where this hears on.
                after_revision = await self._present_revision()
                self._end_tellers()
                wake()
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    async def _present_revision(self) -> int:
        while True:
            try:
                return (await self._store.database.read(keys.NOTICED, timeout_s=READ_TIMEOUT_S)).revision
            except Unavailable:
                await asyncio.sleep(RETRY_S)


async def _guarded(teller: "_Teller", wake: Callable[[], None]) -> None:
    """Whatever is wrong with a rule or an event: the cluster service goes on, and the rule is tried again with the next
    look. Ended by it, each coordinator in turn would be."""
    try:
        await teller.run(wake)
    except Exception as error:  # noqa: BLE001 - see above
        log.error("a fault in telling notices", rule=teller.rule.name, why=repr(error))


class _Log:
    """The event log, read once for all who begin together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._found: Snapshot | None = None

    async def read(self) -> Snapshot:
        """As it is now, or a little older. Raises `Unavailable`."""
        async with self._lock:
            if self._found is None:
                self._found = await self._database.read(keys.EVENTS, timeout_s=READ_TIMEOUT_S)
            return self._found


class _Teller:
    """Of one rule, as long as it stays as it is and this node coordinates."""

    def __init__(
        self,
        rule: NoticeRule,
        store: Store,
        telling: Telling,
        journal: Journal,
        clock: Clock,
        events: _Log,
        to_note: Noticed | None,
    ) -> None:
        self.rule = rule
        self.to_note = to_note
        """How far it has come, where that is not written down yet."""
        self._store = store
        self._telling = telling
        self._journal = journal
        self._clock = clock
        self._events: _Log | None = events
        """None: they have been read."""
        self._flood = Flood(rule, store.settings.name)
        self._heard: list[Entry] = []
        self._bell = asyncio.Event()
        self._noted = Noticed()
        self._revision = 0
        """Of its record."""
        self._noted_at = -NOTED_EVERY_S

    def hear(self, entry: Entry) -> None:
        self._heard.append(entry)
        self._bell.set()

    async def run(self, wake: Callable[[], None]) -> None:
        """Until cancelled, or until somebody else has written how far this rule is; `wake` is called then."""
        while True:
            try:
                known = await self._begin()
                break
            except Unavailable:
                await asyncio.sleep(RETRY_S)
        while True:
            self._bell.clear()
            known = self._take(self._heard, known)
            self._heard = []
            now = self._clock.now()
            if not await self._note_if_due(now):
                self.to_note = None
                wake()
                return
            if (notice := self._flood.next(now)) is None:
                await self._wait(now)
                continue
            try:
                answer = await self._telling.tell(self.rule, notice)
            except NotTaken as error:
                log.warning("a notice was not taken", rule=self.rule.name, notice=notice.id, why=str(error))
                self._flood.failed(self._clock.now(), asked_s=error.asked_s)
                self._fails(str(error))
                continue
            log.info("a notice was taken", rule=self.rule.name, notice=notice.id, answer=answer)
            self._is_at(self._flood.was_taken(self._clock.now()))

    async def _begin(self) -> Place:
        """Reads how far the rule has come, and what it has not told. Returns up to where the log is known."""
        assert self._events is not None
        key = keys.NOTICED + self.rule.name
        found = await self._store.database.read(key, timeout_s=READ_TIMEOUT_S)
        entry = next((one for one in found.entries if one.key == key), None)
        events = await self._events.read()
        if entry is None:  # it came back from a backup: it begins with what comes now
            place = Place(found.revision, _LATEST)
        else:
            self._noted, self._revision = msgspec.json.decode(entry.value, type=Noticed), entry.revision
            begun = Place(entry.revision, _LATEST)
            place = Place(self._noted.revision, self._noted.event) if self._noted.revision else begun
        if self.to_note is not None and Place(self.to_note.revision, self.to_note.event) > place:
            place = Place(self.to_note.revision, self.to_note.event)
        else:
            self.to_note = None
        self._take(events.entries, place)
        if self.to_note is None and (entry is None or not self._noted.revision):
            # Noted at once: a record that says nothing would move on with each write of it.
            self.to_note = msgspec.structs.replace(self._noted, revision=place.revision, event=place.event)
        self._events = None
        return Place(max(events.revision, place.revision), _LATEST)

    def _take(self, entries: "tuple[Entry, ...] | list[Entry]", known: Place) -> Place:
        """What is newer than `known`. Returns up to where it is known then."""
        found = [(Place(one.revision, one.key.removeprefix(keys.EVENTS)), one.value) for one in entries]
        decoded = [(place, msgspec.json.decode(value, type=Event)) for place, value in found if place > known]
        wall_s = self._clock.wall()
        for place, event in after(known, decoded):
            if fits(self.rule, event, wall_s):
                self._flood.add(event, place)
            known = place
        return known

    async def _wait(self, now: float) -> None:
        """For an event, or until something is due."""
        due = [at for at in (self._flood.deadline(now), self._noting_at()) if at is not None]
        try:
            async with asyncio.timeout(max(0.0, min(due) - now) if due else None):
                await self._bell.wait()
        except TimeoutError:
            pass

    # --- what is written down -----------------------------------------------------------------------------------------

    def _is_at(self, place: Place) -> None:
        before = self.to_note or self._noted
        self.to_note = msgspec.structs.replace(
            before,
            revision=place.revision,
            event=place.event,
            count=before.count + 1,
            at_s=self._clock.wall(),
            problem="",
            since_s=0.0,
        )

    def _fails(self, why: str) -> None:
        """Noted once it has lasted; from then on what it says first stays."""
        before = self.to_note or self._noted
        if self._flood.failures >= FAILING_AFTER and not before.problem:
            self.to_note = msgspec.structs.replace(before, problem=why, since_s=self._clock.wall())

    def _noting_at(self) -> float | None:
        return self._noted_at + NOTED_EVERY_S if self.to_note is not None else None

    async def _note_if_due(self, now: float) -> bool:
        """False when somebody else has written it, or this node does not coordinate any more."""
        due = self._noting_at()
        if self.to_note is None or due is None or now < due:
            return True
        found, self._noted_at = self.to_note, now
        writes = [put(keys.NOTICED + self.rule.name, found)]
        if bool(found.problem) is not bool(self._noted.problem):
            takes = f"takes none: {found.problem}" if found.problem else "takes them again"
            words = f"the receiver of notices by the rule {self.rule.name} ({self.rule.place}) {takes}"
            writes.append(self._journal.event("notice", words))
        compares = [
            *self._store.unchanged(keys.COORDINATOR, keys.NOTICES + self.rule.name),
            Compare(keys.NOTICED + self.rule.name, self._revision),
        ]
        try:
            outcome = await self._store.transact(compares, writes)
        except Unavailable:
            return True  # it stays to be noted; if it was written, the next try is refused, and all is read anew
        if isinstance(outcome, Refused):
            return False
        self._noted, self._revision = found, outcome.revision
        if self.to_note is found:
            self.to_note = None
        return True
