"""What of a cluster lies on this machine, and how is all of it taken away again?

Setting up is a chain of small steps, and any of them may be the last: a power cut is no excuse. So before the first one
a mark is set, and the machine's own service takes it away when it has its session. Whoever finds the mark knows that
what is here was never a node, and may sweep it away (`sweep`), which finds everything by its place and needs no memory
of what was done.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from outlast.adapters.incarnations import FileIncarnations
from outlast.adapters.load import FILE as LOAD
from outlast.adapters.supervision import Supervised, find, supervised
from outlast.adapters.trust import AUTHORITY, CERTIFICATE, KEY, MARK, MIGRATION, SHARED, write_secret

SERVICE = "outlastd"
WITNESS = "outlast-witness"
MEMBER = "outlast-etcd"
DRAIN = "outlast-drain"
"""Drains the node before its machine goes down. Only under systemd."""
WEB = "outlast-web"
"""The HTTP API; and the user that it runs as."""


class SetupError(Exception):
    """`kind` is one of the control socket's: "usage", "impossible", "failed". The text is for people."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Mark(msgspec.Struct, frozen=True):
    """That this machine is just being set up. Readable by root alone: a token is in it."""

    what: str
    """"create" or "join"."""
    name: str
    host: str = ""
    token: str = ""
    asked_member: bool = False
    """The cluster may have a member for this machine: before what is here goes, the cluster must have let go of it."""


class Machine:
    """`root` is "/" but for tests."""

    def __init__(self, root: Path = Path("/"), supervisor: str | None = None) -> None:
        self.etc = root / "etc/outlast"
        self.state = root / "var/lib/outlast"
        self.run = root / "run/outlast"
        self.units = root / "etc/systemd/system"
        self.libvirt = root / "etc/libvirt"
        self.pam = root / "etc/pam.d"
        self.pki = root / "etc/pki"
        self.supervisor = find() if supervisor is None else supervisor

    @property
    def config(self) -> Path:
        return self.etc / "outlast.toml"

    @property
    def data(self) -> Path:
        return self.state / "etcd"

    @property
    def authority(self) -> Path:
        return self.etc / AUTHORITY

    @property
    def certificate(self) -> Path:
        return self.etc / CERTIFICATE

    @property
    def key(self) -> Path:
        return self.etc / KEY

    @property
    def migration(self) -> Path:
        """The same files under the names by which libvirt looks for them."""
        return self.etc / MIGRATION

    @property
    def _mark(self) -> Path:
        return self.state / MARK

    def id(self) -> str:
        return FileIncarnations(self.run, self.state).machine()

    def mark(self) -> Mark | None:
        try:
            return msgspec.json.decode(self._mark.read_bytes(), type=Mark)
        except FileNotFoundError:
            return None

    def set_mark(self, mark: Mark) -> None:
        self.state.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_secret(self._mark, msgspec.json.encode(mark).decode())

    def clear_mark(self) -> None:
        self._mark.unlink(missing_ok=True)

    def program(self, name: str) -> Supervised:
        return supervised(self.supervisor, name)

    async def start_service(self) -> None:
        """The cluster service; what drains this node before the machine goes down; and the HTTP API."""
        await self.program(SERVICE).start()
        for name in (DRAIN, WEB):
            if self._is_installed(name):
                await self.program(name).start()

    async def stop(self, *programs: str) -> None:
        for name in programs:
            if self._is_installed(name):
                await self.program(name).stop()

    async def sweep(self) -> None:
        """Everything goes but who this machine is. Safe to repeat; the mark goes last."""
        # Stopping the last one would drain the node, if its service still ran.
        await self.stop(WEB, SERVICE, WITNESS, MEMBER, DRAIN)
        self.config.unlink(missing_ok=True)
        for name in (AUTHORITY, CERTIFICATE, KEY, *SHARED):
            (self.etc / name).unlink(missing_ok=True)
        with suppress(OSError):  # somebody keeps something else there
            (self.etc / "pki").rmdir()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.data.with_name("etcd.old"), ignore_errors=True)
        for ending in ("json", "marks"):
            self.data.with_name(f"etcd.{ending}").unlink(missing_ok=True)
        (self.state / LOAD).unlink(missing_ok=True)
        # What remembers the life of a node that never was. The hosts' own files go with their processes.
        for name in ("incarnation", "control.sock", "web.sock"):
            (self.run / name).unlink(missing_ok=True)
        self.clear_mark()

    def runs_itself(self, program: str) -> bool:
        """Under s6: is there a service of that name?"""
        return self.supervisor != "systemd" and self._is_installed(program)

    def _is_installed(self, program: str) -> bool:
        kind, _, where = self.supervisor.partition(":")
        if kind == "systemd":
            return (self.units / f"{program}.service").exists()
        return (Path(where) / program).is_dir()


@contextmanager
def one_at_a_time(machine: Machine) -> Iterator[None]:
    """Two people who set up one machine at once would sweep away each other's work."""
    import fcntl

    machine.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (machine.state / "setting-up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError("impossible", "somebody else is setting this machine up just now; try again") from None
        yield
