"""While the cluster is not armed everybody is told, and whom it concerns already."""

import msgspec

from build import group, observed, silence, view
from outlast.core.coordinator import arming
from outlast.model.group import Wanted
from outlast.model.settings import Settings

DISARMED = Settings(armed=False)


def test_nothing_is_said_while_it_is_armed() -> None:
    assert arming.notice(Settings()) == ""
    assert arming.alarms(view(silences=[silence("n2")])) == []


def test_what_it_means_and_how_to_end_it_is_said_while_it_is_not() -> None:
    (alarm,) = arming.alarms(view(group("web"), settings=DISARMED))
    assert alarm == arming.notice(DISARMED)
    assert "nothing is fenced, moved or restarted" in alarm
    assert "`outlast cluster set armed=yes`" in alarm


def test_the_alarm_names_what_is_started_nowhere_because_of_it() -> None:
    groups = (group("web", on="n2"), group("db", on="n3"), group("off", on="n3", wanted=Wanted.OFFLINE))
    seen = view(*groups, settings=DISARMED, observed=observed(silent_s={"n3": 9.0}))
    (alarm,) = arming.alarms(msgspec.structs.replace(seen, silences={"n2": silence("n2")}))
    assert "n2 is silent, and web is started nowhere else" in alarm
    assert "n3 is silent, and db is started nowhere else" in alarm
    assert "off" not in alarm.partition(". ")[2]


def test_a_silent_node_that_owns_nothing_concerns_nobody() -> None:
    seen = view(settings=DISARMED, observed=observed(silent_s={"n3": 9.0}))
    assert arming.alarms(seen) == [arming.notice(DISARMED)]
