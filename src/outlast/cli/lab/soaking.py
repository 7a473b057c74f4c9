"""outlast lab soak: random faults on a lab of its own, judged by the simulator's invariants and the lab's checker.

Here and not in the lab, which may not import its neighbour: the invariants are in `sim/checks.py`, once.
"""

import random
import sys
import time
from pathlib import Path

from outlast.cli.lab.judging import Judge
from outlast.lab.lab import Lab
from outlast.lab.soak import Soak


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

    lab, judge = Lab(name), Judge()
    options = f"--seed {seed} --nodes {nodes} {'--witness ' * witness}--database {database} --guests {guests}"
    tell(f"outlast lab soak --minutes {minutes:g} {options} --node-timeout-s {node_timeout_s:g}")
    lab.up(nodes, node_timeout_s=node_timeout_s, database=database, witness=witness)
    try:
        with Soak(lab, seed, guests, judge, tell) as soak:
            soak.prepare()
            rounds = soak.run(began + minutes * 60, first_round)
            broken = [words for one in rounds for words in one.violations]
            if broken:
                soak.keep_logs(logs)
                tell(f"logs, disks and events are kept in {logs}")
                tell(f"again: outlast lab soak {options} --round {rounds[-1].number}")
        slowest_s = max(one.well_after_s for one in rounds)
        tell(
            f"{len(rounds)} rounds, {sum(len(one.faults) for one in rounds)} faults, "
            f"{(time.monotonic() - began) / 60:.1f} minutes; slowest recovery {slowest_s:.1f} s; "
            + (f"{len(broken)} VIOLATIONS" if broken else "no violation")
        )
        tell(f"judged: {judge.summary}")
        tell(
            f"{len(soak.ledger.marks)} acknowledged writes read back; the history could not be read "
            f"{soak.unread} times, and was gone {soak.gone} times"
        )
        return 1 if broken else 0
    finally:
        sys.stdout.flush()
        if not keep:
            lab.down()
