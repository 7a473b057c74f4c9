"""What the cluster service needs from resource hosts.

A host is a process that runs plugins for one isolated set of resource types. The service decides deadlines,
replacement and isolation; an implementation of this port only starts, calls, listens and kills.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from outlast.model.health import Found, Health, Json, Spec
from outlast.model.node import Offer


class HealthReport(msgspec.Struct, frozen=True):
    resource: str
    health: Health


class AppearedReport(msgspec.Struct, frozen=True):
    type: str
    found: Found


class OfferReport(msgspec.Struct, frozen=True):
    """A type's offer changed while the host ran (its files no longer match what was loaded)."""

    offer: Offer


Report = HealthReport | AppearedReport | OfferReport


class CallFailed(Exception):
    """The plugin raised. `refusal` is True for what the API foresees (CannotStart, Refusal)."""

    def __init__(self, why: str, *, refusal: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.refusal = refusal


class HostDied(Exception):
    """The host ended, or was killed. That proves nothing about what it had started."""


class Host(Protocol):
    """One running resource host. Calls overlap freely; cancelling a call abandons its answer."""

    pid: int
    offers: Sequence[Offer]
    """From the handshake: every type it was asked to load, loaded or not."""

    @property
    def end(self) -> str:
        """How it ended, for people; "" while it runs."""
        ...

    async def open(self, spec: Spec) -> Health: ...
    async def online(self, resource: str, on_progress: Callable[[str], None]) -> None: ...
    async def offline(self, resource: str, timeout_s: float, on_progress: Callable[[str], None]) -> None: ...
    async def terminate(self, resource: str) -> None: ...
    async def forget(self, resource: str) -> None: ...
    async def close(self, resource: str) -> None: ...
    async def control(self, resource: str, verb: str, arguments: Mapping[str, Json]) -> Json: ...
    async def looks_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]: ...
    async def is_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]: ...
    async def discover(self, type: str) -> Sequence[Found]: ...
    async def type_control(self, type: str, verb: str, arguments: Mapping[str, Json]) -> Json: ...

    def reports(self) -> AsyncIterator[Report]:
        """What plugins saw by themselves, in order. Ends (without an exception) when the host has died."""
        ...

    async def kill(self) -> None:
        """End the process at once and wait until it is gone. Its calls raise `HostDied`. Safe to repeat."""
        ...


class Permit(Protocol):
    """The run permit: until when the resource hosts of this node may keep resources running.

    It lies where every host of this node reads it without the service's help (a small shared file), so that a
    frozen service cannot keep VMs alive: when the deadline passes unextended, each host terminates what it runs.
    Times are in the host's CLOCK_BOOTTIME.
    """

    def until_s(self) -> float:
        """The deadline that was written last in this life of the node, by whichever service; 0.0 when none was."""
        ...

    def extend(self, until_s: float) -> None:
        """Never shortens by mistake: the latest call counts, also when it is earlier than before."""
        ...


class Hosts(Protocol):
    """Starts resource hosts on this node."""

    @property
    def permit(self) -> Permit: ...

    async def start(self, types: Sequence[str], *, timeout_s: float) -> Host:
        """Start a host that loads these types (empty: every installed type), and shake hands.

        A type that fails to load is no error: its offer says what is wrong. Raises `HostDied` when the host ends
        before the handshake or speaks another version (with words), `TimeoutError` when it does not answer.
        """
        ...
