"""This node's own member of etcd: the port `LocalMember` on a supervised etcd process.

Its settings are written anew for each start (JSON, which is YAML), and its supervisor never starts it again by itself:
what a member may do after it ended depends on why, and that is decided elsewhere. Beside DATA lie
  DATA.json    the settings of the last start
  DATA.marks   what Outlast noted about this member, durably
  DATA.old     data that was thrown away last, kept for people (not where DATA is a mount: it cannot be moved aside)
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from outlast.adapters.member_log import keep_whole
from outlast.adapters.supervision import Sight, Supervised
from outlast.ports.members import Start

PROGRAM = "outlast-etcd"
"""The name of its unit, or of its service directory."""
HISTORY_KEPT = "10m"
"""A watch that was away for longer reads everything again."""
SNAPSHOT_COUNT = 1000
"""Entries of the log that a member keeps in its memory before it forgets them (and always 5,000 more)."""

THROWN_AWAY = "member.thrown-away"


class EtcdMember:
    def __init__(
        self,
        name: str,
        program: Supervised,
        data_dir: Path,
        *,
        client_url: str,
        peer_url: str,
        cluster: str = "outlast",
        ca: str = "",
        certificate: str = "",
        key: str = "",
        heartbeat_ms: int = 50,
        election_ms: int = 500,
        quota_mib: int = 2048,
    ) -> None:
        self.client_url = client_url
        self.peer_url = peer_url
        self._name = name
        self._cluster = cluster
        self._program = program
        self._sight = Sight(program)
        self._data = data_dir
        self._files = (ca, certificate, key)
        self._heartbeat_ms = heartbeat_ms
        self._election_ms = election_ms
        self._quota_mib = quota_mib

    def has_data(self) -> bool:
        return any((self._data / "member/wal").glob("*.wal"))

    def marks(self) -> Mapping[str, str]:
        try:
            return msgspec.json.decode(self._beside("marks").read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}

    def mark(self, marks: Mapping[str, str]) -> None:
        _write(self._beside("marks"), msgspec.json.format(msgspec.json.encode(marks)))

    async def start(self, how: Start) -> None:
        if await self._sight.runs():
            return
        if how.whole_log:
            await asyncio.to_thread(keep_whole, self._data / "member/wal")
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._beside("json"), msgspec.json.format(msgspec.json.encode(self._settings(how))))
        await self._program.start_once()

    async def stop(self) -> None:
        await self._program.stop()

    async def runs(self) -> bool:
        return await self._sight.runs()

    async def wipe(self) -> None:
        await self.stop()
        if self._data.is_mount():
            await asyncio.to_thread(_empty, self._data)
        elif self._data.exists():
            old = self._beside("old")
            shutil.rmtree(old, ignore_errors=True)
            self._data.rename(old)

    def _settings(self, how: Start) -> dict[str, Any]:
        members = dict(how.initial) or {self._name: self.peer_url}
        settings: dict[str, Any] = {
            "name": self._name,
            "data-dir": str(self._data),
            "listen-client-urls": self.client_url,
            "advertise-client-urls": self.client_url,
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{name}={url}" for name, url in members.items()),
            "initial-cluster-state": "existing" if how.existing else "new",
            "initial-cluster-token": self._cluster,
            "heartbeat-interval": self._heartbeat_ms,
            "election-timeout": self._election_ms,
            "pre-vote": True,
            "enable-grpc-gateway": True,
            "quota-backend-bytes": self._quota_mib * 2**20,
            "snapshot-count": SNAPSHOT_COUNT,
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": HISTORY_KEPT,
            "logger": "zap",
            "log-outputs": ["stderr"],
            "log-level": "warn",
        }
        if how.alone:
            settings["force-new-cluster"] = True
        ca, certificate, key = self._files
        if certificate:
            security = {"cert-file": certificate, "key-file": key, "trusted-ca-file": ca, "client-cert-auth": True}
            settings["client-transport-security"] = security
            settings["peer-transport-security"] = security
        return settings

    def _beside(self, ending: str) -> Path:
        return self._data.with_name(f"{self._data.name}.{ending}")


def _empty(mount: Path) -> None:
    """What is thrown away is so at once, or not at all: half of a member's data must not be taken for a member's."""
    aside = mount / THROWN_AWAY
    shutil.rmtree(aside, ignore_errors=True)
    if (mount / "member").exists():
        (mount / "member").rename(aside)
        shutil.rmtree(aside)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk when this returns."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
