"""How are many seeds played, on one core or several, and what is told about them?"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outlast.sim.bugs import Bug
from outlast.sim.seeds import Outcome, Size, play_seed


@dataclass(frozen=True, slots=True)
class Timed:
    outcome: Outcome
    took_s: float


@dataclass(frozen=True, slots=True)
class Task:
    seed: int
    size: Size
    bugs: frozenset[Bug] = frozenset()


def play_seeds(
    seeds: Sequence[int], size: Size, *, jobs: int = 1, bugs: frozenset[Bug] = frozenset()
) -> Iterator[Timed]:
    """Each as soon as it is done; on one core in order. A seed depends on nothing but its number and the size."""
    yield from play_all([Task(seed, size, bugs) for seed in seeds], jobs=jobs)


def play_all(tasks: Sequence[Task], *, jobs: int = 1) -> Iterator[Timed]:
    if jobs <= 1:
        yield from map(_play, tasks)
        return
    # Spawned, not forked: a child starts with nothing of its parent's loops and locks.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_play, tasks, chunksize=4)


def _play(task: Task) -> Timed:
    began = time.perf_counter()
    outcome = play_seed(task.seed, task.size, task.bugs)
    return Timed(outcome, time.perf_counter() - began)
