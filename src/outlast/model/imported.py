"""What another cluster's definition of a VM amounts to here, and what became of each thing that it says."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.answers import ProtectReport


class Level(enum.Enum):
    """What became of one thing that the source says."""

    KEPT = "kept"
    CHANGED = "changed"
    """It means something else here, or is written otherwise; the words say what."""
    LOST = "lost"
    """It has no counterpart, or is not in the file; the words say why, and what to do."""


class Finding(msgspec.Struct, frozen=True):
    what: str
    """As the source calls it: "net0", "onboot"."""
    level: Level
    words: str


class Imported(msgspec.Struct, frozen=True):
    """One VM. All that is set of its group and resource is written as people write it (`core/spelling.py`)."""

    name: str
    definition: str = ""
    """Domain XML."""
    definition_path: str = ""
    """Or the file with libvirt's XML that the source names; whoever asked for the conversion reads it."""
    unmanaged: bool = False
    """Who looked after it lets it alone, says the source: it may be taken in while it runs."""
    wanted_online: bool = True
    possible_owners: tuple[str, ...] = ()
    preferred_owners: tuple[str, ...] = ()
    failover_threshold: int | None = None
    is_alive_interval_s: float | None = None
    offline_timeout_s: float | None = None
    group: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Further settings of its group."""
    resource: Mapping[str, str] = msgspec.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Import(msgspec.Struct, frozen=True):
    """All that stands in one file."""

    vms: tuple[Imported, ...]
    findings: tuple[Finding, ...] = ()
    """About no single VM."""
    commands: tuple[str, ...] = ()
    """What an administrator may type afterwards to have the rest."""


class ImportReport(msgspec.Struct, frozen=True):
    """The answer of `outlast vm import`."""

    found: Import
    done: bool
    protected: tuple[ProtectReport, ...] = ()
