"""fence_ipmilan and fence_redfish as they are, against real simulators of boards that switch a node of the lab."""

import pytest
from boards import PASSWORD, IpmiBoard, RedfishBoard

from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster, up
from outlast.model.answers import Finding, NodeFenced
from outlast.model.fence_answers import FenceAdded, FenceDeviceRow

pytest_plugins = ("fencing_fixtures",)
pytestmark = pytest.mark.lab
CALL_S = 120.0


@pytest.fixture(autouse=True)
def no_devices(cluster: LabCluster) -> None:
    """n1 has only those that a test gives it."""
    cluster.wait(lambda _: {"n1", "n2", "n3"} <= up(cluster.status("n2")), "n2 sees all of them")
    for row in cluster.client("n2").call("fence.list", {"node": "n1"}, type=list[FenceDeviceRow]):
        cluster.client("n2").call("fence.delete", {"node": "n1", "device": row.device}, type=str)


def add(cluster: LabCluster, device: str, agent: str, parameters: dict[str, str], **more: float) -> FenceAdded:
    given = {"node": "n1", "agent": agent, "device": device, "parameters": parameters, **more}
    return cluster.client("n2").call("fence.add", given, type=FenceAdded, timeout_s=CALL_S)


def add_both(cluster: LabCluster, ipmi: IpmiBoard, redfish: RedfishBoard, *, ipmi_s: float = 5.0) -> None:
    """Where the first does not work, it is not waited for as long as it may take by default."""
    assert add(cluster, "ipmi", "fence_ipmilan", ipmi.parameters, timeout_s=ipmi_s).test.power == "on"
    assert add(cluster, "redfish", "fence_redfish", redfish.parameters, level=2).test.power == "on"


def on_n1(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    assert cluster.owner("web", "n2") == "n1"


def moved(cluster: LabCluster) -> str:
    """Once web runs elsewhere, as n2 sees it: the words of the proof that n1 is dead."""

    def elsewhere(_: object) -> bool:
        row = cluster.group("web", "n2")
        return row.state == "online" and row.owner != "n1"

    cluster.wait(elsewhere, "web elsewhere", 120.0)
    return next(event.words for event in cluster.story("n2") if event.kind == "node-dead")


def told(cluster: LabCluster) -> list[str]:
    return [event.words for event in cluster.story("n2") if event.kind == "fence"]


def test_a_frozen_node_is_switched_off_by_ipmi_and_proven_dead(cluster: LabCluster, ipmi: IpmiBoard) -> None:
    add(cluster, "ipmi", "fence_ipmilan", ipmi.parameters)
    on_n1(cluster)
    cluster.lab.freeze("n1")
    assert moved(cluster) == "n1 is dead: ipmi confirmed: n1 is off"
    assert not cluster.lab.is_on("n1")


def test_a_frozen_node_is_switched_off_by_redfish_and_proven_dead(cluster: LabCluster, redfish: RedfishBoard) -> None:
    add(cluster, "redfish", "fence_redfish", redfish.parameters)
    on_n1(cluster)
    cluster.lab.freeze("n1")
    assert moved(cluster) == "n1 is dead: redfish confirmed: n1 is off"
    assert not cluster.lab.is_on("n1")


def test_a_board_that_died_with_its_host_is_followed_by_the_next_level(
    cluster: LabCluster, ipmi: IpmiBoard, redfish: RedfishBoard
) -> None:
    add_both(cluster, ipmi, redfish)
    on_n1(cluster)
    ipmi.kill()
    cluster.lab.power_off("n1")
    assert moved(cluster) == "n1 is dead: redfish confirmed: n1 is off"
    assert any(words.startswith("fencing n1: ipmi: ") for words in told(cluster))


def test_a_board_that_hangs_is_given_up_in_time(cluster: LabCluster, ipmi: IpmiBoard, redfish: RedfishBoard) -> None:
    add_both(cluster, ipmi, redfish)
    on_n1(cluster)
    ipmi.freeze()
    cluster.lab.freeze("n1")
    assert moved(cluster) == "n1 is dead: redfish confirmed: n1 is off"
    assert not cluster.lab.is_on("n1")


def test_a_board_that_lies_is_not_believed_while_the_node_answers(
    cluster: LabCluster, ipmi: IpmiBoard, redfish: RedfishBoard
) -> None:
    """n1 has lost the database, not the other nodes."""
    add_both(cluster, ipmi, redfish, ipmi_s=30.0)
    on_n1(cluster)
    ipmi.lie()
    for other in ("n2", "n3"):
        cluster.lab.cut("n1", other, plane="database")
    try:
        assert moved(cluster) == "n1 is dead: redfish confirmed: n1 is off"
    finally:
        cluster.lab.heal()
    assert "fencing n1: ipmi: it says that n1 is off, but n1 still answers: this is no proof" in told(cluster)
    assert not cluster.lab.is_on("n1")


def test_two_boards_of_one_level_must_both_confirm(cluster: LabCluster, ipmi: IpmiBoard, redfish: RedfishBoard) -> None:
    add(cluster, "ipmi", "fence_ipmilan", ipmi.parameters, timeout_s=8.0)
    add(cluster, "redfish", "fence_redfish", redfish.parameters, timeout_s=8.0)
    on_n1(cluster)
    redfish.freeze()
    cluster.lab.power_off("n1")
    cluster.wait(lambda _: any("fencing n1: redfish: " in words for words in told(cluster)), "redfish was tried")
    assert cluster.owner("web", "n2") == "n1", "one of two is no proof"
    assert any("web may still run there" in alarm for alarm in cluster.status("n2").alarms)
    redfish.thaw()
    assert moved(cluster) == "n1 is dead: ipmi confirmed: n1 is off; redfish confirmed: n1 is off"


def test_an_administrator_has_a_living_node_fenced_and_its_board_switches_it_on_again(
    cluster: LabCluster, ipmi: IpmiBoard
) -> None:
    add(cluster, "ipmi", "fence_ipmilan", ipmi.parameters)
    on_n1(cluster)
    with pytest.raises(ControlError, match="n1 is alive, and what runs there would be cut off"):
        cluster.call("node.fence", "n2", name="n1")
    cluster.call("cluster.set", "n2", values={"fence_action": "reboot"})
    try:
        fence = {"name": "n1", "alive": True}
        cluster.client("n2").call("node.fence", fence, type=NodeFenced, timeout_s=CALL_S)
        assert "ipmi confirmed: n1 is off" in moved(cluster)
        cluster.wait(lambda _: "n1" in up(cluster.status("n2")), "n1 is a member again")
    finally:
        cluster.call("cluster.set", "n2", values={"fence_action": "off"})
    assert cluster.lab.show()[0].why == "switched on by its BMC"
    assert cluster.owner("web", "n2") != "n1"


def test_a_wrong_password_is_found_out_before_it_is_needed_and_stands_nowhere(
    cluster: LabCluster, ipmi: IpmiBoard
) -> None:
    wrong = "it-is-not-this"
    given = {**ipmi.parameters, "password": wrong}
    with pytest.raises(ControlError, match="ipmi of n1 would not work") as refused:
        add(cluster, "ipmi", "fence_ipmilan", given)
    added = add(cluster, "ipmi", "fence_ipmilan", given, untested=True)
    assert added.test.problem
    findings = cluster.client("n2").call("validate", {}, type=list[Finding], timeout_s=CALL_S)
    assert "n1: ipmi" in [finding.about for finding in findings if finding.grave]
    words = [
        str(refused.value),
        added.test.problem,
        *(event.words for event in cluster.events("n2")),
        *(one.problem for one in findings),
    ]
    assert not any(secret in word for word in words for secret in (wrong, PASSWORD))
    for node in ("n1", "n2", "n3"):
        assert wrong not in cluster.lab.log(node, "outlastd")


def test_a_node_that_could_not_use_a_device_is_found_out_from_any_other(cluster: LabCluster, ipmi: IpmiBoard) -> None:
    add(cluster, "ipmi", "fence_ipmilan", ipmi.parameters)
    key, away = "/etc/outlast/secrets.key", "/var/tmp/secrets.key"
    cluster.lab.exec("n3", "mv", key, away)
    try:
        findings = cluster.client("n2").call("validate", {}, type=list[Finding], timeout_s=CALL_S)
    finally:
        cluster.lab.exec("n3", "mv", away, key)
    (found,) = [finding for finding in findings if finding.about == "n1: ipmi"]
    assert "this node has no /etc/outlast/secrets.key" in found.problem
    assert found.problem.endswith("(asked by n3)")
