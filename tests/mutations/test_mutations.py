"""A suite that stays green with a rule of safety taken out is not finished: each mutation must turn it red.

All of them are tried at once, each in a process of its own (`run.py`), which it breaks.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mutations.catalog import IN_A_LAB, MUTATIONS
from mutations.conftest import TABLE, row
from mutations.mutation import Mutation

HANG_S = 2400
RUN = Path(__file__).parent / "run.py"


@pytest.fixture(scope="session")
def results() -> dict[str, dict[str, Any]]:
    done = subprocess.run([sys.executable, RUN, "--json"], capture_output=True, text=True, timeout=HANG_S)
    assert done.stdout, done.stderr
    return {result["name"]: result for result in json.loads(done.stdout)}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_suite_turns_red_when_a_rule_is_broken(
    mutation: Mutation, results: dict[str, dict[str, Any]], record_property: Callable[[str, object], None]
) -> None:
    found_by = results[mutation.name]["found_by"]
    record_property(TABLE, row(mutation, found_by))
    assert found_by, f"nobody noticed: {mutation.words}"


def test_every_rule_of_safety_has_a_mutation() -> None:
    assert {mutation.rule for mutation in (*MUTATIONS, *IN_A_LAB)} == set(range(1, 14))


def test_names_are_given_once() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
