"""An address goes where its group goes, and the others on its link know it at once."""

from collections.abc import Iterator

import pytest

from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab

GROUP = "front"
IPV4, IPV6 = "10.77.0.200", "fd77::200"


@pytest.fixture
def front(cluster: LabCluster) -> Iterator[LabCluster]:
    """A group on n1 with an address of either kind, made by command."""
    outlast(cluster, "group", "create", GROUP, "preferred_owners=n1")
    outlast(cluster, "resource", "create", "ip4", "ip_address", GROUP, "--property", f"address={IPV4}")
    outlast(
        cluster, "resource", "create", "ip6", "ip_address", GROUP,
        "--property", f"address={IPV6}/64", "--property", "interface=eth0",
    )  # fmt: skip
    for node in cluster.lab.state().nodes:
        cluster.lab.exec(node, "ip", "address", "replace", f"fd77::{node[1:]}/64", "dev", "eth0", "nodad")
    outlast(cluster, "group", "online", GROUP)
    yield cluster
    for node in cluster.lab.state().nodes:
        if not cluster.lab.is_on(node):
            cluster.lab.power_on(node)
    cluster.wait_for_members()
    outlast(cluster, "group", "offline", GROUP)
    outlast(cluster, "group", "delete", GROUP, "--with-resources")


def outlast(cluster: LabCluster, *words: str, node: str = "n2") -> str:
    return cluster.lab.exec(node, "outlast", *words)


def holders(cluster: LabCluster, address: str) -> list[str]:
    """The nodes that have it, by what `ip` says on each."""
    nodes = [node for node in cluster.lab.state().nodes if cluster.lab.is_on(node)]
    return [node for node in nodes if f" {address}/" in cluster.lab.exec(node, "ip", "address", "show", "dev", "eth0")]


def mac_known(cluster: LabCluster, node: str, address: str) -> str:
    """What a node believes to be the hardware address that belongs to it."""
    words = cluster.lab.exec(node, "ip", "neigh", "show", address).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def mac_of(cluster: LabCluster, node: str) -> str:
    return cluster.lab.exec(node, "cat", "/sys/class/net/eth0/address").strip()


def assert_served_by(cluster: LabCluster, owner: str, seen_from: str) -> None:
    for address in (IPV4, IPV6):
        assert holders(cluster, address) == [owner]
        assert mac_known(cluster, seen_from, address) == mac_of(cluster, owner), "it was told who has it now"
        cluster.lab.exec(seen_from, "ping", "-c", "1", "-W", "5", address)


def reach(cluster: LabCluster, node: str) -> None:
    """From then on the node knows who has the addresses."""
    for address in (IPV4, IPV6):
        cluster.lab.exec(node, "ping", "-c", "1", "-W", "5", address)


def test_a_planned_move_takes_both_addresses_along_and_the_neighbours_know(front: LabCluster) -> None:
    assert front.owner(GROUP) == "n1"
    reach(front, "n3")
    outlast(front, "group", "move", GROUP, "--to", "n2")
    assert_served_by(front, "n2", seen_from="n3")


def test_after_a_power_cut_another_node_has_both_and_the_neighbours_know(front: LabCluster) -> None:
    for node in ("n2", "n3"):
        reach(front, node)
    front.lab.power_off("n1")
    status = front.wait(lambda s: s.groups[0].owner != "n1" and s.groups[0].state == "online", "it is elsewhere")
    owner = status.groups[0].owner
    assert_served_by(front, owner, seen_from="n3" if owner == "n2" else "n2")


def test_an_address_that_somebody_deletes_goes_to_another_node_and_the_reason_is_told(front: LabCluster) -> None:
    front.lab.exec("n1", "ip", "address", "delete", f"{IPV4}/32", "dev", "eth0")
    front.wait(lambda s: s.groups[0].owner != "n1" and s.groups[0].state == "online", "it is elsewhere")
    assert any(f"somebody deleted {IPV4} from eth0" in event.words for event in front.story())
    assert holders(front, IPV6) == [front.owner(GROUP)]


def test_an_address_that_another_machine_has_is_not_brought_online_anywhere(front: LabCluster) -> None:
    outlast(front, "group", "offline", GROUP)
    front.lab.exec("n3", "ip", "address", "add", f"{IPV4}/24", "dev", "eth0")
    try:
        refused = front.lab.run("n2", "outlast", "group", "online", GROUP, "--wait", "30")
        assert refused.returncode == 1
        words = " ".join(outlast(front, "group", "show", GROUP).split())  # however it is broken into lines
        assert "has 10.77.0.200 already" in words
        assert holders(front, IPV4) == ["n3"]
    finally:
        front.lab.exec("n3", "ip", "address", "delete", f"{IPV4}/24", "dev", "eth0")
