"""What the cluster holds back, and from whom, is among the alarms."""

import msgspec
import pytest

from build import group, incarnation, node, resource, session, silence, view
from outlast.core.coordinator.alarms import alarms
from outlast.model.guest import GuestCare, GuestStatus, OnHang, ProbeStatus
from outlast.model.node import ProofKind
from outlast.model.settings import Settings
from outlast.model.status import GroupStatus, ResourceStatus, State


def test_a_healthy_cluster_raises_none() -> None:
    assert alarms(view()) == ()


def test_a_quarantined_node_and_how_to_release_it() -> None:
    barred = msgspec.structs.replace(node("n3"), quarantined="it was lost 3 times within 1 h")
    (alarm,) = alarms(view(nodes=(node("n1"), node("n2"), barred)))
    assert "it was lost 3 times within 1 h" in alarm
    assert "`outlast node release n3`" in alarm


def test_whom_the_storm_guard_spares_as_long_as_that_is_so() -> None:
    spared = msgspec.structs.replace(node("n2"), spared="n2-life-1")
    nodes = (node("n1"), spared, node("n3"))
    settings = Settings(most_fenced=0)
    (alarm,) = alarms(view(nodes=nodes, silences=[silence("n2")], settings=settings))
    assert "n2 is silent and not fenced" in alarm
    assert "`outlast cluster release`" in alarm
    assert alarms(view(nodes=nodes, settings=settings)) == ()
    assert alarms(view(nodes=nodes, silences=[silence("n2", proof=ProofKind.OPERATOR)], settings=settings)) == ()
    assert alarms(view(nodes=nodes, silences=[silence("n2", life=2)], settings=settings)) == ()


def test_that_the_cluster_is_not_armed_comes_first() -> None:
    barred = msgspec.structs.replace(node("n3"), quarantined="it was lost 3 times within 1 h")
    first, second = alarms(view(nodes=(node("n1"), barred), settings=Settings(armed=False)))
    assert first.startswith("The cluster is not armed")
    assert second.startswith("n3 is quarantined")


HANGS = GuestStatus("hangs", came=True)
RED = GuestStatus("answers", came=True, probes={"http": ProbeStatus("red", "192.0.2.1:80 does not accept")})


@pytest.mark.parametrize(
    ("guest", "on_hang", "epoch", "found"),
    [
        (HANGS, OnHang.REPORT, 3, "hangs on n1, and it is not reset; `outlast vm set web on_hang=reset`"),
        (HANGS, OnHang.RESET, 3, "hangs on n1, and it is not reset; why not: `outlast events --group web`"),
        (RED, OnHang.REPORT, 3, "web is not well on n1: red is http (192.0.2.1:80 does not accept)"),
        (GuestStatus("does not answer, but works", came=True), OnHang.REPORT, 3, ""),
        (None, OnHang.REPORT, 3, ""),
        (HANGS, OnHang.REPORT, 2, ""),  # an old report says nothing
    ],
)
def test_guests_that_hang_or_are_not_well(guest: GuestStatus | None, on_hang: OnHang, epoch: int, found: str) -> None:
    web = group("web")
    said = GroupStatus("web", "n1", incarnation("n1"), epoch, {"web": ResourceStatus(State.ONLINE, guest=guest)})
    vm = resource("web", guest=GuestCare(on_hang=on_hang))
    seen = view(web, nodes=(node("n1"),), sessions=[session("n1")], statuses=[said], resources=[vm])
    assert [alarm for alarm in alarms(seen) if found and found in alarm] == list(alarms(seen))
    assert bool(alarms(seen)) is bool(found)
