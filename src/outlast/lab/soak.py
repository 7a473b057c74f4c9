"""Does a real cluster keep its promises under random faults? Rounds of them on a lab, each judged from outside.

A round: all is well; some faults, drawn from the seed and the round's number alone; all of them undone; then everything
must be online again within a bound. Judged by the processes of all nodes (all the time), by the beacons' disks, and by
each commit to the cluster database. QEMU's image lock is off (rule 5).
"""

import heapq
import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from outlast.client.control import ControlError
from outlast.lab import faults, history
from outlast.lab.checker import Finding, Writers
from outlast.lab.cluster import LabCluster, up
from outlast.lab.errors import LabError, NotPossibleNow
from outlast.lab.lab import Lab
from outlast.model.answers import ClusterStatus

Tell = Callable[[str], None]
Judge = Callable[[history.History], Sequence[str]]
"""Gets what was committed since it was asked last, and says what was wrong with it."""

WELL_WITHIN_S = 240.0
"""After the last fault was undone. A bound that catches what never comes back; this machine may be slow."""
GROWN_UP_S = 16.0
"""A service that has just started promises nothing: that alone would be a reason to stop."""


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
        self._revision = 0

    def prepare(self) -> None:
        self.cluster.wait_for_members(within_s=WELL_WITHIN_S)
        for guest in self.guests:
            # A guest that is killed in each round must not be given up for it.
            self.cluster.protect("beacon", guest, wait=False, failover_threshold=10_000)
        self._wait_until_well()
        self._read_history()

    def run(self, until: float, first_round: int = 1) -> list[Round]:
        """Rounds until that moment of the monotonic clock. Ends with the first that breaks something."""
        rounds = []
        with self._lab.watcher() as watcher, Writers(self._lab.paths.images) as writers:
            for number in itertools.count(first_round):
                rounds.append(self._round(number, lambda: (*watcher.findings, *writers.findings)))
                if rounds[-1].violations or time.monotonic() > until:
                    return rounds
        raise AssertionError("not reached")

    def keep_logs(self, place: Path) -> None:
        """What a person needs to understand a failure."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy(self._lab.paths.daemon_log, place)
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

    def _round(self, number: int, findings: Callable[[], Sequence[Finding]]) -> Round:
        state = self._lab.state()
        random = Random(f"{self.seed}/{number}")
        drawn = faults.draw_round(random, state.nodes, state.witnesses, self.guests, etcd=state.database == "etcd")
        outcome = Round(number, drawn)
        self._tell(f"round {number} (seed {self.seed})")
        # One fault alone that calls for nothing: then nothing may happen to any VM (rules 7 and 11).
        harmless = len(drawn) == 1 and not drawn[0].fault.touches_vms
        if harmless:
            time.sleep(GROWN_UP_S)
        before = self._processes()
        self._play(drawn)
        try:
            outcome.well_after_s = self._wait_until_well()
        except LabError as error:
            outcome.violations.append(f"not well {WELL_WITHIN_S:.0f} s after the last fault: {error}")
        outcome.violations += [f"{found.guest}: {found.words}" for found in (*findings(), *self._lab.check_disks())]
        try:
            outcome.violations += self._judge(self._read_history())
        except LabError as error:
            outcome.remarks.append(f"the database's history could not be read: {error}")
        if harmless:
            moved = sorted(guest for guest, running in self._processes().items() if running != before.get(guest))
            outcome.violations += [f"{guest} was started again, and no fault called for it" for guest in moved]
        self._tell_verdict(outcome)
        return outcome

    def _play(self, drawn: Sequence[faults.Timed]) -> None:
        """Each fault at its time, and each undone at its own; whatever is out of order then is put in order."""
        order = itertools.count()
        deeds: list[tuple[float, int, str, faults.Deed]] = []
        for timed in drawn:
            words, until_s = timed.fault.words, timed.at_s + timed.lasts_s
            lasting = f", for {timed.lasts_s:g} s" if timed.fault.undo else ""
            heapq.heappush(deeds, (timed.at_s, next(order), f"{words}{lasting}", timed.fault.do))
            if timed.fault.undo:
                heapq.heappush(deeds, (until_s, next(order), f"no more: {words}", timed.fault.undo))
        began = time.monotonic()
        while deeds:
            at_s, _, words, deed = heapq.heappop(deeds)
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            self._do(f"  {time.monotonic() - began:5.1f} s  {words}", deed)
        for words, deed in _PUT_IN_ORDER:
            self._do(f"  {words}", deed, quietly=True)

    def _do(self, words: str, deed: faults.Deed, *, quietly: bool = False) -> None:
        problem = ""
        try:
            deed(self._lab)
        except (LabError, OSError) as error:
            problem = f" (not possible: {error})"
        if problem or not quietly:
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

    def _read_history(self) -> history.History:
        node = next(name for name in self._lab.state().nodes if self._lab.is_on(name))
        said = self._lab.exec(node, "python3", "-m", "outlast.lab.history", str(self._revision))
        found = history.decode(said.splitlines())
        if found.batches:
            self._revision = found.batches[-1].revision
        return found

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
