"""Takes backups of the cluster database, by schedule and on demand, and writes one back.

Everything goes through the database port, so it is the same for every engine. What is in a backup and what comes back
is decided in `core/backup.py`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from outlast.core import backup as core
from outlast.core.backup import Bundle, Damaged, surplus
from outlast.model import keys
from outlast.model.backup import BackupHeader, BackupRow, Kept, RestoreReport
from outlast.model.settings import Settings
from outlast.ports.backups import Backups
from outlast.ports.database import Compare, Delete, Put, Refused, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.service.journal import Journal
from outlast.service.store import Store, put

log = structlog.get_logger()

READ_ALL_S = 60.0
ANSWERS_S = 2.0
"""Whether there is a database at all shows in one key; only reading everything may take long."""
WRITES_AT_ONCE = 100
BYTES_AT_ONCE = 512 * 1024
ATTEMPTS = 10
FIRST_LOOK_S = 60.0
"""After the start of the service: it has better things to do then."""
LOOK_INTERVAL_S = 600.0
BY_SCHEDULE = "-scheduled.backup"


class CannotRestore(Exception):
    """Nothing was restored, or not all; the text says why."""


class Backing:
    def __init__(self, store: Store, files: Backups, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._journal = journal
        self._clock = clock

    async def run(self) -> None:
        """By schedule, on every node for itself: a cluster that has lost all but one node has its backups still."""
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                await self._by_schedule()
            except (Unavailable, OSError) as error:
                log.warning("no backup was taken", why=str(error))
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def take(self, path: str = "", *, suffix: str = ".backup") -> BackupRow:
        """Every key at one revision, into that file. Raises `Unavailable`, soon when the database is away; OSError."""
        await self._store.database.read(keys.CLUSTER, timeout_s=ANSWERS_S)
        snapshot = await self._store.database.read("", timeout_s=READ_ALL_S)
        kept = [Kept(entry.key, entry.value) for entry in snapshot.entries]
        taken_at_s = self._clock.wall()
        data = core.pack(self._store.settings, self._store.me, taken_at_s, snapshot.revision, kept)
        written = await self._files.write(path or _name(self._store.settings.name, taken_at_s) + suffix, data)
        return _row(written, len(data), core.header_of(data))

    async def rows(self) -> list[BackupRow]:
        """Of this node's own place, oldest first. Raises OSError."""
        rows = []
        for stored in await self._files.stored():
            try:
                rows.append(_row(stored.path, stored.size_bytes, core.header_of(await self._files.read(stored.path))))
            except Damaged as error:
                rows.append(BackupRow(stored.path, stored.size_bytes, problem=str(error)))
        return sorted(rows, key=lambda row: row.taken_at_s)

    async def read(self, path: str) -> tuple[BackupHeader, tuple[Kept, ...]]:
        """Raises `Damaged`, OSError."""
        return core.unpack(await self._files.read(path))

    async def what_if(self, header: BackupHeader, backup: Sequence[Kept]) -> RestoreReport:
        return core.report(header, backup, (await self._present())[0])

    async def restore(self, header: BackupHeader, backup: Sequence[Kept]) -> RestoreReport:
        """First the hold, then all the rest: whatever ends this half-way, nothing is started. Raises `CannotRestore`,
        `Unavailable`; it can be done again then."""
        taken = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(header.taken_at_s))
        present, _ = await self._present()
        told = core.report(header, backup, present)
        unfinished = f"{core.UNFINISHED}, the one of {taken}"
        await self._settings(lambda now: core.held(backup, now, unfinished))
        for _ in range(ATTEMPTS):
            present, revisions = await self._present()
            if await self._write(core.bundles(backup, present), revisions):
                break
        else:
            raise CannotRestore("the cluster changes too quickly; the hold stands, so do it again")
        words = f"the database was restored from the backup of {taken}"

        def restored(now: Settings) -> Settings:
            if now.hold != unfinished:  # it must not say of another one that is under way that it has ended
                raise CannotRestore(f"something else has happened meanwhile ({now.hold or 'no hold'}); do it again")
            return msgspec.structs.replace(now, hold=words)

        await self._settings(restored, f"{words}: nothing is started")
        return told

    async def _settings(self, change: Callable[[Settings], Settings], words: str = "") -> None:
        for _ in range(ATTEMPTS):
            compares = self._store.unchanged(keys.CLUSTER)
            writes: list[Write] = [put(keys.CLUSTER, change(self._store.settings))]
            if words:
                writes.append(self._journal.event("backup", words))
            if not isinstance(await self._store.transact(compares, writes), Refused):
                return
        raise CannotRestore("the cluster's settings change too quickly; try again")

    async def _present(self) -> tuple[list[Kept], dict[str, int]]:
        snapshot = await self._store.database.read("", timeout_s=READ_ALL_S)
        kept = [Kept(entry.key, entry.value) for entry in snapshot.entries]
        return kept, {entry.key: entry.revision for entry in snapshot.entries}

    async def _write(self, bundles: Sequence[Bundle], revisions: dict[str, int]) -> bool:
        """False: a group changed meanwhile, and all has to be looked at again."""
        for some in _portions(bundles):
            compares = [Compare(bundle.group, revisions.get(bundle.group, 0)) for bundle in some if bundle.group]
            puts: list[Write] = [Put(one.key, one.value) for bundle in some for one in bundle.puts]
            deletes: list[Write] = [Delete(key) for bundle in some for key in bundle.deletes]
            if isinstance(await self._store.transact(compares, [*puts, *deletes]), Refused):
                return False
        return True

    async def _by_schedule(self) -> None:
        """Whether one is due is asked of the wall clock: how old a file is, is a question of people's time."""
        settings = self._store.settings
        if not settings.backup_interval_s or settings.hold:
            return
        mine = [stored.path for stored in await self._files.stored() if stored.path.endswith(BY_SCHEDULE)]
        age_s = await self._age_s(max(mine)) if mine else settings.backup_interval_s
        if 0 <= age_s < settings.backup_interval_s:
            return
        row = await self.take(suffix=BY_SCHEDULE)
        log.info("backup taken", path=row.path, entries=row.entries, size_bytes=row.size_bytes)
        for path in surplus([*mine, row.path], settings.backups_kept):
            await self._files.remove(path)

    async def _age_s(self, path: str) -> float:
        """Of one that is damaged: as old as can be."""
        try:
            return self._clock.wall() - core.header_of(await self._files.read(path)).taken_at_s
        except Damaged:
            return -1.0


def _portions(bundles: Sequence[Bundle]) -> list[list[Bundle]]:
    """As many together as a transaction takes."""
    found: list[list[Bundle]] = []
    writes = size = 0
    for bundle in bundles:
        own = len(bundle.puts) + len(bundle.deletes)
        own_bytes = sum(len(one.key) + len(one.value) for one in bundle.puts)
        if not found or writes + own > WRITES_AT_ONCE or size + own_bytes > BYTES_AT_ONCE:
            found.append([])
            writes = size = 0
        found[-1].append(bundle)
        writes, size = writes + own, size + own_bytes
    return found


def _name(cluster: str, taken_at_s: float) -> str:
    """Sorts by time within one cluster."""
    return f"{cluster}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(taken_at_s))}"


def _row(path: str, size_bytes: int, header: BackupHeader) -> BackupRow:
    return BackupRow(
        path,
        size_bytes,
        header.cluster,
        header.id,
        header.node,
        header.taken_at_s,
        header.revision,
        header.entries,
    )
