"""What did the cluster database acknowledge, and is all of it still there?

The soak's own book, kept outside of the database: the marks that were acknowledged (`lab/history.py`). Every one must
be found in the database later, under its revision (a committed write is never lost). And each says when it was made,
so that the commits between two marks have a time, too.
"""

import queue
import subprocess
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from outlast.lab import history, network
from outlast.lab.errors import LabError
from outlast.lab.history import History, Mark, Unread
from outlast.lab.lab import Lab

PATIENCE_S = 60.0
ADDRESS = "10.77.0.1/24"
"""Of the switch itself, where the process stands that reads and marks."""


class Ledger:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._marks: list[Mark] = []
        self._answers: queue.Queue[History | Unread] = queue.Queue()
        self._after = 0

    def __enter__(self) -> Self:
        paths = self._lab.paths
        network.in_switch(paths, "ip", "address", "replace", ADDRESS, "dev", "br0")
        node = paths.node(self._lab.state().nodes[0])
        command = [sys.executable, "-m", "outlast.lab.history", str(node.root)]
        self._log = (paths.root / "ledger.log").open("ab")
        self._process = subprocess.Popen(
            ["nsenter", f"--net={paths.network}", "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._log.close()

    @property
    def marks(self) -> Sequence[Mark]:
        """All that were acknowledged, in their order."""
        return tuple(self._marks)

    def read(self) -> tuple[History, Sequence[str]]:
        """What was committed since it was read last, and what was lost. Raises LabError: the next time it is more."""
        promised = self.marks
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{self._after}\n")
            self._process.stdin.flush()
            answer = self._answers.get(timeout=PATIENCE_S)
            while answer.after != self._after:  # it was asked for before, and took too long
                answer = self._answers.get(timeout=PATIENCE_S)
        except (OSError, queue.Empty):
            log = self._lab.paths.root / "ledger.log"
            raise LabError(f"the process that reads it does not answer; see {log}") from None
        if isinstance(answer, Unread):
            raise LabError(answer.why)
        missing = lost([one for one in promised if one.revision > self._after], answer)
        if answer.batches:
            self._after = answer.batches[-1].revision
        return answer, missing

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = history.decode(line)
            if isinstance(said, Mark):
                self._marks.append(said)
            else:
                self._answers.put(said)


def lost(promised: Sequence[Mark], found: History) -> list[str]:
    """What was acknowledged and is not there. Of a history that is gone the last mark is left: none may be newer."""
    there = set(found.marks)
    if found.whole:
        last = max(there, default=(0, 0))
        missing = [one for one in promised if (one.number, one.revision) > last]
    else:
        missing = [one for one in promised if (one.number, one.revision) not in there]
    return [f"mark {one.number}, acknowledged at revision {one.revision}, is not in the database" for one in missing]


@dataclass(frozen=True, slots=True)
class Times:
    """When was what committed? Between two marks; a time-out of theirs is all that is not known."""

    marks: Sequence[Mark]
    until_s: float
    """Nothing is known of what was later."""

    def of(self, revision: int) -> tuple[float, float]:
        """Not before, and not after."""
        before = bisect_left(self.marks, revision, key=lambda one: one.revision) - 1
        after = bisect_right(self.marks, revision, key=lambda one: one.revision)
        return (
            self.marks[before].sent_s if before >= 0 else 0.0,
            self.marks[after].acknowledged_s if after < len(self.marks) else self.until_s,
        )

    def revisions(self, from_s: float, until_s: float) -> tuple[int, float]:
        """What the database may have been at, at some moment of that time: from which revision to which."""
        before = bisect_right(self.marks, from_s, key=lambda one: one.acknowledged_s) - 1
        after = bisect_left(self.marks, until_s, key=lambda one: one.sent_s)
        return (
            self.marks[before].revision if before >= 0 else 0,
            self.marks[after].revision if after < len(self.marks) else float("inf"),
        )
