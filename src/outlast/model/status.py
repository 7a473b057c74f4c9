"""What owners report about the groups they own."""

import enum
from collections.abc import Mapping

import msgspec


class State(enum.Enum):
    """State of a resource, and, derived from its resources, of a group."""

    OFFLINE = "offline"
    ONLINE_PENDING = "online pending"
    ONLINE = "online"
    OFFLINE_PENDING = "offline pending"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ResourceStatus(msgspec.Struct, frozen=True):
    state: State
    why: str = ""


class GroupStatus(msgspec.Struct, frozen=True):
    """Written by the owner on change. Counts only for the epoch that it names. Key `status/GROUP`.

    FAILED and OFFLINE in it are positive evidence that nothing of the resource runs on that node (rule 8).
    """

    group: str
    node: str
    incarnation: str
    epoch: int
    resources: Mapping[str, ResourceStatus]
