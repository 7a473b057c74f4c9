"""The plugin API: all that the author of a resource type imports.

A resource type is a class, found by an entry point of the group `outlast.resource_types`; the entry point's name is
the type's name. It runs in a resource host (`outlast-rhs`), a process of its own, never in the cluster service:
it may block, and when it crashes or hangs, the host is killed and another takes its place. What it manages must
outlive the host: `open` re-attaches.

Who calls what: the host calls `looks_alive` and `is_alive` every few seconds for all resources of the type at
once, and the methods of one resource one at a time, except `terminate`, which may come while another call runs.
Methods are synchronous, run in threads, and must be safe to repeat. Every call has a deadline that the cluster
service enforces: `terminate` first, then the host is killed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from outlast.model.health import (
    Condition,
    EndedBy,
    Features,
    Found,
    Halt,
    Health,
    Json,
    Redefinition,
    ResourceName,
    Spec,
)
from outlast.model.inside import Answer, Asked, Finding, Incident, Inquiry
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer

__all__ = [
    "API_VERSION",
    "INQUIRE",
    "MIGRATE",
    "OWN_WITNESS",
    "SAVE",
    "STAND_STILL",
    "Answer",
    "Asked",
    "CannotStart",
    "Condition",
    "Destination",
    "EndedBy",
    "Features",
    "Finding",
    "Found",
    "Halt",
    "Health",
    "Incident",
    "Inhabited",
    "Inquiry",
    "Json",
    "Movable",
    "Progress",
    "Redefinition",
    "Refusal",
    "Resource",
    "ResourceName",
    "ResourceType",
    "Savable",
    "SavedState",
    "Spec",
    "Transfer",
    "TransferProgress",
    "TypeHost",
]

API_VERSION = 1
MIGRATE = "migrate"
"""Among its `functions`: the resources of this type can be handed over as they run (`Movable`)."""
OWN_WITNESS = "own-witness"
"""Among its `functions`: what this type says of a resource rests on two witnesses already (a VM's: libvirt, and the
processes). The cluster does not hold it against `discover` then."""
INQUIRE = "inquire"
"""Likewise: something lives in the resources of this type that can be asked how it is, and be reset (`Inhabited`)."""
STAND_STILL = "stand_still"
"""Among its `functions`: the resources of this type know the verb `stand_still`, and `Movable.take_up`. What runs then
stands still, and is said to stand, also by the next host, until it is taken up. So what somebody started on a node, or
brought there, past the cluster can become that node's."""

SAVE = "save"
"""Among its `functions`: the state of its resources can be put away, to go on from there (`Savable`)."""


class CannotStart(Exception):
    """`online` did not succeed, and nothing runs. The text is for people and says why."""


class Refusal(Exception):
    """`control` or `check` refuses what was asked. The text says what could not be done, why, and what to do."""


class TypeHost(Protocol):
    """What the host offers to a resource type. Safe to call from any thread."""

    def report(self, resource: ResourceName, health: Health) -> None:
        """A change that the plugin saw by itself. Polling is the safety net; reports are the speed."""
        ...

    def redefined(self, resource: ResourceName, change: Redefinition) -> None:
        """The definition of an open resource was changed on this node, by somebody else. The cluster writes it down; it
        counts from the resource's next start."""
        ...

    def happened(self, resource: ResourceName, incident: Incident, words: str) -> None:
        """Something happened inside an open resource, which runs on; the cluster writes it down. `words` go on from
        the resource's name: "was rebooted from inside"."""
        ...

    def appeared(self, found: Found) -> None:
        """A thing of this type appeared or changed on this node that no open resource stands for."""
        ...

    def log(self, message: str) -> None:
        """A line for the node's log."""
        ...


Progress = Callable[[str], None]
"""Call it when work has really advanced, with a word for people. The call's deadline counts from the last one."""


TransferProgress = Callable[[Transfer], None]
"""Likewise while something is handed over; call it about once a second."""


class Resource(Protocol):
    """One resource on this node."""

    def health(self) -> Health:
        """What is known right after `open`, or later; cheap."""
        ...

    def online(self, progress: Progress) -> None:
        """Start it; return when it serves. Already online is fine. Raises `CannotStart`."""
        ...

    def offline(self, progress: Progress, timeout_s: float) -> None:
        """Stop it in order; after `timeout_s` by force. Return when nothing runs. Already offline is fine."""
        ...

    def terminate(self) -> None:
        """Stop it now, from any state, whatever it costs. Return only when nothing runs; raise otherwise."""
        ...

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        """What only this type can do ("screenshot", "migrate", ...). Raises `Refusal`."""
        ...

    def forget(self) -> None:
        """Nothing runs and this node no longer owns it: leave nothing behind (a VM is undefined)."""
        ...

    def close(self) -> None:
        """Free what this object holds in the host. The thing itself is not touched."""
        ...


@runtime_checkable
class Movable(Protocol):
    """What a resource has besides when its type's functions name `MIGRATE`.

    What is handed over stands still on its destination, complete, until it is taken up there; whether it may be, the
    cluster decides. So it never runs twice, whatever becomes of the two nodes and of what is between them.
    """

    def hand_over(self, to: Destination, progress: TransferProgress) -> None:
        """Return when it stands still on the destination, complete, and nothing of it runs here. Raises `Refusal` when
        it runs on here as before; anything else when that cannot be told."""
        ...

    def call_back(self) -> None:
        """May come beside `hand_over`: give it up, if that is still possible. `hand_over` then ends as it ends. Without
        one: give up what a host that is gone had begun, and return when that is over, however; else raise."""
        ...

    def take_up(self, progress: Progress) -> None:
        """On the destination: what stands still here runs on. Raises `CannotStart` when nothing complete is here, or it
        does not go on; what is left of it is terminated then."""
        ...


@runtime_checkable
class Inhabited(Protocol):
    """What a resource has besides when its type's functions name `INQUIRE`: a VM has a guest."""

    def inquire(self, inquiry: Inquiry) -> Finding:
        """How is it inside? Comes beside all other calls, also beside `online` and `terminate`, one at a time for each
        resource. Changes nothing of the resource. Returns within `inquiry.timeout_s` and a few seconds more; whoever
        cannot find out says `Answer.UNTOLD`."""
        ...

    def reset(self) -> None:
        """Start what lives in it anew, at once, whatever it loses; the resource itself runs on. What does not run is
        not started. Raises `Refusal` when it cannot be done."""
        ...

    def go_on(self) -> None:
        """What an I/O error has stopped (`Halt.IO_ERROR`, `Halt.NO_SPACE`) tries once more what had failed; while that
        still fails, it stops again, and nothing is lost. Otherwise it does nothing. Returns when it is known how it
        went; that is told by its health. The host checks the run permit first, as for a start."""
        ...


@runtime_checkable
class Savable(Protocol):
    """What a resource has besides when its type's functions name `SAVE`.

    A state is gone on from once at most, and never after the resource has run otherwise since: what it left behind then
    (a VM's disks) is not what the state remembers. The cluster sees to that; a plugin that can tell refuses besides.
    """

    def save(self, stop: str, directory: str, progress: Progress) -> SavedState:
        """Put the state of what runs away, in `directory` (empty: where the type keeps it), and return when that is
        whole and nothing runs. `stop`: to which stop it belongs. Called again after a crash: nothing runs then, and the
        state of that very stop is returned if it is whole. Raises `Refusal` when it runs on as before, or when nothing
        runs and there is no such state; anything else when that cannot be told."""
        ...

    def restore(self, state: SavedState, progress: Progress) -> None:
        """Start it from that state, and return when it runs. The state is used up before anything of it runs. Raises
        `CannotStart` when nothing ran, and the state can be tried again; anything else when it is used up."""
        ...


@runtime_checkable
class ResourceType(Protocol):
    """One object per type and host process, made by calling the entry point with a `TypeHost`."""

    api_version: int
    """The version of this API that the plugin is written for, as a number in its source (not `API_VERSION`, which is
    always the installed one). Must stand on the class: a host does not make an object of another version."""
    version: str
    """The plugin's own."""
    functions: Sequence[str]
    """What `control` understands, of the type and of its resources."""

    def open(self, spec: Spec) -> Resource:
        """Find out what is there; start nothing, change nothing. Called again after a host was replaced."""
        ...

    def looks_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        """Cheap, all asked resources of this type in one call."""
        ...

    def is_alive(self, resources: Sequence[ResourceName]) -> Mapping[ResourceName, Health]:
        """Thorough, all asked resources of this type in one call."""
        ...

    def discover(self) -> Sequence[Found]:
        """All things of this type on this node. Raises when that cannot be told."""
        ...

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        """About the type on this node, not one resource ("inspect", "check", ...). Raises `Refusal`."""
        ...

    def close(self) -> None: ...
