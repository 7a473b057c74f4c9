"""Which rule for notices fits which event."""

import pytest
from notice_builders import AT_S, event, rule

from outlast.core.notices.matching import STALE_S, fits
from outlast.model.event import Event
from outlast.model.notice import NoticeRule, Severity

WEB = event(kind="failed", group="web", about="n2")


@pytest.mark.parametrize(
    ("asked", "told", "expected"),
    [
        (rule(), WEB, True),
        (rule(severity=Severity.CRITICAL), WEB, True),
        (rule(severity=Severity.WARNING), event(kind="online"), False),
        (rule(kinds=("failed", "online")), WEB, True),
        (rule(kinds=("online",)), WEB, False),
        (rule(groups=("web",)), WEB, True),
        (rule(groups=("db",)), WEB, False),
        (rule(nodes=("n2",)), WEB, True),
        (rule(nodes=("n1",)), WEB, True),  # it happened there
        (rule(nodes=("n3",)), WEB, False),
        (rule(groups=("db",), nodes=("n2",)), WEB, True),  # either will do
        (rule(groups=("web",), severity=Severity.CRITICAL), event(kind="online", group="web"), False),
    ],
)
def test_a_rule_fits_what_it_was_made_for(asked: NoticeRule, told: Event, expected: bool) -> None:
    assert fits(asked, told, AT_S) is expected


def test_what_is_older_than_a_day_is_no_news_and_a_clock_that_is_slow_keeps_nothing_quiet() -> None:
    assert not fits(rule(), WEB, AT_S + STALE_S + 1)
    assert fits(rule(), WEB, AT_S + STALE_S - 1)
    assert fits(rule(), WEB, AT_S - 3600)
