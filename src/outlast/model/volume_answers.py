"""What the cluster service answers about shared volumes: rows for tables and scripts.

The fields are a contract: `--json` prints them as they are.
"""

from collections.abc import Mapping

import msgspec


class SeenFrom(msgspec.Struct, frozen=True):
    """A volume, as one node sees it."""

    state: str
    """direct | unavailable | not known."""
    why: str = ""
    is_full: bool = False


class ChangeRow(msgspec.Struct, frozen=True):
    """A change of an image, under way or over."""

    id: str
    volume: str
    image: str
    what: str
    """create | resize | delete | snapshot."""
    stage: str
    """asked | running | done | refused | cut short."""
    node: str = ""
    """The coordinator that did it."""
    percent: int = 0
    words: str = ""
    """What came of it."""
    by: str = ""


class VolumeRow(msgspec.Struct, frozen=True):
    name: str
    path: str
    state: str
    """Of its coordinator, as of any group."""
    coordinator: str
    """The node; empty: none now."""
    why: str
    limit_s: float
    """So long it may be lost on a node before what needs it is moved; -1: for ever."""
    nodes: Mapping[str, SeenFrom]
    groups: tuple[str, ...]
    """What lies on it."""
    changes: tuple[ChangeRow, ...] = ()
    """The last ones."""
    warning: str = ""


class ImageRow(msgspec.Struct, frozen=True):
    image: str
    format: str
    bytes: int
    """As the guest sees it."""
    on_disk_bytes: int
    snapshots: int = 0
    backing: str = ""
    """What it is based on."""
    tags: tuple[str, ...] = ()
    """The names of its snapshots; of one image only."""
    used_by: tuple[str, ...] = ()
    """VMs of the cluster that have it as a disk."""
