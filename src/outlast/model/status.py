"""What owners report about the groups they own."""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.guest import GuestStatus
from outlast.model.transfer import Transfer


class State(enum.Enum):
    """State of a resource, and, derived from its resources, of a group."""

    OFFLINE = "offline"
    ONLINE_PENDING = "online pending"
    ONLINE = "online"
    OFFLINE_PENDING = "offline pending"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PARTIAL = "partially online"
    """Of groups only: some of it is online, the rest is off on purpose."""


class Handover(msgspec.Struct, frozen=True):
    """What became of handing a resource over as it runs."""

    move: int
    """Which wish to move its group it is about (`Group.moves`)."""
    to: str
    done: bool = False
    """It stands on that node, complete, and nothing of it runs here."""
    why: str = ""
    """Not empty: it could not be handed over, and why; it runs on here."""
    saving: bool = False
    """It was to be saved for the move, not to go as it runs."""
    percent: int = 0
    """How far it has come, in steps that are worth a write."""
    transfer: Transfer | None = None
    """And how it goes on."""


class ResourceStatus(msgspec.Struct, frozen=True):
    state: State
    why: str = ""
    answers: bool = False
    """What runs in it says so itself: a VM's guest agent."""
    handover: Handover | None = None
    guest: GuestStatus | None = None
    """None: nothing is known of what runs in it, or it has no guest."""
    moved_away: bool = False
    """Of what is UNKNOWN: somebody migrated it away past the cluster. Nothing of it runs on this node, as with OFFLINE,
    and it runs on somewhere else."""
    left_in: str = ""
    """The life of this node in which that was found; "": not known. In a later one it may have been started anew."""


class GroupStatus(msgspec.Struct, frozen=True):
    """Written by the owner on change. Counts only for the epoch that it names. Key `status/GROUP`.

    FAILED and OFFLINE in it are positive evidence that nothing of the resource runs on that node (rule 8).
    """

    group: str
    node: str
    incarnation: str
    epoch: int
    resources: Mapping[str, ResourceStatus]
    intents: int = 0
    """The group's count of intents that its owner knew: it says nothing of words that came later."""
