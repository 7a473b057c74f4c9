"""How severe each kind of event is, in the code and in the docs alike."""

import re
from pathlib import Path

from outlast.core.notices.severity import SEVERITIES, at_least, severity_of
from outlast.model.event import KINDS
from outlast.model.notice import Severity

PAGE = Path(__file__).parents[2] / "docs" / "notices.md"


def test_every_kind_of_event_has_a_severity() -> None:
    assert set(SEVERITIES) == set(KINDS)


def test_the_docs_tell_the_same() -> None:
    rows = re.findall(r"^\| `(info|warning|critical)` \| (.+?) \|", PAGE.read_text(), re.MULTILINE)
    told = {kind: Severity(name) for name, kinds in rows for kind in re.findall(r"`([a-z-]+)`", kinds)}
    assert told == SEVERITIES


def test_what_nobody_knows_yet_is_not_kept_quiet() -> None:
    assert severity_of("of a newer version") is Severity.WARNING


def test_severities_have_an_order() -> None:
    assert at_least(Severity.CRITICAL, Severity.WARNING)
    assert at_least(Severity.WARNING, Severity.WARNING)
    assert not at_least(Severity.INFO, Severity.WARNING)
