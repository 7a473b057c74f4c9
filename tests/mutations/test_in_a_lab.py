"""What only real QEMUs can show: is it noticed when it is broken? Each in a process and a lab of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mutations.catalog import IN_A_LAB
from mutations.conftest import TABLE, row
from mutations.mutation import Mutation

HANG_S = 300
RUN = Path(__file__).parent / "run.py"


@pytest.mark.lab
@pytest.mark.parametrize("mutation", IN_A_LAB, ids=lambda mutation: mutation.name)
def test_the_lab_turns_red_when_a_rule_is_broken(
    mutation: Mutation, record_property: Callable[[str, object], None]
) -> None:
    done = subprocess.run(
        [sys.executable, RUN, "--json", mutation.name], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.stdout, done.stderr
    (result,) = json.loads(done.stdout)
    record_property(TABLE, row(mutation, result["found_by"]))
    assert result["found_by"], f"nobody noticed: {mutation.words}"
