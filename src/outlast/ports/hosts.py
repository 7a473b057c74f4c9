"""What the cluster service needs from resource hosts.

A host is a process that runs plugins for one isolated set of resource types. The service decides deadlines,
replacement and isolation; an implementation of this port only starts, calls, listens and kills.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from outlast.model.health import Found, Health, Json, Redefinition, Spec
from outlast.model.inside import Finding, Incident, Inquiry
from outlast.model.node import Offer
from outlast.model.saved import SavedState
from outlast.model.transfer import Destination, Transfer


class HealthReport(msgspec.Struct, frozen=True):
    resource: str
    health: Health


class RedefinedReport(msgspec.Struct, frozen=True):
    resource: str
    change: Redefinition


class HappenedReport(msgspec.Struct, frozen=True):
    """Something happened inside a resource, which runs on."""

    resource: str
    incident: Incident
    words: str


class AppearedReport(msgspec.Struct, frozen=True):
    type: str
    found: Found


class OfferReport(msgspec.Struct, frozen=True):
    """A type's offer changed while the host ran (its files no longer match what was loaded)."""

    offer: Offer


Report = HealthReport | RedefinedReport | HappenedReport | AppearedReport | OfferReport


class CallFailed(Exception):
    """The plugin raised. `refusal` is True for what the API foresees (CannotStart, Refusal)."""

    def __init__(self, why: str, *, refusal: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.refusal = refusal


class HostDied(Exception):
    """The host ended, or was killed. That proves nothing about what it had started.

    Before the handshake: `types` are those that it was to load, `loading` the one whose plugin it was just loading.
    """

    def __init__(self, why: str = "", *, types: Sequence[str] = (), loading: str = "") -> None:
        super().__init__(why)
        self.types = types
        self.loading = loading


class HostSilent(TimeoutError):
    """The host did not shake hands in time, and was killed. `types` and `loading` as in `HostDied`."""

    def __init__(self, why: str, *, types: Sequence[str] = (), loading: str = "") -> None:
        super().__init__(why)
        self.types = types
        self.loading = loading


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
    async def hand_over(self, resource: str, to: Destination, on_progress: Callable[[Transfer], None]) -> None: ...
    async def call_back(self, resource: str) -> None: ...
    async def take_up(self, resource: str, on_progress: Callable[[str], None]) -> None: ...
    async def save(
        self, resource: str, stop: str, directory: str, on_progress: Callable[[str], None]
    ) -> SavedState: ...
    async def restore(self, resource: str, state: SavedState, on_progress: Callable[[str], None]) -> None: ...
    async def forget(self, resource: str) -> None: ...
    async def close(self, resource: str) -> None: ...
    async def inquire(self, resource: str, inquiry: Inquiry) -> Finding:
        """Beside every other call of the resource; an inquiry that hangs holds up later inquiries of it only."""
        ...

    async def reset(self, resource: str, until_s: float) -> None:
        """Refused after `until_s` (by the node's own clock, as the run permit): a host may have been frozen."""
        ...

    async def go_on(self, resource: str) -> None: ...
    async def control(self, resource: str, verb: str, arguments: Mapping[str, Json]) -> Json: ...
    async def looks_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]: ...
    async def is_alive(self, type: str, resources: Sequence[str]) -> Mapping[str, Health]: ...
    async def discover(self, type: str) -> Sequence[Found]: ...
    async def type_control(self, type: str, verb: str, arguments: Mapping[str, Json]) -> Json: ...

    async def listen(self, on_report: Callable[[Report], None]) -> None:
        """Passes on what plugins saw by themselves, in order, what came before included. Each is passed on in the
        moment in which it comes: so before the answer to a call that comes after it. Returns when the host has died."""
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

    async def start(self, types: Sequence[str], *, timeout_s: float, type_timeout_s: float | None = None) -> Host:
        """Start a host that loads these types (empty: every installed type), and shake hands.

        A type that fails to load is no error: its offer says what is wrong. Raises `HostDied` when the host ends
        before the handshake or speaks another version (with words), `HostSilent` when it does not answer, or, of
        several types, one takes longer than `type_timeout_s` to load.
        """
        ...
