"""A backup of the cluster database: what it says of itself, and what is in it."""

from collections.abc import Mapping

import msgspec


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A key as it was at the backup's revision."""

    key: str
    value: bytes


class BackupHeader(msgspec.Struct, frozen=True):
    """The second line of the file, in JSON, for programs and people."""

    format: int
    cluster: str
    id: str
    """The cluster's: two of one name are told apart by it."""
    node: str
    """Who took it."""
    taken_at_s: float
    """Wall clock, for people."""
    revision: int
    """All keys are as they were at this one revision."""
    entries: int
    sha256: str
    """Over the rest of the file, hex."""


class BackupRow(msgspec.Struct, frozen=True):
    path: str
    size_bytes: int
    cluster: str = ""
    id: str = ""
    node: str = ""
    taken_at_s: float = 0.0
    revision: int = 0
    entries: int = 0
    problem: str = ""
    """Why it could not be restored; empty when it is whole."""


class RestoreReport(msgspec.Struct, frozen=True):
    """What a restore does, or would do."""

    header: BackupHeader
    restored: tuple[str, ...]
    """Groups as they were then."""
    forgotten: tuple[str, ...]
    """Groups that are there now and were not then: no longer the cluster's. What of them runs goes on."""
    nodes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class OwnershipReport(msgspec.Struct, frozen=True):
    """What runs where now, and what follows for the groups."""

    running: Mapping[str, str]
    """Group to the node on which it was found: that one owns it from now on."""
    placed: tuple[str, ...]
    """Found nowhere and wanted online: the coordinator places them."""
    off: tuple[str, ...]
    """Found nowhere and wanted offline."""
