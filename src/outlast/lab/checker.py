"""Did ever two copies of one guest run? Asked of the guests' disks and of the processes, not of Outlast.

Two witnesses. The disks of the beacons tell afterwards: a beacon notes on its disk when it meets another's writing
there, and a start that lies before the last beat of the run before. The watcher looks at the processes of all
nodes, every few milliseconds while a test runs; it also sees a second copy that lived for a moment only.
QEMU's lock on the image is no part of this; tests switch it off (`--no-image-lock`).
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from outlast.lab import beacon, cgroup, node
from outlast.lab.errors import LabError
from outlast.lab.history import now_s
from outlast.lab.layout import NodePaths

HALF_A_DAY_S = 12 * 3600


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    guest: str
    words: str


def check_disks(images: Iterable[Path]) -> tuple[Finding, ...]:
    """Looks at the beacons among the images; others' content says nothing here."""
    findings: list[Finding] = []
    for image in sorted(images):
        try:
            disk = beacon.read_disk(image)
        except LabError:
            continue
        if disk.runs:
            findings += check_disk(disk)
    return tuple(findings)


def check_disk(disk: beacon.BeaconDisk) -> tuple[Finding, ...]:
    findings = []
    if clash := disk.clash:
        findings.append(
            Finding(
                disk.name,
                f"run {clash.boot_id} met the writing of run {clash.other_boot_id} on its disk, "
                f"{clash.times} times, last at its beat {clash.beat}",
            )
        )
    for before, after in zip(disk.runs, disk.runs[1:], strict=False):
        # The wall clock of one machine, in seconds of the day: "later" is within half a day, across midnight too.
        early_s = (_seconds(before.to_time) - _seconds(after.from_time)) % (2 * HALF_A_DAY_S)
        if 0 < early_s < HALF_A_DAY_S:
            words = (
                f"run {after.boot_id} began at {after.from_time}, before the last beat of "
                f"run {before.boot_id} at {before.to_time}"
            )
            findings.append(Finding(disk.name, words))
    return tuple(findings)


def _seconds(time: str) -> int:
    hours, minutes, seconds = (int(part) for part in time.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


@dataclass(frozen=True, slots=True)
class Copy:
    """A QEMU process that runs a guest."""

    guest: str
    node: str
    pid: int
    incoming: bool  # the receiving side of a live migration


def find_doubles(copies: Iterable[Copy]) -> tuple[Finding, ...]:
    """A live migration has two processes: one of them was started to receive. Anything else has one."""
    by_guest: dict[str, list[Copy]] = {}
    for copy in copies:
        by_guest.setdefault(copy.guest, []).append(copy)
    findings = []
    for guest, found in sorted(by_guest.items()):
        migrating = len(found) == 2 and any(copy.incoming for copy in found)
        if len(found) > 1 and not migrating:
            places = ", ".join(f"{copy.node} (process {copy.pid})" for copy in found)
            findings.append(Finding(guest, f"runs {len(found)} times at once: {places}"))
    return tuple(findings)


class Vigil(ABC):
    """Looks again and again in a thread of its own, from `with` to its end; then `findings` holds all that was seen."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._seen: dict[Finding, None] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=type(self).__name__, daemon=True)
        self.rounds = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._seen)

    @abstractmethod
    def look(self) -> Iterable[Finding]: ...

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            self._seen |= dict.fromkeys(self.look())
            self.rounds += 1


class Watcher(Vigil):
    """Watches the processes of all nodes."""

    def __init__(self, nodes: Sequence[NodePaths], *, every_s: float = 0.02) -> None:
        super().__init__(every_s)
        self._nodes = nodes
        self._known: dict[int, Copy | None] = {}

    def look(self) -> Iterable[Finding]:
        return find_doubles(self._copies())

    def _copies(self) -> list[Copy]:
        """What a process is does not change; only new ones are looked at."""
        known: dict[int, Copy | None] = {}
        for target in self._nodes:
            for pid in cgroup.members(target.cgroup):
                before = self._known.get(pid)
                known[pid] = before or _copy_of(target, pid)
        self._known = known
        return [copy for copy in known.values() if copy]


def _copy_of(target: NodePaths, pid: int) -> Copy | None:
    process = node.process(pid)
    guest = node.guest_of(process) if process else ""
    return Copy(guest, target.name, pid, "-incoming" in process.arguments) if process and guest else None


@dataclass(frozen=True, slots=True)
class Relay:
    """Another run has written to a beacon's disk than the one before."""

    guest: str
    before: str
    after: str
    from_s: float
    """Later than this the one before has still written."""
    until_s: float
    """When the other one had."""


class Writers(Vigil):
    """Watches who writes the beacons' disks: once another run has written, the one before it never does again, and none
    counts back: that would be one which goes on from a state that is older than what it did since.

    A witness of its own: no process need be seen for it, and no beacon need note it.
    """

    def __init__(self, images: Path, *, every_s: float = 0.05) -> None:
        super().__init__(every_s)
        self._images = images
        self._runs: dict[str, list[str]] = {}
        self._beats: dict[str, int] = {}
        self._looked_s: dict[str, float] = {}
        self._wrote_after_s: dict[str, float] = {}
        self.relays: list[Relay] = []

    def look(self) -> Iterable[Finding]:
        for image in self._images.glob("*.img"):
            last = beacon.last_writer(image)
            if last:
                yield from self.wrote(image.stem, last.boot_id, last.beats, now_s())

    def wrote(self, guest: str, boot_id: str, beats: int, at_s: float) -> Iterable[Finding]:
        """That this stands there now, as the last beat of that run."""
        runs, before = self._runs.setdefault(guest, []), self._beats.get(guest, -1)
        same = bool(runs) and runs[-1] == boot_id
        if same and beats < before:
            words = f"run {boot_id} is at its beat {beats}, and had been at {before}: it goes on from an older state"
            yield Finding(guest, f"invariant 18: {words}")
        if boot_id in runs and not same:
            yield Finding(guest, f"run {boot_id} wrote to its disk again, after run {runs[-1]} had written there")
        if runs and not same:
            self.relays.append(Relay(guest, runs[-1], boot_id, self._wrote_after_s.get(guest, at_s), at_s))
        if not same:
            runs.append(boot_id)
        if not same or beats != before:
            self._wrote_after_s[guest] = self._looked_s.get(guest, at_s)
        self._beats[guest], self._looked_s[guest] = beats, at_s
