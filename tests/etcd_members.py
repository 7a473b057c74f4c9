"""Real members of etcd on loopback, to be killed, frozen and filled up. Their data lie in memory if that can be."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_WITHIN_S = 60.0

USUAL = (
    "--heartbeat-interval=50",
    "--election-timeout=500",
    "--pre-vote",
    "--logger=zap",
    "--log-level=warn",
)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class EtcdMember:
    def __init__(self, name: str, directory: Path, scheme: str) -> None:
        self.name = name
        self.directory = directory
        client_port, peer_port = free_ports(2)
        self.url = f"{scheme}://127.0.0.1:{client_port}"
        self.peer_url = f"http://127.0.0.1:{peer_port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments: list[str] = []

    @property
    def data(self) -> Path:
        return self.directory / self.name

    def start(self, initial: str, state: str = "new", extra: Sequence[str] = ()) -> None:
        self._arguments = [
            f"--name={self.name}",
            f"--data-dir={self.data}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster={initial}",
            f"--initial-cluster-state={state}",
            *USUAL,
            *extra,
        ]
        self.restart()

    def restart(self, *, under: Sequence[str] = ()) -> None:
        """With the arguments of the last start; `under` is a command that runs it."""
        log = (self.directory / f"{self.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen([*under, "etcd", *self._arguments], stdout=log, stderr=log)

    def log(self) -> str:
        return (self.directory / f"{self.name}.log").read_text(errors="replace")

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self.process
        self.process.wait(START_WITHIN_S)

    def freeze(self) -> None:
        """Returns when none of its threads runs any more."""
        self._signal(signal.SIGSTOP)
        assert self.process
        tasks = Path(f"/proc/{self.process.pid}/task")
        while self.runs and any(_state(task) not in "TtZ" for task in tasks.iterdir()):
            time.sleep(0.001)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _signal(self, number: int) -> None:
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)


def _state(task: Path) -> str:
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


class EtcdCluster:
    """Made by `etcd_cluster`."""

    def __init__(self, directory: Path, size: int, tls: ssl.SSLContext | None, extra: Sequence[str]) -> None:
        self.directory = directory
        scheme = "https" if tls else "http"
        self.members = [EtcdMember(f"m{number}", directory, scheme) for number in range(1, size + 1)]
        self._tls = tls
        self._extra = extra

    @property
    def urls(self) -> list[str]:
        return [member.url for member in self.members]

    def start(self) -> None:
        initial = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        for member in self.members:
            member.start(initial, extra=self._extra)

    def put_in_order(self) -> None:
        """Every member runs, is thawed, and knows one leader."""
        for member in self.members:
            member.thaw()
            if not member.runs:
                member.restart()
        self.wait_for_leader()

    def wait_for_leader(self) -> EtcdMember:
        """Until all that run agree on one."""
        until_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until_s:
            answers = [self.status(member) for member in self.members if member.runs]
            leaders = {answer.get("leader") for answer in answers}
            if len(leaders) == 1 and None not in leaders:
                return self._member(leaders.pop())
            time.sleep(0.02)
        raise AssertionError(f"etcd has no leader: {[member.log()[-500:] for member in self.members]}")

    def leader(self) -> EtcdMember:
        return self.wait_for_leader()

    def followers(self) -> list[EtcdMember]:
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def status(self, member: EtcdMember) -> dict[str, Any]:
        """Empty when it does not answer."""
        try:
            return self.call(member, "maintenance/status", timeout_s=1)
        except OSError:
            return {}

    def call(self, member: EtcdMember, path: str, timeout_s: float = 30, **body: Any) -> dict[str, Any]:
        """What an administrator would do with etcd's own tool."""
        request = urllib.request.Request(f"{member.url}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=timeout_s, context=self._tls) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def add(self, name: str) -> EtcdMember:
        """Another member, not started: `start` it when the others know of it."""
        self.members.append(EtcdMember(name, self.directory, "https" if self._tls else "http"))
        return self.members[-1]

    def _member(self, leader: Any) -> EtcdMember:
        for member in self.members:
            answer = self.status(member)
            if answer and answer["header"]["member_id"] == leader:
                return member
        raise AssertionError("the leader does not answer")

    def stop(self) -> None:
        for member in self.members:
            if member.process:
                member.kill()


@contextmanager
def etcd_cluster(
    size: int = 3, *, tls: ssl.SSLContext | None = None, extra: Sequence[str] = ()
) -> Iterator[EtcdCluster]:
    memory = Path("/dev/shm")
    place = tempfile.mkdtemp(prefix="outlast-etcd-", dir=memory if os.access(memory, os.W_OK) else None)
    cluster = EtcdCluster(Path(place), size, tls, extra)
    try:
        cluster.start()
        cluster.wait_for_leader()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(place)
