"""Does the suite notice each mutation? Prints the table; ends non-zero when one goes unnoticed.

    python tests/mutations/run.py [NAME ...] [--json] [--seeds N] [--everything]

Each mutation gets a process of its own, forked before any test was imported, and the test that must turn red by it.
`--seeds N`: random faults of the simulator too, until one finds it. `--everything`: all examples instead of the one.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS)]  # the mutations, and the builders of the tests

import hypothesis  # noqa: E402, F401  # pytest loads it in every process, unless it is there: two thirds of the time of most
import pytest  # noqa: E402

from mutations.catalog import IN_A_LAB, MUTATIONS  # noqa: E402
from mutations.mutation import Mutation  # noqa: E402
from mutations.policies import POLICIES  # noqa: E402
from outlast.service import node  # noqa: E402, F401  # all of the service is there before anything is broken
from outlast.sim import commands, seeds  # noqa: E402

EVERYTHING = ("core", "service", "scenarios")
SIZE = seeds.Size(nodes=3, vms=6, minutes=4)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    name: str
    rule: int
    words: str
    found_by: Sequence[str]
    """Tests that turned red."""
    seeds: int | None
    """How many seeds it took; None: not asked, or not found by so many."""
    took_s: float


class _Failed:
    """A pytest plugin that notes what turned red."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names.append(report.nodeid.split("/")[-1])


def examine(mutation: Mutation | None, where: Sequence[str], most_seeds: int) -> Result:
    """With no mutation: is all of this green?"""
    began = time.monotonic()
    found_by, found_after = in_a_process_of_its_own(lambda: _break_and_look(mutation, where, most_seeds))
    named = mutation or Mutation("nothing", 0, "nothing is broken", "", lambda: None)
    return Result(named.name, named.rule, named.words, found_by, found_after, time.monotonic() - began)


def _break_and_look(mutation: Mutation | None, where: Sequence[str], most_seeds: int) -> tuple[list[str], int | None]:
    if mutation is not None:
        mutation.apply()
    failed = _Failed()
    paths = [str(TESTS / path) for path in where]
    options = [
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(TESTS.parent),
        "-c",
        str(TESTS.parent / "pyproject.toml"),
    ]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main([*options, *paths], plugins=[failed])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest could not run {where}: {code!r}")
    found_after = next((seed + 1 for seed in range(most_seeds) if _breaks(seed)), None)
    return failed.names, found_after


def _breaks(seed: int) -> bool:
    try:
        return bool(seeds.play_seed(seed, SIZE).broken)
    except commands.BadCommand:
        return False


def in_a_process_of_its_own(work: Callable[[], tuple[list[str], int | None]]) -> tuple[list[str], int | None]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = json.dumps(work())
        except BaseException as error:  # noqa: BLE001  # told to the parent, which raises it
            answer = json.dumps({"error": repr(error)})
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = json.loads(pipe.read() or "{}")
    os.waitpid(child, 0)
    if not isinstance(said, list):
        raise RuntimeError(f"the process of a mutation ended with: {said}")
    return said[0], said[1]


def main() -> int:
    options = argparse.ArgumentParser(description="Does the suite notice each mutation?")
    options.add_argument("names", nargs="*", help="only these")
    options.add_argument("--json", action="store_true")
    options.add_argument("--seeds", type=int, default=0, help="how many seeds of the simulator to try for each")
    options.add_argument("--everything", action="store_true", help="all examples, until one turns red")
    given = options.parse_args()
    chosen = [one for one in (*MUTATIONS, *POLICIES) if not given.names or one.name in given.names]
    chosen += [one for one in IN_A_LAB if one.name in given.names]
    results = []
    for mutation in chosen:
        where = EVERYTHING if given.everything else (mutation.shown_by,)
        results.append(examine(mutation, where, given.seeds))
        if not given.json:
            _print_row(results[-1], given.seeds)
    if given.json:
        print(json.dumps([dataclasses.asdict(result) for result in results]))
    unnoticed = [result.name for result in results if not result.found_by]
    if unnoticed:
        print(f"unnoticed: {', '.join(unnoticed)}", file=sys.stderr)
    return 1 if unnoticed else 0


def _print_row(result: Result, most_seeds: int) -> None:
    found = result.found_by[0] if result.found_by else "NOBODY"
    after = "" if not most_seeds else f"  seeds: {result.seeds or f'not in {most_seeds}'}"
    print(f"rule {result.rule:2}  {result.name:28} {result.words}\n         found by {found}{after}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
