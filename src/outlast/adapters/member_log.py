"""How is the log of a member that goes on alone kept whole? etcd itself throws away what lies beyond its commit index.

A member learns that an entry is committed one message after it has said that it has it. Of two that vote, the one that
is left has every entry that was ever committed, but etcd's `--force-new-cluster` drops those of which it had not heard
that they were. So before that start one record is added to the log: all of it is committed. An entry that was not is
kept as well; whoever wrote it was told that the outcome is not certain.

Only the end of the log is checked here; etcd checks all of it when it starts. What is not understood is refused; etcd
would refuse it as well. One thing is refused that etcd would take: a log that ends with a change of who votes. If it
was made, the other one may have gone on without this member. (The removal of another one is no such change: if it was
made, this member votes alone.)

The format is in `adapters/log_records.py`.
"""

import fcntl
import mmap
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from outlast.adapters.log_records import (
    ENTRY,
    METADATA,
    SNAPSHOT,
    STATE,
    Content,
    Fields,
    NotWhole,
    Record,
    crc32c,
    data_of,
    frame,
    frames,
    message,
    number_of,
    parse,
    record_at,
)
from outlast.ports import members

NORMAL, CHANGE = 0, 1
REMOVE = 1
"""Of the changes of who belongs to the database."""
CHECKED_BYTES = 2**18
SECTOR_BYTES = 512
CHUNK_BYTES = 2**20
NAME = re.compile(r"([0-9a-f]{16})-[0-9a-f]{16}\.wal")


class Addition(NamedTuple):
    """What is to be written into the last file, where all from there on is zero."""

    offset: int
    frame: bytes


# --- bytes ------------------------------------------------------------------------------------------------------------


def addition(files: Sequence[Content]) -> Addition | None:
    """What makes the whole log committed; None: it is already. Raises `NotWhole`."""
    *before, newest = files
    starts, end = _sound(newest)
    found = _Findings(number_of(parse(record_at(newest, starts[1]).data, 1, 2), 1))
    enough = found.saw_all(newest, starts)
    while not enough and before:
        older = before.pop()
        enough = found.saw_all(older, frames(older)[0])
    state = found.whole()
    if state is None:
        return None
    term, vote, commit = state
    rolling = record_at(newest, starts[-1]).checksum
    return Addition(end, frame(STATE, rolling, message({1: term, 2: vote, 3: commit})))


class _Findings:
    """What the log says, read from its end on."""

    def __init__(self, me: int) -> None:
        self._me = me
        self._state: Fields | None = None
        self._snapshot: Fields = {}
        self._last: tuple[int, int] | None = None
        """Index and term of where the log ends."""
        self._from = 2**64
        """All that counts from this index on has been seen."""
        self._changes: list[Fields] = []
        self._changed_at: list[int] = []

    def saw_all(self, file: Content, starts: Sequence[int]) -> bool:
        """Is it enough?"""
        return any(self._saw(record_at(file, start)) for start in reversed(starts))

    def _saw(self, record: Record) -> bool:
        if record.type == STATE and self._state is None:
            self._state = parse(record.data, 1, 2, 3)
        elif record.type == SNAPSHOT:
            self._saw_snapshot(parse(record.data, 1, 2, 3))
        elif record.type == ENTRY:
            self._saw_entry(parse(record.data, 1, 2, 3, 4))
        return self._state is not None and self._last is not None and self._from <= number_of(self._state, 3) + 1

    def whole(self) -> tuple[int, int, int] | None:
        if self._last is None and self._snapshot:
            self._begins_with_snapshot()
        if self._state is None or self._last is None or self._from > number_of(self._state, 3) + 1:
            raise NotWhole("a part of it that may not be committed is missing")
        term, vote, commit = (number_of(self._state, number) for number in (1, 2, 3))
        index, last_term = self._last
        for at, change in zip(self._changed_at, self._changes, strict=True):
            if at > commit and not (number_of(change, 2) == REMOVE and number_of(change, 3) != self._me):
                raise NotWhole("it ends with a change of who votes, and it is not certain whether that was made")
        if commit == index:
            return None
        if commit > index:
            raise NotWhole(f"it ends at {index}, before {commit}, up to where it is committed")
        return (term, vote, index) if term >= last_term else (last_term, 0, index)

    def _saw_snapshot(self, snapshot: Fields) -> None:
        index = number_of(snapshot, 1)
        if self._last is None and index > number_of(self._snapshot, 1):
            self._snapshot = snapshot
        elif self._last is not None and index + 1 >= self._from:
            self._from = 0

    def _begins_with_snapshot(self) -> None:
        self._last, self._from = (number_of(self._snapshot, 1), number_of(self._snapshot, 2)), 0

    def _saw_entry(self, entry: Fields) -> None:
        index = number_of(entry, 3)
        if self._last is None:
            self._last = (index, number_of(entry, 2))
            if number_of(self._snapshot, 1) > index:  # it was sent whole, in place of entries
                self._begins_with_snapshot()
        if index >= self._from:
            return  # another one was written in its place
        self._from = index
        kind = number_of(entry, 1)
        if kind == CHANGE:
            self._changed_at.append(index)
            self._changes.append(parse(data_of(entry, 4), 1, 2, 3, 4))
        elif kind != NORMAL:
            self._changed_at.append(index)
            self._changes.append({})


def _sound(file: Content) -> tuple[list[int], int]:
    """Where its records start, without one at the end that was never written whole, and where they end."""
    starts, end = frames(file)
    if len(starts) < 2 or record_at(file, starts[1]).type != METADATA:
        raise NotWhole("its last file does not begin as it should")
    checked = (number for number, start in enumerate(starts) if start >= end - CHECKED_BYTES)
    first = next(checked, len(starts) - 1)
    rolling = record_at(file, starts[max(0, first - 1)]).checksum
    for number in range(first, len(starts)):
        if not _is_sound(file, starts[number], rolling):
            if number + 1 < len(starts) or not _has_hole(file, starts[number] + 8, end):
                raise NotWhole("the checksum of a record at its end is wrong")
            return starts[:number], starts[number]
        rolling = record_at(file, starts[number]).checksum
    return starts, end


def _is_sound(file: Content, start: int, rolling: int) -> bool:
    try:
        record = record_at(file, start)
    except NotWhole:
        return False
    return record.checksum == crc32c(record.data, rolling)


def _has_hole(file: Content, start: int, end: int) -> bool:
    """A sector of zeros: it was never on the disk, so nobody was told that it was."""
    cuts = [start, *range((start // SECTOR_BYTES + 1) * SECTOR_BYTES, end, SECTOR_BYTES), end]
    return any(not any(file[one:other]) for one, other in pairwise(cuts))


# --- the disk ---------------------------------------------------------------------------------------------------------


def keep_whole(directory: Path) -> bool:
    """Make all of the log in this directory count as committed, durably. False: it did already.

    Raises `ports.members.NotWhole` with words when it cannot be, and has changed nothing then; OSError when the disk
    does not take it."""
    try:
        with ExitStack() as opened:
            paths = sorted(path for path in directory.iterdir() if NAME.fullmatch(path.name))
            numbers = [int(path.name[:16], 16) for path in paths]
            if not paths or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                raise NotWhole("a file of it is missing")
            files = [opened.enter_context(path.open("r+b")) for path in paths]
            fcntl.lockf(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            contents = [opened.enter_context(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)) for file in files]
            added = addition(contents)
            if added is not None:
                _write(files[-1].fileno(), contents[-1], added)
            return added is not None
    except BlockingIOError as error:
        raise members.NotWhole(
            f"the log of the database in {directory} cannot be kept whole: the member still runs"
        ) from error
    except (NotWhole, ValueError) as error:
        raise members.NotWhole(f"the log of the database in {directory} cannot be kept whole: {error}") from error


def _write(file: int, content: mmap.mmap, added: Addition) -> None:
    for at in range(added.offset, len(content), CHUNK_BYTES):
        rest = content[at : at + CHUNK_BYTES]
        if any(rest.strip(b"\0")):  # of a write that never ended; after the new record it would be taken for one
            os.pwrite(file, bytes(len(rest)), at)
    os.fsync(file)
    os.pwrite(file, added.frame, added.offset)
    os.fsync(file)
