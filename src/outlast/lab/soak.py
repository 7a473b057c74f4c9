"""Does a real cluster keep its promises under random faults? Rounds of them on a lab, each judged from outside.

A round: all is well; some faults, drawn from the seed and the round's number alone; all of them undone; then everything
must be online again within a bound. Judged by the processes of all nodes and by the beacons' disks (both all the
time), and, by what the commits to the cluster database say, by the invariants of the simulator; every write that was
acknowledged to the soak itself is read back. QEMU's image lock is off (rule 5).
"""

import heapq
import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from outlast.client.control import ControlError
from outlast.lab import faults
from outlast.lab.checker import Finding, Writers
from outlast.lab.cluster import LabCluster, up
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.history import History, Mark, now_s
from outlast.lab.lab import Lab
from outlast.lab.ledger import Ledger
from outlast.lab.sightings import PermitSeen, Sightings, Span, resets
from outlast.model.answers import ClusterStatus

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a lab. The history is what is new; the rest is all from the beginning."""

    history: History
    until_s: float
    """When all of it was there."""
    marks: Sequence[Mark] = ()
    guests: Sequence[Span] = ()
    powers: Sequence[Span] = ()
    unarmed: Sequence[Span] = ()
    permits: Sequence[PermitSeen] = ()
    killed: Sequence[tuple[str, float]] = ()
    """Guests that the soak itself killed, and when it began to."""
    hindered: Sequence[tuple[str, float, float]] = ()
    """Nodes whose hosts or whose libvirtd the soak kept from working, from when to when: what was begun there may come
    through late."""


Judge = Callable[[Evidence], Sequence[str]]
"""Says what was wrong with what is new."""

WELL_WITHIN_S = 240.0
"""After the last fault was undone. A bound that catches what never comes back; this machine may be slow."""
HINDERED_S = 15.0
"""After the faults, as in the simulator: a call to a plugin that hung may come through."""
AFTERWARDS_S = 2.5
"""What ended last is judged with what is known so long after it."""
READ_WITHIN_S = 60.0
"""The history, after all is well: a member that was frozen may have to be found out first."""


@dataclass(slots=True)
class Round:
    number: int
    faults: Sequence[faults.Timed]
    violations: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    well_after_s: float = 0.0


class Soak:
    def __init__(self, lab: Lab, seed: int, guests: int, judge: Judge, tell: Tell) -> None:
        self.cluster = LabCluster(lab)
        self.seed = seed
        self.guests = [f"web{number}" for number in range(1, guests + 1)]
        self._lab = lab
        self._judge = judge
        self._tell = tell
        self._killed: list[tuple[str, float]] = []
        self._hindered: list[tuple[str, float, float]] = []
        self._sightings = Sightings([lab.paths.node(name) for name in lab.state().nodes])
        self._writers = Writers(lab.paths.images)
        self._watching = ExitStack()
        self.ledger = Ledger(lab)
        self.unread = 0
        """How often the history could not be read."""
        self.gone = 0
        """How often it had been compacted before it was read."""

    def __enter__(self) -> Self:
        for watching in (self._sightings, self._writers, self.ledger):
            self._watching.enter_context(watching)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.close()

    def prepare(self) -> None:
        self.cluster.wait_for_members(within_s=WELL_WITHIN_S)
        self.cluster.excuse_losses()
        for guest in self.guests:
            # A guest that is killed in each round must not be given up for it.
            self.cluster.protect("beacon", guest, wait=False, failover_threshold=10_000)
        self._wait_until_well()
        self._judge(self._evidence(self.ledger.read()[0]))

    def run(self, until: float, first_round: int = 1) -> list[Round]:
        """Rounds until that moment of the monotonic clock. Ends with the first that breaks something."""
        rounds = []
        for number in itertools.count(first_round):
            rounds.append(self.play(number, self._draw(number)))
            if rounds[-1].violations or time.monotonic() > until:
                return rounds
        raise AssertionError("not reached")

    def _draw(self, number: int) -> Sequence[faults.Timed]:
        state, random = self._lab.state(), Random(f"{self.seed}/{number}")
        return faults.draw_round(random, state.nodes, state.witnesses, self.guests, etcd=state.database == "etcd")

    def keep_logs(self, place: Path) -> None:
        """What a person needs to understand a failure."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy(self._lab.paths.daemon_log, place)
        (place / "seen").write_text("\n".join(map(str, self._sightings.guests + self._sightings.powers)) + "\n")
        for name in self._lab.state().machines:
            shutil.copytree(self._lab.node(name).var / "log", place / name, symlinks=True, dirs_exist_ok=True)
        for image in self._lab.paths.images.glob("*.img"):
            shutil.copy(image, place)
        try:
            words = [f"{event.at_s:.3f} {event.node} {event.kind}: {event.words}" for event in self.cluster.events()]
            (place / "events").write_text("\n".join(words) + "\n")
        except (ControlError, OSError, StopIteration) as error:
            (place / "events").write_text(f"no node answers: {error}\n")

    # --- a round --------------------------------------------------------------------------------------------------

    def play(self, number: int, drawn: Sequence[faults.Timed]) -> Round:
        outcome = Round(number, drawn)
        self._tell(f"round {number} (seed {self.seed})")
        # Faults that call for nothing: then nothing may happen to any VM (rules 7 and 11).
        harmless = faults.harmless([timed.fault for timed in drawn])
        before = self._processes()
        self._do_all(drawn)
        try:
            outcome.well_after_s = self._wait_until_well()
        except LabError as error:
            outcome.violations.append(f"not well {WELL_WITHIN_S:.0f} s after the last fault: {error}")
        outcome.violations += [f"{found.guest}: {found.words}" for found in self._findings()]
        self._read_and_judge(outcome)
        if harmless:
            moved = sorted(guest for guest, running in self._processes().items() if running != before.get(guest))
            outcome.violations += [f"{guest} was started again, and no fault called for it" for guest in moved]
        self._tell_verdict(outcome)
        return outcome

    def _findings(self) -> Sequence[Finding]:
        reset = resets(self._writers.relays, self._sightings.guests)
        return (*self._sightings.findings, *self._writers.findings, *reset, *self._lab.check_disks())

    def _read_and_judge(self, outcome: Round) -> None:
        time.sleep(AFTERWARDS_S)
        try:
            found, lost = self._read_history()
        except LabError as error:  # what it holds is judged after the next round
            self.unread += 1
            outcome.remarks.append(f"the database's history could not be read: {error}")
            return
        if found.whole:
            self.gone += 1
            outcome.remarks.append("the database's history was compacted before it was read: this round is not judged")
        outcome.violations += [f"invariant 10: {words}" for words in lost]
        outcome.violations += self._judge(self._evidence(found))

    def _do_all(self, drawn: Sequence[faults.Timed]) -> None:
        """Each fault at its time, and each undone at its own; whatever is out of order then is put in order."""
        order = itertools.count()
        deeds = [(at_s, next(order), words, deed, timed) for timed in drawn for at_s, words, deed in timed.deeds()]
        heapq.heapify(deeds)
        began, began_s = time.monotonic(), now_s()
        self._hindered += [
            (timed.fault.hinders, began_s + timed.at_s, float("inf")) for timed in drawn if timed.fault.hinders
        ]
        while deeds:
            at_s, _, words, deed, timed = heapq.heappop(deeds)
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            if timed.fault.kills:
                self._killed.append((timed.fault.kills, now_s()))
            self._do(words and f"  {time.monotonic() - began:5.1f} s  {words}", deed)
        for words, deed in _PUT_IN_ORDER:
            self._do(f"  {words}", deed, quietly=True)
        ended_s = now_s() + HINDERED_S
        self._hindered = [(node, from_s, min(to_s, ended_s)) for node, from_s, to_s in self._hindered]

    def _do(self, words: str, deed: faults.Deed, *, quietly: bool = False) -> None:
        problem = ""
        try:
            deed(self._lab)
        except (LabError, OSError) as error:
            problem = f" (not possible: {error})"
        if words and (problem or not quietly):
            self._tell(words + problem)

    def _wait_until_well(self) -> float:
        """All nodes up, every guest online where its owner is and nowhere else, and writing; returns after how long."""
        began = time.monotonic()
        nodes = self._lab.state().nodes
        self.cluster.wait(self._is_well, "all nodes up and all guests online", WELL_WITHIN_S)
        before = self.cluster.outputs(self.guests, nodes)
        self.cluster.wait_for_output(self.guests, nodes, before)
        return time.monotonic() - began

    def _is_well(self, status: ClusterStatus) -> bool:
        _power_on_all(self._lab)  # fencing leaves nodes off in a lab; somebody is there who sees it
        running = self.cluster.running()
        rows = {row.name: row for row in status.groups}
        return set(self._lab.state().nodes) <= up(status) and all(
            guest in rows
            and rows[guest].state == "online"
            and rows[guest].settled
            and running.get(guest) == [rows[guest].owner]
            for guest in self.guests
        )

    def _processes(self) -> dict[str, tuple[str, int]]:
        return {
            guest: (node, self.cluster.qemu_pid(node, guest))
            for guest, nodes in self.cluster.running().items()
            for node in nodes
        }

    def _read_history(self) -> tuple[History, Sequence[str]]:
        deadline = time.monotonic() + READ_WITHIN_S
        while True:
            try:
                return self.ledger.read()
            except LabError:
                if time.monotonic() > deadline:
                    raise

    def _evidence(self, new: History) -> Evidence:
        seen = self._sightings
        return Evidence(
            new,
            now_s(),
            self.ledger.marks,
            tuple(seen.guests),
            tuple(seen.powers),
            tuple(seen.unarmed),
            tuple(seen.permits),
            tuple(self._killed),
            tuple(self._hindered),
        )

    def _tell_verdict(self, outcome: Round) -> None:
        for words in outcome.violations:
            self._tell(f"  VIOLATION: {words}")
        for words in outcome.remarks:
            self._tell(f"  remark: {words}")
        if not outcome.violations:
            self._tell(f"  all well {outcome.well_after_s:.1f} s after the last fault was undone")


def _thaw_all(lab: Lab) -> None:
    for name in lab.state().machines:
        with suppress(NotPossibleNow):  # it is off
            lab.thaw(name)


def _power_on_all(lab: Lab) -> None:
    for name in lab.state().machines:
        if not lab.is_on(name):
            lab.power_on(name, "powered on after a round", wait=False)


_PUT_IN_ORDER: tuple[tuple[str, faults.Deed], ...] = (
    ("heal everything", lambda lab: lab.heal()),
    ("thaw every node", _thaw_all),
    ("power on every node", _power_on_all),
    ("the lab's daemon", lambda lab: lab.keep_daemon()),
)
