"""How does a group go offline, or to another node, when nobody has said how?"""

import pytest

from build import group, session, view
from outlast.core.coordinator import going_off, handing_over
from outlast.model.group import AWAY, Stop
from outlast.model.node import Offer
from outlast.model.policy import OfflineAction

NODES = ("n1", "n2", "n3")
SAVES = (Offer("vm", functions=("migrate", "save")),)
ABLE = (Offer("vm", functions=("migrate",)),)


@pytest.mark.parametrize(
    ("policy", "live", "saves", "goes"),
    [
        (OfflineAction.SHUTDOWN, True, True, Stop.LIVE),
        (OfflineAction.SAVE, True, True, Stop.LIVE),
        (OfflineAction.SAVE, False, True, Stop.SAVE),
        (OfflineAction.SAVE, False, False, Stop.SHUTDOWN),
        (OfflineAction.SHUTDOWN, False, True, Stop.SHUTDOWN),
        (OfflineAction.TURN_OFF, False, True, Stop.TURN_OFF),
    ],
)
def test_it_goes_live_if_it_can_else_as_its_policy_says(
    policy: OfflineAction, live: bool, saves: bool, goes: Stop
) -> None:
    web = group("web", offline_action=policy)
    offers = SAVES if saves else ABLE
    sessions = [session(name, offers=offers, migration="lab" if live else "") for name in NODES]
    assert handing_over.how(web, "n2", view(web, sessions=sessions)) is goes
    if policy is OfflineAction.SAVE and saves:
        assert handing_over.how(web, AWAY, view(web, sessions=sessions)) is Stop.SAVE


def test_why_nothing_of_a_group_can_be_saved_is_said() -> None:
    web = group("web")
    assert going_off.why_not_saved(web, view(web, sessions=[session("n1", offers=SAVES)])) == ""
    unable = view(web, sessions=[session("n1", offers=ABLE)])
    assert going_off.why_not_saved(web, unable) == "vm cannot be saved on n1"
    assert going_off.why_not_saved(web, view(web, sessions=[])) == "n1 does not run it now"
