"""How long does the simulator take for a seed, and how much of that is its event loop?

Prints one JSON line per figure. `python bench/simulator.py [SEEDS]`: that many seeds of 3 nodes and 10 VMs, 10
simulated minutes each, on one core. The goal: 1,000 seeds in at most 300 s.
"""

import asyncio
import json
import statistics
import sys
import time

from outlast.sim.campaign import play_seeds
from outlast.sim.loop import SimLoop
from outlast.sim.seeds import Size

ROUNDS = 200_000
GOAL_S_PER_SEED = 0.3


def main(count: int) -> None:
    loop_overhead()
    seeds(count)


def loop_overhead() -> None:
    """One callback from its `call_soon` to its end; one timer from its setting to its end."""

    async def spin() -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(0)

    async def sleep() -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(1.0)

    for name, main in (("switch of a task", spin), ("sleep", sleep)):
        loop = SimLoop()
        began = time.process_time()
        loop.run_until_complete(main())
        tell(f"simulated loop: {name}", round((time.process_time() - began) / ROUNDS * 1e6, 2), "us")
        loop.close()


def seeds(count: int) -> None:
    cpu_began = time.process_time()
    played = list(play_seeds(range(count), Size()))
    cpu_s = time.process_time() - cpu_began
    failed = [timed.outcome.seed for timed in played if timed.outcome.broken]
    took_s = [timed.took_s for timed in played]
    tell(f"{count} seeds of 3 nodes, 10 VMs, 10 minutes: wall clock", round(sum(took_s), 1), "s", failed=failed)
    tell(f"{count} seeds: processor time", round(cpu_s, 1), "s", goal=round(GOAL_S_PER_SEED * count, 1))
    tell("a seed: median", round(statistics.median(took_s), 3), "s", longest=round(max(took_s), 3))


def tell(figure: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"figure": figure, "value": value, "unit": unit, **more}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
