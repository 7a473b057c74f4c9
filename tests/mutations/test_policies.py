"""Would the simulator's invariants notice if a policy were not kept? Each is broken on purpose (`policies.py`), in a
process of its own, and the scenario that shows the policy is played: its invariant must break, whatever its log says.
"""

from pathlib import Path

import pytest

from mutations.mutation import Mutation
from mutations.policies import POLICIES
from mutations.run import in_a_process_of_its_own
from outlast.sim.scenario import read
from outlast.sim.seeds import play_script

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("mutation", POLICIES, ids=lambda mutation: mutation.name)
def test_an_invariant_breaks_when_a_policy_is_not_kept(mutation: Mutation) -> None:
    lines = [line for block in read((TESTS / mutation.shown_by).read_text()) for line in block.commands]
    script = lines if lines[0].startswith("world") else ["world", *lines]

    def broken() -> tuple[list[str], int | None]:
        mutation.apply()
        return list(play_script(script)), None

    found, _ = in_a_process_of_its_own(broken)
    assert any(f"invariant {mutation.rule}:" in words for words in found), found
