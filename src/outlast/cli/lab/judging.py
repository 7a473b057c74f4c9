"""Did a real cluster keep the invariants of `sim/checks.py`? Judged from what was seen of it, after each round.

Two things were seen: what was committed, in its order, and when which process ran. Between them stands what a real lab
cannot know exactly: at which revision the database was when a process began. Marks that are written five times a second
say between which two (`lab/ledger.py`), and a process ended between two looks (`lab/sightings.py`). That is the whole
tolerance: something counts as broken when it is at *every* moment at which it may have happened. While the database
answers nobody the marks are far apart, but then nothing is committed either.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from outlast.lab.ledger import Times
from outlast.lab.sightings import PermitSeen, Span
from outlast.lab.soak import Evidence
from outlast.ports.database import Batch
from outlast.sim.checks import Checks

CALLED_FOR_WITHIN_S = 1.0
"""A guest that ended was stopped for something that stood there at most so long before."""
KILLED_WITHIN_S = 2.0
"""A guest that the soak itself killed, or whose node it switched off, is gone so soon."""
STOPPED_WITHIN_S = 10.0
"""What a permit that has passed has ended is gone so soon, on a machine that is very busy."""
EXACT_S = 0.05
"""What the hundredths of a second of the kernel's own times, and the rounding of ours, may make."""


Key = tuple[str, int, float]


@dataclass(slots=True)
class Suspect:
    """Something that is right if it is at any revision of these."""

    from_revision: int
    to_revision: float
    at_s: float
    problem: Callable[[], str]
    words: str = ""


@dataclass(slots=True)
class Judge:
    commits: int = 0
    starts: int = 0
    ends: int = 0
    permits: int = 0
    passed_over: int = 0
    """Starts, ends and permits that could not be judged, because the history of their time was gone."""
    excused: int = 0
    """Starts on a node where the soak had kept hosts or libvirtd from working: they may have come through late."""
    _now_s: float = 0.0
    _revision: int = 0
    _checks: Checks = field(init=False)
    _suspects: list[Suspect] = field(default_factory=list)
    _started: set[Key] = field(default_factory=set)
    _ended: set[Key] = field(default_factory=set)
    _permits_seen: int = 0
    _permits_told: int = 0
    _broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begin()

    def __call__(self, seen: Evidence) -> Sequence[str]:
        """What was wrong with what was seen since the last time."""
        times = Times(seen.marks, seen.until_s)
        if seen.history.whole:
            self._forget(seen)
        else:
            self._suspect(seen, times)
        for batch in seen.history.batches:
            self._look(batch.revision, times)
            self._commit(batch, seen, times)
        self._look(self._revision + 1, times)
        broken, self._broken = self._broken, []
        return broken

    @property
    def summary(self) -> str:
        return (
            f"{self.commits} commits, {self.starts} starts ({self.excused} excused), {self.ends} ends and "
            f"{self.permits} permits; passed over: {self.passed_over}"
        )

    # --- what happened ----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._checks = Checks(now=lambda: self._now_s, with_policies=False)

    def _forget(self, seen: Evidence) -> None:
        """The history before is not known: neither is what anything rested on that began or ended meanwhile."""
        before = len(self._started) + len(self._ended) + self._permits_seen
        self._begin()
        self._started |= {_key(span) for span in seen.guests}
        self._ended |= {_key(span) for span in seen.guests if span.gone_s <= seen.until_s}
        self._permits_seen = self._permits_told = len(seen.permits)
        if self._revision:
            after = len(self._started) + len(self._ended) + self._permits_seen
            self.passed_over += after - before + len(self._suspects)
        self._suspects.clear()

    def _suspect(self, seen: Evidence, times: Times) -> None:
        """What began or ended before the last mark: the later ones wait for the next."""
        known_s = seen.marks[-1].sent_s if seen.marks else 0.0
        for span in seen.guests:
            if _key(span) not in self._started and span.from_s + EXACT_S <= known_s:
                self._started.add(_key(span))
                self.starts += 1
                if any(node == span.node and begin <= span.from_s <= end for node, begin, end in seen.hindered):
                    self.excused += 1
                else:
                    self._add(times, span.from_s - EXACT_S, span.from_s + EXACT_S, self._start_of(span))
            if _key(span) not in self._ended and span.gone_s + KILLED_WITHIN_S <= known_s:
                self._ended.add(_key(span))
                self.ends += 1
                if not _from_outside(span, seen):
                    from_s = span.until_s - CALLED_FOR_WITHIN_S
                    self._add(times, from_s, span.gone_s, self._end_of(span, seen))
        for permit in seen.permits[self._permits_seen :]:
            if permit.at_s > known_s:
                break
            self._permits_seen += 1
            self.permits += 1
            self._add(times, permit.after_s, permit.at_s, self._permit_of(permit))

    def _add(self, times: Times, from_s: float, until_s: float, problem: Callable[[], str]) -> None:
        self._suspects.append(Suspect(*times.revisions(from_s, until_s), until_s, problem))

    def _start_of(self, span: Span) -> Callable[[], str]:
        def problem() -> str:
            found = next(self._checks.start_problems(span.node, span.guest), None)
            return f"invariant {found[0]}: {found[1]}" if found else ""

        return problem

    def _end_of(self, span: Span, seen: Evidence) -> Callable[[], str]:
        permits = [one for one in seen.permits if one.node == span.node and one.at_s <= span.gone_s]
        passed = _passed(permits, span.gone_s)

        def problem() -> str:
            if passed or self._checks.called_for(span.node, span.guest):
                return ""
            return f"invariant 6: {span.guest} ended on {span.node}, and nothing called for it"

        return problem

    def _permit_of(self, permit: PermitSeen) -> Callable[[], str]:
        def problem() -> str:
            found = self._checks.permit_problem(permit.node, permit.until_s - EXACT_S)
            return f"invariant 7: {found}" if found else ""

        return problem

    # --- in the order of the commits ----------------------------------------------------------------------------------

    def _look(self, next_revision: int, times: Times) -> None:
        """At all that may have happened while the database stood as it does now, until its next commit."""
        left, next_s = [], times.of(next_revision)[1]
        for suspect in self._suspects:
            if suspect.from_revision >= next_revision:
                left.append(suspect)
                continue
            if suspect.to_revision >= self._revision:
                self._now_s = min(suspect.at_s, next_s)
                suspect.words = suspect.problem()
                if not suspect.words:
                    continue
            if suspect.to_revision >= next_revision:
                left.append(suspect)  # what comes may make it right
            elif suspect.words:
                self._broken.append(suspect.words)
        self._suspects = left

    def _commit(self, batch: Batch, seen: Evidence, times: Times) -> None:
        """With what was certainly so while it was committed, whenever exactly that was."""
        from_s, until_s = times.of(batch.revision)
        checks = self._checks
        self._now_s = until_s
        checks.copies = {}
        for span in seen.guests:
            if span.throughout(from_s, until_s):
                checks.copies.setdefault(span.guest, {})[span.node] = "the cluster"
        for life in checks.lives.values():
            life.on = False
        for span in seen.powers:
            if span.throughout(from_s, until_s):
                life = checks.life(span.node)
                life.on, life.on_since_s = True, span.from_s
        unarmed = {span.node for span in seen.unarmed if span.throughout(from_s, until_s)}
        checks.watchdog_counts = lambda node: node not in unarmed
        while self._permits_told < len(seen.permits) and seen.permits[self._permits_told].at_s <= from_s:
            permit = seen.permits[self._permits_told]
            checks.permit_seen(permit.node, permit.until_s - EXACT_S)
            self._permits_told += 1
        checks.committed(batch)
        self.commits += 1
        self._revision = batch.revision
        self._broken += self._found()

    def _found(self) -> Iterator[str]:
        """Two copies at once are the watcher's to see, who looks at them in one moment."""
        for found in self._checks.violations:
            yield f"invariant {found.rule}: {found.words}"
        self._checks.violations.clear()


def _key(span: Span) -> Key:
    return span.node, span.pid, span.from_s


def _passed(permits: Sequence[PermitSeen], ended_s: float) -> bool:
    """Had the node's permit passed shortly before? One that was extended afterwards calls back no stop."""
    for permit, after in itertools.zip_longest(permits, permits[1:]):
        over = permit.until_s <= ended_s + EXACT_S and (after is None or after.at_s > permit.until_s)
        if over and (after is None or ended_s - permit.until_s <= STOPPED_WITHIN_S):
            return True
    return False


def _from_outside(span: Span, seen: Evidence) -> bool:
    """Did its node lose power then, or was it killed on purpose?"""
    lost = any(
        power.node == span.node and span.until_s <= power.gone_s <= span.gone_s + KILLED_WITHIN_S
        for power in seen.powers
    )
    return lost or any(
        guest == span.guest and at_s <= span.gone_s <= at_s + KILLED_WITHIN_S for guest, at_s in seen.killed
    )
