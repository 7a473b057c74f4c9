"""Shared volumes: how they are on a node, and what is changed on them."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.health import Json


class VolumeState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one shared volume is on one node. Part of the node's session."""

    volume: str
    lost: str = ""
    """Why it is unavailable there, for people; empty: this node has written to it."""
    is_full: bool = False
    """Hardly anything more fits on it."""


class Verb(enum.Enum):
    CREATE = "create"
    RESIZE = "resize"
    DELETE = "delete"
    SNAPSHOT = "snapshot"


class Stage(enum.Enum):
    ASKED = "asked"
    RUNNING = "running"
    """The volume's coordinator has begun it, at the epoch that stands in it."""
    DONE = "done"
    REFUSED = "refused"
    """It was not done, and nothing is changed."""
    CUT_SHORT = "cut short"
    """Its coordinator was lost in the middle of it."""


class VolumeChange(msgspec.Struct, frozen=True):
    """A change of what lies on a volume, done by its coordinator. Key `changes/VOLUME/ID`.

    Who asks writes it; the volume's owner alone changes it after that, comparing the record of the volume's group.
    """

    id: str
    volume: str
    verb: Verb
    image: str
    arguments: Mapping[str, Json] = msgspec.field(default_factory=dict)
    by: str = ""
    """Who asked, for people."""
    stage: Stage = Stage.ASKED
    node: str = ""
    incarnation: str = ""
    epoch: int = 0
    """Of the volume's group."""
    percent: int = 0
    """How far it has come, in steps that are worth a write."""
    words: str = ""
    """What came of it, for people."""

    @property
    def key(self) -> str:
        return f"{self.volume}/{self.id}"

    @property
    def is_over(self) -> bool:
        return self.stage not in (Stage.ASKED, Stage.RUNNING)
