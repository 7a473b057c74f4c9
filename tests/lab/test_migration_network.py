"""Live migrations over a second network between the nodes, with TLS: it goes there, certificates prove the addresses in
it, and where that network is lost it goes over the other one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from lab.guarded import Guarded
from outlast.lab.errors import LabError
from outlast.lab.lab import Lab
from outlast.lab.network import in_switch
from outlast.lab.node import init_pid
from outlast.model.answers import ClusterSettings, Finding

pytestmark = pytest.mark.lab
WITHIN_S = 120.0
NETWORK = "10.78.0.0/24"
MIB = 1024 * 1024


def address(node: str) -> str:
    return f"10.78.0.{10 + int(node[1:])}"


@contextmanager
def second_network(lab: Lab) -> Iterator[None]:
    """A switch of its own, and a card in each node. A node that is switched off loses its card."""
    in_switch(lab.paths, "ip", "link", "add", "name", "br1", "type", "bridge")
    try:
        in_switch(lab.paths, "ip", "link", "set", "br1", "up")
        for node in lab.state().nodes:
            init = str(init_pid(lab.node(node)))
            port = f"{node}b"
            in_switch(
                lab.paths, "ip", "link", "add", "name", port, "type", "veth", "peer", "name", "eth1", "netns", init
            )
            in_switch(lab.paths, "ip", "link", "set", port, "master", "br1", "up")
            lab.exec(node, "ip", "address", "add", f"{address(node)}/24", "dev", "eth1")
            lab.exec(node, "ip", "link", "set", "eth1", "up")
        yield
    finally:
        for node in lab.state().nodes:
            with suppress(LabError):
                in_switch(lab.paths, "ip", "link", "delete", f"{node}b")
        in_switch(lab.paths, "ip", "link", "delete", "br1")


def test_migrations_go_over_their_own_network_by_tls_and_over_the_other_one_where_it_is_lost(guarded: Guarded) -> None:
    cluster = guarded("quorum", nodes=3, database="etcd")
    lab = cluster.lab
    source, to, third = lab.state().nodes

    def sent(node: str, card: str) -> int:
        return int(lab.exec(node, "cat", f"/sys/class/net/{card}/statistics/tx_bytes"))

    def proves(node: str, asker: str) -> bool:
        known = f"qemu+tls://{address(node)}/system?no_sanity=1&pkipath=/etc/outlast/migration"
        return lab.run(asker, "virsh", "-c", known, "list").returncode == 0

    def outside() -> list[str]:
        findings = cluster.client(third).call("validate", {}, type=list[Finding])
        return [one.about for one in findings if "migration network" in one.problem]

    def goes(there: str) -> str:
        cluster.call("group.move", third, name="lin", to=there, stop="live")
        cluster.wait(lambda _: cluster.running().get("lin") == [there], f"it goes to {there}", WITHIN_S)
        cluster.wait_online("lin", within_s=WITHIN_S)
        return [event.words for event in cluster.story() if event.kind == "handed-over"][-1]

    with second_network(lab):
        lab.exec(third, "ip", "link", "set", "eth1", "down")
        heard = cluster.client(third).call(
            "cluster.set", {"values": {"migration_network": NETWORK}}, type=ClusterSettings
        )
        try:
            assert f"{third} is not in the migration network: it has no address in {NETWORK}" in heard.warnings
            lab.wait(lambda: outside() == [third], WITHIN_S, "the two others have told their addresses")
            lab.wait(lambda: proves(source, to) and proves(to, source), WITHIN_S, "libvirt proves the new addresses")
            cluster.protect("linux", "lin", preferred_owners=[source])
            before, before_there = sent(source, "eth0"), sent(source, "eth1")
            words = goes(to)
            assert f" s over {NETWORK}" in words, words
            there = sent(source, "eth1") - before_there
            assert there > 20 * MIB, "its memory went there"
            assert sent(source, "eth0") - before < there / 2
            # At once: nobody has told yet that the address is gone.
            lab.exec(to, "ip", "link", "set", "eth1", "down")
            assert f", not over {NETWORK} (" in goes(source)
        finally:
            cluster.call("cluster.set", values={"migration_network": "none"})


def test_a_card_for_migrations_is_all_that_is_needed_where_nothing_is_encrypted(guarded: Guarded) -> None:
    cluster = guarded("cluster", nodes=3, node_timeout_s=2.0)
    with second_network(cluster.lab):
        cluster.call("cluster.set", values={"migration_network": NETWORK})
        cluster.protect("beacon", "web", preferred_owners=["n1"])
        cluster.call("group.move", name="web", to="n2", stop="live")
        cluster.wait(lambda _: cluster.running().get("web") == ["n2"], "it goes there", WITHIN_S)
        cluster.wait_online("web", within_s=WITHIN_S)
        assert any(f" s over {NETWORK}" in event.words for event in cluster.story())
        cluster.call("cluster.set", values={"migration_network": "none"})
