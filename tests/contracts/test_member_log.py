"""Going on alone loses nothing: the log of etcd is kept whole, or it is said that it cannot be."""

import asyncio
import base64
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from etcd_members import EtcdCluster, EtcdMember, free_ports
from outlast.adapters import member_log
from outlast.adapters.log_records import (
    CHECKSUM,
    ENTRY,
    METADATA,
    SNAPSHOT,
    STATE,
    NotWhole,
    crc32c,
    frame,
    frames,
    message,
    parse,
    record_at,
)
from outlast.adapters.member import EtcdMember as LocalEtcd
from outlast.adapters.member_log import addition
from outlast.ports.members import Start

HANG_S = 60.0
ME, OTHER = 11, 12


# --- on bytes ---------------------------------------------------------------------------------------------------------


def entry(index: int, term: int = 2, data: bytes = b"x", kind: int = 0) -> tuple[int, bytes]:
    return ENTRY, message({1: kind, 2: term, 3: index, 4: data})


def change(index: int, kind: int, node: int) -> tuple[int, bytes]:
    return entry(index, data=message({1: 7, 2: kind, 3: node}), kind=1)


def state(commit: int, term: int = 2, vote: int = ME) -> tuple[int, bytes]:
    return STATE, message({1: term, 2: vote, 3: commit})


def snapshot(index: int, term: int = 2) -> tuple[int, bytes]:
    return SNAPSHOT, message({1: index, 2: term})


def written(*files: list[tuple[int, bytes]], room: int = 4096) -> list[bytes]:
    """As etcd does: each file begins with the checksum so far; only the last one has room left."""
    rolling, contents = 0, []
    for records in files:
        content = frame(CHECKSUM, rolling, b"")
        for type, data in [(METADATA, message({1: ME, 2: 99})), *records]:
            content += frame(type, rolling, data)
            rolling = crc32c(data, rolling)
        contents.append(content)
    contents[-1] += bytes(room)
    return contents


def committed(files: list[bytes]) -> tuple[int, int, int] | None:
    """What is added: term, vote and commit; and that with it nothing is left to add."""
    added = addition(files)
    if added is None:
        return None
    last = files[-1]
    after = last[: added.offset] + added.frame
    assert addition([*files[:-1], after + bytes(max(0, len(last) - len(after)))]) is None
    starts, end = frames(after)
    assert end == len(after)
    found = parse(record_at(after, starts[-1]).data, 1, 2, 3)
    term, vote, commit = (found[number] for number in (1, 2, 3))
    assert isinstance(term, int)
    assert isinstance(vote, int)
    assert isinstance(commit, int)
    return term, vote, commit


def test_the_checksum_is_crc_32c() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283


def test_all_entries_of_the_log_become_committed() -> None:
    assert committed(written([snapshot(0, 0), entry(1), state(1), entry(2), entry(3)])) == (2, ME, 3)


def test_a_log_that_is_committed_to_its_end_is_left_as_it_is() -> None:
    assert committed(written([snapshot(0, 0), entry(1), entry(2), state(2)])) is None


def test_what_is_not_committed_may_lie_in_more_than_one_file() -> None:
    assert committed(written([snapshot(0, 0), entry(1), state(1), entry(2)], [state(1), entry(3)])) == (2, ME, 3)
    assert committed(written([snapshot(0, 0), entry(1), state(1), entry(2)], [state(1)])) == (2, ME, 2)
    assert committed(written([snapshot(0, 0), entry(1), state(1)], [entry(2)])) == (2, ME, 2)


def test_an_entry_that_was_written_over_counts_no_more() -> None:
    files = written([snapshot(0, 0), entry(1), state(1), change(2, 1, ME), entry(3), entry(2, term=3), state(1, 3)])
    assert committed(files) == (3, ME, 2)


def test_a_log_that_begins_with_a_snapshot_ends_there_at_least() -> None:
    assert committed(written([snapshot(0, 0), snapshot(40, 3), state(0)])) == (3, 0, 40)
    assert committed(written([snapshot(0, 0), entry(1), state(1), snapshot(40), state(40), entry(41)])) == (2, ME, 41)
    assert committed(written([snapshot(0, 0), entry(1), state(1), snapshot(40), state(40)])) is None


def test_an_entry_of_a_term_in_which_no_vote_is_noted_begins_that_term() -> None:
    assert committed(written([snapshot(0, 0), entry(1), state(1), entry(2, term=5)])) == (5, 0, 2)


@pytest.mark.parametrize(("kind", "node"), [(0, 13), (1, ME), (3, 13)])
def test_who_might_have_been_removed_or_joined_by_another_does_not_go_alone(kind: int, node: int) -> None:
    with pytest.raises(NotWhole, match="change of who votes"):
        addition(written([snapshot(0, 0), entry(1), state(1), change(2, kind, node)]))
    assert committed(written([snapshot(0, 0), entry(1), change(2, kind, node), state(2)])) is None


def test_the_removal_of_the_other_one_may_be_kept() -> None:
    assert committed(written([snapshot(0, 0), entry(1), state(1), change(2, 1, OTHER), entry(3)])) == (2, ME, 3)


def test_a_record_at_the_end_that_was_never_written_whole_is_written_over() -> None:
    """One sector of it is not there: then no fsync has returned, and nobody was told that it is."""
    [content] = written([snapshot(0, 0), entry(1), state(1), entry(2), entry(3, data=b"y" * 3000)], room=0)
    end = len(written([snapshot(0, 0), entry(1), state(1), entry(2)], room=0)[0])
    torn = content[: end + 1024] + bytes(len(content) - end - 1024 + 4096)
    assert committed([torn]) == (2, ME, 2)


@pytest.mark.parametrize("part", [0.3, 0.7, 1.0])
def test_a_wrong_checksum_is_refused(part: float) -> None:
    [content] = written([snapshot(0, 0), entry(1), state(1), entry(2), entry(3), entry(4)], room=0)
    at = int((len(content) - 80) * part) + 40
    spoiled = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] + bytes(4096)
    with pytest.raises(NotWhole):
        addition([spoiled])


@pytest.mark.parametrize(
    "files",
    [
        [b""],
        [bytes(4096)],
        written([snapshot(0, 0), entry(1), state(1), (6, b"new")]),
        written([snapshot(0, 0), entry(1), state(1), (STATE, message({1: 1, 2: 2, 3: 1, 9: 1}))]),
        written([snapshot(0, 0), entry(1), state(1), entry(2), entry(3, kind=2)]),
        written([snapshot(0, 0), entry(1)]),
        written([state(1), entry(5), state(1)]),
        written([snapshot(0, 0), entry(1), state(7)]),
        [written([snapshot(0, 0), entry(1), state(1), entry(2, data=b"y" * 500)], room=0)[0][:-60]],
    ],
    ids=["empty", "zeros", "type", "field", "change", "no state", "gap", "too short", "cut off"],
)
def test_what_is_not_understood_is_refused(files: list[bytes]) -> None:
    with pytest.raises(NotWhole):
        addition(files)


def test_what_was_left_of_a_write_after_the_end_is_zero_afterwards(tmp_path: Path) -> None:
    [content] = written([snapshot(0, 0), entry(1), state(1), entry(2)], room=0)
    file = tmp_path / f"{0:016x}-{0:016x}.wal"
    file.write_bytes(content + bytes(512) + b"rest" + bytes(3000))
    assert member_log.keep_whole(tmp_path)
    kept = file.read_bytes()
    assert kept.startswith(content)
    assert not any(kept[len(content) + 64 :])
    assert not member_log.keep_whole(tmp_path)
    assert file.read_bytes() == kept


def test_a_log_with_a_file_missing_or_none_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot be kept whole: a file of it is missing"):
        member_log.keep_whole(tmp_path)
    for number in (0, 2):
        (tmp_path / f"{number:016x}-{0:016x}.wal").write_bytes(written([state(1), entry(1)])[0])
    with pytest.raises(OSError, match=r"a file of it is missing"):
        member_log.keep_whole(tmp_path)


# --- with a real etcd -------------------------------------------------------------------------------------------------


ELECTION_MS = 3000
DELAY_S = 1.0
"""How much later the survivor hears what the other one says. Less than an election's time-out, so it stays calm."""


class SlowWay:
    """All that the second member says to the first comes through here."""

    def __init__(self) -> None:
        self.port, self.behind = free_ports(2)
        self.delay_s = 0.0
        self.cut = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._began: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._began:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.behind))
                except OSError:
                    near.close()
                    continue
                self._began += [near, far]
                late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                for work in (
                    partial(self._hear, near, far),
                    partial(self._wait, far, late),
                    partial(self._say, late, near),
                ):
                    threading.Thread(target=work, daemon=True).start()

    def _hear(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def _wait(self, far: socket.socket, late: "SimpleQueue[tuple[float, bytes]]") -> None:
        data = b"-"
        while data:
            try:
                data = far.recv(65536)
            except OSError:
                data = b""
            late.put((time.monotonic() + self.delay_s, data))

    def _say(self, late: "SimpleQueue[tuple[float, bytes]]", near: socket.socket) -> None:
        with suppress(OSError):
            while True:
                at, data = late.get()
                time.sleep(max(0.0, at - time.monotonic()))
                if self.cut or not data:
                    return near.close()
                near.sendall(data)


class Pair(EtcdCluster):
    """Two that vote; what the second one says to the first can be slowed down and cut."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, 2, None, [])
        self.survivor, self.other = self.members
        self.way = SlowWay()
        self.other.peer_url = f"http://127.0.0.1:{self.way.port}"
        initial = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        usual = [f"--election-timeout={ELECTION_MS}", "--strict-reconfig-check=false"]
        self.survivor.start(initial, extra=usual)
        self.other.start(initial, extra=[*usual, f"--listen-peer-urls=http://127.0.0.1:{self.way.behind}"])
        self.wait_for_leader()

    def lead(self, member: EtcdMember) -> None:
        leader = self.wait_for_leader()
        if leader is not member:
            id = self.status(member)["header"]["member_id"]
            self.call(leader, "maintenance/transfer-leadership", targetID=id)
        assert self.wait_for_leader() is member

    def put(self, member: EtcdMember, key: str, value: bytes = b"done") -> None:
        self.call(member, "kv/put", key=text(key.encode()), value=text(value))

    def value(self, member: EtcdMember, key: str) -> bytes | None:
        found = self.call(member, "kv/range", key=text(key.encode())).get("kvs")
        return base64.b64decode(found[0]["value"]) if found else None

    def last_word(self) -> None:
        """The other one answers that a write is done, and is gone before the survivor hears that it is."""
        self.lead(self.other)
        self.way.delay_s = DELAY_S
        self.put(self.other, "last")
        self.way.cut = True
        self.other.kill()

    def alone(self) -> None:
        """The survivor, with what is on its disk."""
        arguments = [*self.survivor._arguments, "--force-new-cluster"]
        self.survivor._arguments = arguments
        self.survivor.restart()
        until_s = time.monotonic() + HANG_S
        while time.monotonic() < until_s:
            if self.status(self.survivor).get("leader"):
                return
            time.sleep(0.05)
        raise AssertionError(self.survivor.log()[-2000:])

    @property
    def log(self) -> Path:
        return self.survivor.data / "member/wal"


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture
def pair() -> Iterator[Pair]:
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on this machine; install the package etcd-server")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="outlast-etcd-", dir=memory if os.access(memory, os.W_OK) else None
    ) as place:
        two = Pair(Path(place))
        try:
            yield two
        finally:
            two.stop()
            two.way.close()


def end(member: EtcdMember) -> None:
    """As its unit ends it."""
    assert member.process
    member.process.terminate()
    member.process.wait(HANG_S)


@pytest.mark.parametrize("stop", [end, EtcdMember.kill], ids=["ended", "killed"])
def test_what_was_answered_done_just_before_the_other_one_died_is_there(
    pair: Pair, stop: Callable[[EtcdMember], None]
) -> None:
    pair.put(pair.other, "before")
    pair.last_word()
    stop(pair.survivor)
    assert member_log.keep_whole(pair.log)
    assert not member_log.keep_whole(pair.log)
    pair.alone()
    assert pair.value(pair.survivor, "last") == pair.value(pair.survivor, "before") == b"done"
    assert len(pair.call(pair.survivor, "cluster/member/list")["members"]) == 1
    pair.put(pair.survivor, "after")
    stop(pair.survivor)
    pair.survivor._arguments.remove("--force-new-cluster")
    pair.survivor.restart()
    pair.wait_for_leader()
    assert [pair.value(pair.survivor, key) for key in ("before", "last", "after")] == [b"done"] * 3


def test_it_is_there_when_the_log_lies_in_more_than_one_file(pair: Pair) -> None:
    number = 0
    while len([path for path in pair.log.iterdir() if member_log.NAME.fullmatch(path.name)]) < 2:
        pair.put(pair.other, "filler", os.urandom(1_000_000))
        number += 1
        assert number < 100
    pair.last_word()
    end(pair.survivor)
    assert member_log.keep_whole(pair.log)
    pair.alone()
    assert pair.value(pair.survivor, "last") == b"done"


def test_a_removal_of_the_other_one_that_was_begun_is_no_hindrance(pair: Pair) -> None:
    pair.lead(pair.survivor)
    id = pair.status(pair.other)["header"]["member_id"]
    pair.other.freeze()
    with pytest.raises(TimeoutError):
        pair.call(pair.survivor, "cluster/member/remove", ID=id, timeout_s=1)
    pair.other.kill()
    end(pair.survivor)
    assert member_log.keep_whole(pair.log)
    pair.alone()
    assert len(pair.call(pair.survivor, "cluster/member/list")["members"]) == 1
    pair.put(pair.survivor, "after")


def test_a_member_that_runs_keeps_its_log_for_itself(pair: Pair) -> None:
    with pytest.raises(OSError, match="the member still runs"):
        member_log.keep_whole(pair.log)


def test_a_member_whose_log_cannot_be_kept_whole_is_not_started_alone(tmp_path: Path) -> None:
    class Program:
        started = 0

        async def pid(self) -> int:
            return 0

        async def start_once(self) -> None:
            self.started += 1

    program: Any = Program()
    log = tmp_path / "n1/member/wal"
    log.mkdir(parents=True)
    file = log / f"{0:016x}-{0:016x}.wal"
    local = LocalEtcd("n1", program, tmp_path / "n1", client_url="c", peer_url="p")

    file.write_bytes(bytes(100))
    with pytest.raises(OSError, match="cannot be kept whole"):
        asyncio.run(local.start(Start({}, alone=True, whole_log=True)))
    assert program.started == 0
    [whole] = written([snapshot(0, 0), entry(1), state(1), entry(2)])
    file.write_bytes(whole)
    asyncio.run(local.start(Start({}, alone=True, whole_log=True)))
    assert program.started == 1
    assert addition([file.read_bytes()]) is None
