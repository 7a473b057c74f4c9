"""A file share in the lab's cluster, and a client that writes to it: for tests and benchmarks.

The group has an address and a share that needs it, made by command; two nodes may run it, the third is the client's.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from outlast.lab import node, smb_writer
from outlast.lab.cluster import LabCluster
from outlast.lab.smb_writer import Account

GROUP = SHARE = "projects"
ADDRESS = "10.77.0.201"
SERVERS, CLIENT = ("n1", "n2"), "n3"
FILE = "records"
_USER, _UID, _PASSWORD = "anna", "4001", "secret"
_STEADY = 50
"""So many records were acknowledged before anything is done to the share."""
_WITHIN_S = 120.0


class WrittenShare:
    def __init__(self, cluster: LabCluster) -> None:
        self.cluster = cluster
        self._directory = cluster.lab.paths.shared / SHARE

    @property
    def owner(self) -> str:
        return self.cluster.owner(GROUP)

    def make(self) -> None:
        kept = self._directory / ".outlast-smb"
        kept.mkdir(parents=True, exist_ok=True)
        kept.chmod(0o700)
        self._directory.chmod(0o1777)
        for name in SERVERS:
            self.cluster.lab.run(name, "useradd", "--no-create-home", "--uid", _UID, _USER)
        self.outlast("group", "create", GROUP, f"possible_owners={','.join(SERVERS)}")
        self.outlast("resource", "create", "ip", "ip_address", GROUP, "--property", f"address={ADDRESS}")
        properties = (f"path={self._directory}", f"address={ADDRESS}", f"share={SHARE}")
        options = [word for one in properties for word in ("--property", one)]
        self.outlast("resource", "create", "share", "file_share", GROUP, "depends_on=ip", *options)
        self.outlast("group", "online", GROUP)
        set_password = ["smbpasswd", "-c", "/run/outlast/file_share/share/smb.conf", "-s", "-a", _USER]
        done = self.cluster.lab.run(self.owner, *set_password, stdin=f"{_PASSWORD}\n" * 2)
        assert done.returncode == 0, done.stderr

    def delete(self) -> None:
        self.outlast("group", "offline", GROUP)
        self.outlast("group", "delete", GROUP, "--with-resources")

    def outlast(self, *words: str) -> str:
        return self.cluster.lab.exec(CLIENT, "outlast", *words)

    @contextmanager
    def written(self) -> Iterator["Writing"]:
        """Somebody writes to it, has begun to when the block is entered, and ends with it."""
        (self._directory / FILE).unlink(missing_ok=True)
        words = ["python", "-m", "outlast.lab.smb_writer", ADDRESS, SHARE, FILE, _USER, _PASSWORD]
        command = node.enter_command(self.cluster.lab.node(CLIENT), words)
        with subprocess.Popen(
            command, env=node.enter_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            writing = Writing(self.cluster, process, self._directory / FILE)
            try:
                writing.go_on()
                yield writing
            finally:
                told = process.communicate()[0]  # Its input ends, and so does it.
            writing.account = msgspec.json.decode(told, type=Account)


class Writing:
    def __init__(self, cluster: LabCluster, process: "subprocess.Popen[bytes]", file: Path) -> None:
        self._cluster = cluster
        self._process = process
        self._file = file
        self.account = Account(0, 0.0, 0)
        """Of the client, when it has ended."""

    def go_on(self) -> None:
        """Returns when more was written."""
        more = self._records() + _STEADY
        self._cluster.lab.wait(lambda: self._has_ended() or self._records() >= more, _WITHIN_S, "more is written")
        assert not self._has_ended(), "the client has ended"

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def lost(self) -> list[int]:
        """The numbers of the records that were acknowledged and are not there."""
        return smb_writer.lost(self._file.read_bytes(), self.account.acknowledged)

    def _records(self) -> int:
        return self._file.stat().st_size // smb_writer.RECORD_BYTES if self._file.exists() else 0
