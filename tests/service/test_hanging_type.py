"""A type whose every call hangs, and one beside it, in real resource hosts."""

import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench/plugin_hang.py"
GOAL_MS = 50.0
BUSY_MS = 1000.0
"""What a machine that has much else to do may take for one call of many: a host needs that long to start then."""


def test_a_type_whose_every_call_hangs_delays_is_alive_of_another_type_by_less_than_50_ms() -> None:
    done = subprocess.run(
        [sys.executable, BENCH, "plain"],
        env={**os.environ, "SECONDS": "12"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    figures = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    alone, beside, delay = figures
    assert beside["asked"] == alone["asked"] > 100
    assert beside["hosts_started"] >= 2, "the one that hangs was replaced, and got a host of its own"
    assert delay["median"] < GOAL_MS
    assert delay["worst"] < BUSY_MS
