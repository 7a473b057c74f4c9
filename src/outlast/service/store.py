"""The node's picture of the cluster database: all of `control/`, decoded, kept current by one watch.

Everybody reads from here; nobody decides here. Writers compare the revisions that this picture had when they decided
(`revision_of`), so acting on an old picture is refused by the database and never does harm.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from outlast.core.membership.membership import Observer
from outlast.model import keys
from outlast.model.access import ApiToken, SignedIn, SignInSettings, User
from outlast.model.group import Group, Resource
from outlast.model.member import Join, MemberRecord
from outlast.model.node import Coordinator, Node, Session, Silence
from outlast.model.notice import NoticeRule
from outlast.model.rule import Rule
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus
from outlast.model.survey import Answer, Survey
from outlast.model.view import ClusterView, Observed
from outlast.model.volume import VolumeChange
from outlast.ports.database import (
    AnotherHistory,
    Change,
    Committed,
    Compacted,
    Compare,
    Database,
    Entry,
    Put,
    Refused,
    Snapshot,
    Unavailable,
    Write,
)
from outlast.ports.environment import Clock
from outlast.service.measuring.instruments import GAP_S, Histograms

READ_TIMEOUT_S = 5.0
RETRY_S = 0.2
REFUSED_WAIT_S = 0.1
WENT_BACK = "the cluster database has gone on without what was written last, as after a forced quorum"
"""The hold of a node that lived through it."""

_KINDS: tuple[tuple[str, Any], ...] = (
    (keys.SESSIONS, Session),
    (keys.STATUS, GroupStatus),
    (keys.GROUPS, Group),
    (keys.RESOURCES, Resource),
    (keys.RULES, Rule),
    (keys.SILENCES, Silence),
    (keys.NODES, Node),
    (keys.SURVEYS, Survey),
    (keys.ANSWERS, Answer),
    (keys.CHANGES, VolumeChange),
    (keys.MEMBERS, MemberRecord),
    (keys.JOINS, Join),
    (keys.USERS, User),
    (keys.API_TOKENS, ApiToken),
    (keys.SIGNED_IN, SignedIn),
    (keys.SIGN_IN, SignInSettings),
    (keys.NOTICES, NoticeRule),
    (keys.CLUSTER, Settings),
    (keys.COORDINATOR, Coordinator),
)
_STIRRING = (keys.GROUPS, keys.SESSIONS, keys.SILENCES, keys.NODES)
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {prefix: msgspec.json.Decoder(kind) for prefix, kind in _KINDS}


def put(key: str, value: msgspec.Struct) -> Put:
    return Put(key, msgspec.json.encode(value))


class Subscription:
    """The keys that changed since they were last taken. Session records count only when more than the beat changed."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)
        self._changed: dict[str, None] = {}
        """In the order of their changes, so that a run of the simulator repeats exactly: a set's order does not."""
        self._event = asyncio.Event()

    def offer(self, key: str) -> None:
        if key.startswith(self._prefixes):
            self._changed[key] = None
            self._event.set()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float | None = None) -> Collection[str]:
        """The changed keys; none after `timeout_s`, or when somebody called `wake`."""
        if timeout_s is None:
            await self._event.wait()
        else:
            try:
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await self._event.wait()
            except TimeoutError:
                return ()
        self._event.clear()
        changed, self._changed = self._changed, {}
        return changed


class Store:
    def __init__(self, me: str, database: Database, clock: Clock, observer: Observer) -> None:
        self.me = me
        self.observer = observer
        self.ready = asyncio.Event()
        """Set while the picture is complete."""
        self.why_not_ready = "the cluster service has not read the cluster database yet"
        self.revision = 0
        self.changes = 0
        """How often it has become another picture: what was made of it holds as long as this stays the same. That a
        session was renewed does not count."""
        self.heard_at = clock.now()
        """When something came from the database last."""
        self.gaps: Histograms[str] = Histograms(GAP_S)
        """By node: how long nothing came between two records of one session."""
        self.stirred_at = clock.now()
        """When a group changed hands last or was to, or a node came, went or was changed."""
        self.settings = Settings()
        self.held = asyncio.Event()
        """Set while a hold counts on this node alone, until one stands in the database."""
        self.went_on_in: Callable[[], int] = int
        """The generation that this node's own member has begun by going on alone; 0 when it has not."""
        self._hold = ""
        self._another = False
        """What was known of the database is not how it went on."""
        self.coordinator: Coordinator | None = None
        self._tables: dict[str, dict[str, Any]] = {prefix: {} for prefix, _ in _KINDS}
        self.nodes: dict[str, Node] = self._tables[keys.NODES]
        self.sessions: dict[str, Session] = self._tables[keys.SESSIONS]
        self.silences: dict[str, Silence] = self._tables[keys.SILENCES]
        self.groups: dict[str, Group] = self._tables[keys.GROUPS]
        self.resources: dict[str, Resource] = self._tables[keys.RESOURCES]
        self.rules: dict[str, Rule] = self._tables[keys.RULES]
        self.statuses: dict[str, GroupStatus] = self._tables[keys.STATUS]
        self.surveys: dict[str, Survey] = self._tables[keys.SURVEYS]
        self.answers: dict[str, Answer] = self._tables[keys.ANSWERS]
        self.volume_changes: dict[str, VolumeChange] = self._tables[keys.CHANGES]
        self.members: dict[str, MemberRecord] = self._tables[keys.MEMBERS]
        self.joins: dict[str, Join] = self._tables[keys.JOINS]
        self.users: dict[str, User] = self._tables[keys.USERS]
        self.api_tokens: dict[str, ApiToken] = self._tables[keys.API_TOKENS]
        self.signed_in: dict[str, SignedIn] = self._tables[keys.SIGNED_IN]
        self.notices: dict[str, NoticeRule] = self._tables[keys.NOTICES]
        self.database = database
        self._clock = clock
        self._revisions: dict[str, int] = {}
        self._subscriptions: list[Subscription] = []
        self._caught_up: list[tuple[int, asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Keep the picture current, for ever."""
        while True:
            try:
                await self._read_all()
                self.ready.set()
                async for batch in self.database.watch(keys.CONTROL, self.revision):
                    self._apply(batch.changes)
                    self._advance(batch.revision)
            except AnotherHistory:
                self._another = True
            except Compacted:
                continue
            except Unavailable:
                await asyncio.sleep(RETRY_S)

    def subscribe(self, *prefixes: str) -> Subscription:
        subscription = Subscription(prefixes or (keys.CONTROL,))
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)

    def hold(self, why: str) -> None:
        """From now on nothing is started or stopped here, as if that stood in the settings already; "": not any more,
        unless it stands there."""
        kept = self._hold
        self._keep(why)
        if why or (kept and self.settings.hold == kept):
            self.settings = msgspec.structs.replace(self.settings, hold=why)
        self.changes += 1
        for subscription in self._subscriptions:
            subscription.offer(keys.CLUSTER)

    @property
    def held_here(self) -> str:
        """The hold that counts on this node alone; "" when there is none."""
        return self._hold

    @property
    def written_settings(self) -> Settings:
        """As they stand in the database, without a hold that counts here only: what is written back starts there."""
        return msgspec.structs.replace(self.settings, hold="") if self._hold else self.settings

    @property
    def sign_in(self) -> Mapping[str, SignInSettings]:
        """By the value of its `Way`."""
        return self._tables[keys.SIGN_IN]

    def revision_of(self, key: str) -> int:
        """0 when the key does not exist."""
        return self._revisions.get(key, 0)

    def unchanged(self, *these: str) -> list[Compare]:
        """Compares that hold as long as these keys are as this picture has them."""
        return [Compare(key, self.revision_of(key)) for key in these]

    def view(self, observed: Observed) -> ClusterView:
        """A snapshot for a decision. It shares this picture's tables: use it before the next `await`."""
        return ClusterView(
            me=self.me,
            revision=self.revision,
            settings=self.settings,
            coordinator=self.coordinator,
            nodes=self.nodes,
            sessions=self.sessions,
            silences=self.silences,
            groups=self.groups,
            resources=self.resources,
            statuses=self.statuses,
            observed=observed,
            rules=self.rules,
        )

    async def transact(
        self, compares: Sequence[Compare], writes: Sequence[Write], *, timeout_s: float = READ_TIMEOUT_S
    ) -> Committed | Refused:
        """As the database does it; returns when this picture has seen the outcome."""
        outcome = await self.database.transact(compares, writes, timeout_s=timeout_s)
        if isinstance(outcome, Refused):
            # What refused us is at most this new, but newer commits outside `control/` never arrive here.
            await self.reached(outcome.revision, REFUSED_WAIT_S)
        elif any(write.key.startswith(keys.CONTROL) for write in writes):
            await self.reached(outcome.revision, READ_TIMEOUT_S)
        return outcome

    async def reached(self, revision: int, timeout_s: float) -> None:
        """Returns when the picture is at least that new, or after `timeout_s`."""
        if self.revision >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._caught_up.append((revision, future))
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return

    async def _read_all(self) -> None:
        """The picture as it is now, also when history went back: a survivor of a lost majority goes on with less than
        this node has seen. Then it counts anew from there, and one revision has meant two things."""
        snapshot = await self.database.read(keys.CONTROL, timeout_s=READ_TIMEOUT_S)
        if self._another or self._is_another(snapshot):
            self._lost_history()
        present = {entry.key: entry for entry in snapshot.entries}
        gone = [Change(key, None, snapshot.revision) for key in self._revisions if key not in present]
        changed = [Change(entry.key, entry.value, entry.revision) for entry in snapshot.entries if self._is_news(entry)]
        self._apply([*gone, *changed])
        self.revision = min(self.revision, snapshot.revision)
        self._advance(snapshot.revision)

    def _is_another(self, now: Snapshot) -> bool:
        """Does it contradict the picture, which has all that was written up to its revision?"""
        return now.revision < self.revision or any(
            entry.revision <= self.revision and self._revisions.get(entry.key) != entry.revision
            for entry in now.entries
        )

    def _lost_history(self) -> None:
        """Somebody went on with less than this node knew: what he lacks may say that something runs elsewhere by now.
        Where that was done on purpose on this node, who did it knows whether there is something to hold for."""
        self._another = False
        if self.ready.is_set() and self.went_on_in() <= self.settings.generation:
            self.hold(self._hold or WENT_BACK)

    def _is_news(self, entry: Entry) -> bool:
        if self._revisions.get(entry.key) != entry.revision:
            return True
        prefix, name = _split(entry.key)
        decoder = _DECODERS.get(prefix)
        return decoder is not None and decoder.decode(entry.value) != self._known(prefix, name)

    def _known(self, prefix: str, name: str) -> Any:
        if prefix == keys.CLUSTER:
            return self.settings
        return self.coordinator if prefix == keys.COORDINATOR else self._tables[prefix].get(name)

    def _apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            key = change.key
            if change.value is None:
                self._revisions.pop(key, None)
            else:
                self._revisions[key] = change.revision
            if self._set(key, change.value):
                self.changes += 1
                for subscription in self._subscriptions:
                    subscription.offer(key)

    def _set(self, key: str, value: bytes | None) -> bool:
        """Is it worth telling the subscribers?"""
        prefix, name = _split(key)
        decoder = _DECODERS.get(prefix)
        if decoder is None:
            return False
        decoded = None if value is None else decoder.decode(value)
        if prefix in _STIRRING and _stirs(self._tables[prefix].get(name), decoded):
            self.stirred_at = self._clock.now()
        if prefix == keys.CLUSTER:
            self.settings = self._held(decoded or Settings())
        elif prefix == keys.COORDINATOR:
            self.coordinator = decoded
        elif decoded is None:
            self._tables[prefix].pop(name, None)
            if prefix == keys.SESSIONS:
                self.observer.forget(name)
                self.gaps.forget(name)
        elif prefix == keys.SESSIONS:
            before = self.sessions.get(name)
            self._saw_record(name, decoded, self._clock.now())
            self.sessions[name] = decoded
            return before is None or _without_beat(before) != _without_beat(decoded)
        else:
            self._tables[prefix][name] = decoded
        return True

    def _saw_record(self, node: str, record: Session, now: float) -> None:
        before = self.sessions.get(node)
        # Between two lives of a node it has no session that could be late.
        if before is not None and before.incarnation == record.incarnation:
            self.gaps.observe(node, now - self.observer.seen_at[node])
        self.observer.saw_record(node, now)

    def _held(self, settings: Settings) -> Settings:
        if settings.hold or not self._hold:
            self._keep("")
            return settings
        return msgspec.structs.replace(settings, hold=self._hold)

    def _keep(self, hold: str) -> None:
        self._hold = hold
        if hold:
            self.held.set()
        else:
            self.held.clear()

    def _advance(self, revision: int) -> None:
        self.heard_at = self._clock.now()
        self.revision = max(self.revision, revision)
        if self._caught_up:
            waiting = []
            for wanted, future in self._caught_up:
                if wanted > self.revision:
                    waiting.append((wanted, future))
                elif not future.done():
                    future.set_result(None)
            self._caught_up = waiting


def _split(key: str) -> tuple[str, str]:
    """Prefix and name: control/groups/web1 is (control/groups/, web1); control/answers/S/n1 is (.., S/n1)."""
    end = key.find("/", len(keys.CONTROL)) + 1
    return (key[:end], key[end:]) if end else (key, "")


def _stirs(before: Any, now: Any) -> bool:
    """Is it about where groups are, or which nodes there are?"""
    if before is None or now is None:
        return True
    if isinstance(now, Group):
        return (before.owner, before.move_to) != (now.owner, now.move_to)
    if isinstance(now, Session):
        return bool(before.incarnation != now.incarnation)
    return bool(before != now)


def _without_beat(session: Session) -> tuple[object, ...]:
    return (
        session.incarnation,
        session.offers,
        session.memory_mib,
        session.cpus,
        session.watchdog_s,
        session.watchdog,
        session.watchdog_problem,
        session.in_migration_network,
        session.networks,
        session.volumes,
    )
