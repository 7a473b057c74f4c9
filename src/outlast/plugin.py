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

from outlast.model.health import Condition, Found, Health, Json, ResourceName, Spec

__all__ = [
    "API_VERSION",
    "CannotStart",
    "Condition",
    "Found",
    "Health",
    "Json",
    "Progress",
    "Refusal",
    "Resource",
    "ResourceName",
    "ResourceType",
    "Spec",
    "TypeHost",
]

API_VERSION = 1


class CannotStart(Exception):
    """`online` did not succeed, and nothing runs. The text is for people and says why."""


class Refusal(Exception):
    """`control` or `check` refuses what was asked. The text says what could not be done, why, and what to do."""


class TypeHost(Protocol):
    """What the host offers to a resource type. Safe to call from any thread."""

    def report(self, resource: ResourceName, health: Health) -> None:
        """A change that the plugin saw by itself. Polling is the safety net; reports are the speed."""
        ...

    def appeared(self, found: Found) -> None:
        """A thing of this type appeared or changed on this node that no open resource stands for."""
        ...

    def log(self, message: str) -> None:
        """A line for the node's log."""
        ...


Progress = Callable[[str], None]
"""Call it when work has really advanced, with a word for people. The call's deadline counts from the last one."""


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
