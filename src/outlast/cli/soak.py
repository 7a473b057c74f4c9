"""outlast lab soak: random faults on a lab of its own, judged by the simulator's invariants and the lab's checker.

Here and not in the lab, which may not import its neighbour: the invariants are in `sim/checks.py`, once.
"""

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from outlast.lab.history import History
from outlast.lab.lab import Lab
from outlast.lab.soak import Soak
from outlast.sim.checks import Checks


class CommitJudge:
    """Judges each commit by itself: epochs only rise, nothing is given away without proof, and nobody's intent changes.

    What runs where is not told it; the watcher and the disks know that better.
    """

    def __init__(self) -> None:
        self._checks = Checks(now=lambda: 0.0)
        self.commits = 0

    def __call__(self, history: History) -> Sequence[str]:
        if history.whole:
            self._checks = Checks(now=lambda: 0.0)
        for batch in history.batches:
            self._checks.committed(batch)
        self.commits += len(history.batches)
        broken = [f"invariant {found.rule}: {found.words}" for found in self._checks.violations]
        self._checks.violations.clear()
        return broken


def run(
    *,
    name: str,
    minutes: float,
    seed: int | None,
    nodes: int,
    witness: bool,
    database: str,
    guests: int,
    node_timeout_s: float,
    first_round: int,
    keep: bool,
    logs: Path,
) -> int:
    """The exit code: 1 when something broke."""
    seed = seed if seed is not None else random.SystemRandom().randrange(1_000_000)
    began = time.monotonic()

    def tell(words: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)

    lab, judge = Lab(name), CommitJudge()
    options = f"--seed {seed} --nodes {nodes} {'--witness ' * witness}--database {database} --guests {guests}"
    tell(f"outlast lab soak --minutes {minutes:g} {options} --node-timeout-s {node_timeout_s:g}")
    lab.up(nodes, node_timeout_s=node_timeout_s, database=database, witness=witness)
    try:
        soak = Soak(lab, seed, guests, judge, tell)
        soak.prepare()
        rounds = soak.run(began + minutes * 60, first_round)
        broken = [words for one in rounds for words in one.violations]
        remarks = sum(len(one.remarks) for one in rounds)
        if broken:
            soak.keep_logs(logs)
            tell(f"logs, disks and events are kept in {logs}")
            tell(f"again: outlast lab soak {options} --round {rounds[-1].number}")
        slowest_s = max(one.well_after_s for one in rounds)
        tell(
            f"{len(rounds)} rounds, {sum(len(one.faults) for one in rounds)} faults, {judge.commits} commits judged, "
            f"{(time.monotonic() - began) / 60:.1f} minutes; slowest recovery {slowest_s:.1f} s; {remarks} remarks; "
            + (f"{len(broken)} VIOLATIONS" if broken else "no violation")
        )
        return 1 if broken else 0
    finally:
        sys.stdout.flush()
        if not keep:
            lab.down()
