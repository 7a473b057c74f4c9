"""Would the judges of a soak notice on a real lab, too? A fence device that lies is something that they must see.

Nothing protects from one whose node nobody hears (docs/safety.md), so a soak draws none.
"""

import pytest

from lab.conftest import Labs
from outlast.cli.lab.judging import Judge
from outlast.lab.bmc import Fault as BmcFault
from outlast.lab.faults import Fault, Timed
from outlast.lab.soak import Soak

pytestmark = pytest.mark.lab


def test_a_proof_of_death_that_is_not_true_is_seen_in_a_real_lab(labs: Labs) -> None:
    lab = labs("judged", nodes=3, database="etcd", watchdog=False)
    told: list[str] = []
    judge = Judge()
    with Soak(lab, 1, 3, judge, told.append) as soak:
        soak.prepare()
        victim = soak.cluster.owner("web1")
        quiet = soak.play(1, [])
        lies = Fault("lie", lambda lab: lab.set_bmc_fault(victim, BmcFault.LIE), None, True)
        frozen = Fault("freeze", lambda lab: lab.freeze(victim), lambda lab: lab.thaw(victim), True, hinders=victim)
        outcome = soak.play(2, [Timed(lies, 0.0, 0.0), Timed(frozen, 0.1, 20.0)])
    assert quiet.violations == []
    assert judge.commits > 50
    assert judge.permits > 50
    words = " ".join(outcome.violations)
    assert f"invariant 3: {victim} is called dead" in words, (outcome.violations, told)
    assert "runs 2 times at once" in words
