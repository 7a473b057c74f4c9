"""When is a probe red, and when is a VM restarted for it?"""

import pytest

from outlast.core.owner.probing import P, Probed, all_green, has_failed, heard
from outlast.model.guest import OnRed, Probe
from outlast.model.inside import Answer, Asked, Finding

PROBE = Probe("http", Asked.TCP, "192.0.2.1:80", threshold=2, on_red=OnRed.RESTART)
YES = Finding(Answer.YES)
NO = Finding(Answer.NO, "192.0.2.1:80 does not accept")
NOBODY = Finding(Answer.ABSENT)
PAUSED = Finding(Answer.NO, "no route", stands=True)


def after(*found: Finding, probe: Probe = PROBE) -> Probed:
    probed = Probed()
    for one in found:
        probed = heard(probed, one, probe)
    return probed


@pytest.mark.parametrize(
    ("found", "state", "fails"),
    [
        ((), P.AWAITED, False),
        ((YES,), P.GREEN, False),
        ((NO,), P.AWAITED, False),
        ((YES, NO), P.GREEN, False),
        ((YES, NO, NO), P.RED, True),
        ((YES, NO, NO, YES), P.GREEN, False),
        # What was never green is red, but restarting it again would help as little.
        ((NO, NO, NO, NO), P.RED, False),
        # An answer that nobody could give says nothing, and what stands still is not asked.
        ((YES, NOBODY, NOBODY, NOBODY), P.GREEN, False),
        ((YES, NO, NOBODY, NO), P.GREEN, False),
        ((YES, PAUSED, PAUSED, PAUSED), P.GREEN, False),
    ],
)
def test_it_is_red_after_so_many_bad_answers_in_a_row(found: tuple[Finding, ...], state: P, fails: bool) -> None:
    probed = after(*found)
    assert (probed.state, has_failed(probed, PROBE)) == (state, fails)


def test_one_that_only_reports_restarts_nothing() -> None:
    probe = Probe("http", Asked.TCP, "192.0.2.1:80", threshold=2)
    assert not has_failed(after(YES, NO, NO, probe=probe), probe)


def test_it_says_what_it_heard_while_that_is_not_well_and_never_too_much() -> None:
    assert after(YES, NO, NO).why == NO.why
    assert after(YES, NO).why == ""
    assert len(after(*[Finding(Answer.NO, "x" * 5000)] * 2).why) == 200


def test_what_has_probes_is_well_when_all_of_them_are() -> None:
    assert all_green([after(YES), after(YES)])
    assert not all_green([after(YES), after()])
    assert not all_green([])
