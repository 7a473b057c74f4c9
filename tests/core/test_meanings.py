"""Each setting says what it means."""

from outlast.core import meanings
from outlast.service.commands import group_settings, resource_settings, setting_rows, settings


def test_every_setting_has_a_meaning_and_no_other_has_one() -> None:
    assert {*meanings.OF_THE_CLUSTER} == {*settings.SETTINGS, *setting_rows.FIXED}
    assert {*meanings.OF_A_GROUP} == {*group_settings.SETTINGS}
    assert {*meanings.OF_A_RESOURCE} == {*resource_settings.SETTINGS}
