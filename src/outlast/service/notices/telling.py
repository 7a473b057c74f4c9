"""Tells a receiver one thing, with the secrets that this takes.

Secret parameters are sealed and stand under `secrets/notices/ID`, apart from their rule.
"""

from collections.abc import Mapping

import msgspec

from outlast.core.notices.notice_parameters import SECRET, place
from outlast.core.notices.wording import TEST
from outlast.model import keys
from outlast.model.event import Event
from outlast.model.notice import Notice, NoticeRule, Severity
from outlast.model.secret import Sealed
from outlast.ports.database import Compare, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.ports.notices import NotTaken, Receivers
from outlast.ports.secrets import NoSecret, Secrets
from outlast.service.agreed_key import agreed_key
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, Store, put

TIMEOUT_S = 15.0


class Telling:
    def __init__(
        self, store: Store, receivers: Receivers, secrets: Secrets | None, journal: Journal, clock: Clock
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._secrets = secrets
        self._journal = journal
        self._clock = clock

    async def tell(self, rule: NoticeRule, notice: Notice) -> str:
        """The receiver's answer. Raises `NotTaken`."""
        opened = await self.opened(rule)
        return await self._receivers.send(opened, notice, at_s=self._clock.wall(), timeout_s=TIMEOUT_S)

    async def test(self, rule: NoticeRule, by: str) -> str:
        """Sends what never happened. `rule` may be one that nobody has written down yet. Raises `NotTaken`."""
        words = f"this is a test of the notice rule {rule.name}, asked for by {by}: nothing has happened"
        event = Event(self._journal.new_id(), self._clock.wall(), self._store.me, TEST, words)
        name = self._store.settings.name
        return await self.tell(rule, Notice(f"{rule.name}/{event.id}", rule.name, name, Severity.INFO, words, (event,)))

    async def seal(self, rule: NoticeRule) -> tuple[NoticeRule, list[Compare], list[Write]]:
        """The rule as its record shall be, and what must be written with it. Raises `NoSecret` and `Unavailable`."""
        rule = msgspec.structs.replace(rule, place=place(rule.way, rule.parameters))
        secret = {name: value for name, value in rule.parameters.items() if name in SECRET}
        if not secret:
            return msgspec.structs.replace(rule, hidden=(), sealed=""), [], []
        secrets = self._needed()
        compares, writes = await agreed_key(secrets, self._store.database)
        id = self._journal.new_id()
        sealed = Sealed(secrets.seal(keys.NOTICE_SECRETS + id, secret))
        plain = {name: value for name, value in rule.parameters.items() if name not in secret}
        record = msgspec.structs.replace(rule, parameters=plain, hidden=tuple(sorted(secret)), sealed=id)
        return record, compares, [*writes, put(keys.NOTICE_SECRETS + id, sealed)]

    async def opened(self, rule: NoticeRule) -> NoticeRule:
        """With all its parameters. Raises `NotTaken` when its secrets cannot be had here."""
        if not rule.sealed:
            return rule
        try:
            secret = await self._open(rule.sealed)
        except (NoSecret, Unavailable) as error:
            raise NotTaken(f"its secret parameters cannot be had: {error}") from None
        return msgspec.structs.replace(rule, parameters={**rule.parameters, **secret})

    async def _open(self, id: str) -> Mapping[str, str]:
        key = keys.NOTICE_SECRETS + id
        snapshot = await self._store.database.read(key, timeout_s=READ_TIMEOUT_S)
        found = next((entry.value for entry in snapshot.entries if entry.key == key), None)
        if found is None:
            raise NoSecret("they are not in the database any more; set them anew")
        return self._needed().open(key, msgspec.json.decode(found, type=Sealed).text)

    def _needed(self) -> Secrets:
        if self._secrets is None:
            raise NoSecret("there is no place for a key on this node")
        return self._secrets
