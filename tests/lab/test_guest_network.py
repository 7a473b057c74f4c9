"""A guest network lost on one node, with real bridges, real libvirt and QEMU.

Each node has a bridge whose uplink is one end of a veth; the other end is switched off, and the uplink has no carrier,
as when a cable is pulled. The beacon's disk is the witness that the guest was handed over and not started anew.
"""

import itertools
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.guarded import Guarded
from outlast.lab import beacon
from outlast.lab.cluster import LabCluster
from outlast.lab.errors import LabError
from outlast.model.answers import Finding, NodeRow, ProtectReport

pytestmark = pytest.mark.lab
WITHIN_S = 60.0
NUMBERS = itertools.count(7)
"""Each test has networks of its own: one that was lost on a node lately is trusted there later (`networks.py`)."""


class Bridged:
    def __init__(self, cluster: LabCluster) -> None:
        self.cluster, self.lab = cluster, cluster.lab
        self.nodes = list(self.lab.state().nodes)
        number = next(NUMBERS)
        self.bridge, self.uplink, self.far, self.lan = (f"{kind}{number}" for kind in ("br", "up", "far", "lan"))
        lan = f"<network><name>{self.lan}</name><forward mode='bridge'/><bridge name='{self.bridge}'/></network>"
        for node in self.nodes:
            self.exec(node, f"ip link add {self.far} type veth peer name {self.uplink}")
            self.exec(node, f"ip link add {self.bridge} type bridge")
            self.exec(node, f"ip link set {self.uplink} master {self.bridge}")
            for link in (self.far, self.uplink, self.bridge):
                self.exec(node, f"ip link set {link} up")
            self.lab.exec(node, "sh", "-c", f'echo "{lan}" > /tmp/lan.xml')
            self.lab.virsh(node, "net-define", "/tmp/lan.xml")
            self.lab.virsh(node, "net-start", self.lan)
        cluster.call("cluster.set", values={"network_delay_s": 1})

    def exec(self, node: str, command: str) -> None:
        self.lab.exec(node, *command.split())

    def take_away(self) -> None:
        for node in self.nodes:
            for command in (f"ip link del {self.bridge}", f"ip link del {self.far}"):
                with suppress(LabError):
                    self.exec(node, command)
            for verb in ("net-destroy", "net-undefine"):
                with suppress(LabError):
                    self.lab.virsh(node, verb, self.lan)

    def protect(self, name: str, kind: str, *, on: str) -> None:
        """`kind`: "bridge", or "network" for libvirt's network on that bridge."""
        source = f"<source {kind}='{self.bridge if kind == 'bridge' else self.lan}'/>"
        xml = self.lab.create_guest("beacon", name, image_lock=False)
        adapter = f"<interface type='{kind}'>{source}<model type='e1000'/><rom enabled='no'/></interface>"
        xml = xml.replace("</devices>", f"{adapter}</devices>")
        arguments = {"definition": xml, "preferred_owners": [on]}
        self.cluster.client().call("vm.protect", arguments, type=ProtectReport)
        self.cluster.wait_online(name)
        self.lab.wait(lambda: self.runs(name), WITHIN_S, f"{name} writes to its disk")

    def runs(self, name: str) -> tuple[beacon.Run, ...]:
        return beacon.read_disk(self.lab.paths.images / f"{name}.img").runs

    def pull(self, node: str) -> None:
        self.exec(node, f"ip link set {self.far} down")

    def is_told(self, node: str) -> None:
        self.lab.wait(lambda: self.networks(node)[f"bridge/{self.bridge}"], WITHIN_S, f"{node} says that it is lost")

    def plug(self, node: str) -> None:
        self.exec(node, f"ip link set {self.far} up")

    def networks(self, node: str) -> dict[str, str]:
        return dict(self.cluster.client().call("node.show", {"name": node}, type=NodeRow).networks)


@pytest.fixture
def bridged(guarded: Guarded) -> Iterator[Bridged]:
    made = Bridged(guarded("patient", nodes=3))
    try:
        yield made
    finally:
        made.cluster.clear()
        made.cluster.call("cluster.set", values={"network_delay_s": 5})
        made.take_away()


@pytest.mark.parametrize("kind", ["bridge", "network"])
def test_a_guest_goes_as_it_runs_to_where_its_network_is_up(bridged: Bridged, kind: str) -> None:
    cluster, lab = bridged.cluster, bridged.lab
    bridged.protect("web", kind, on="n2")
    network = f"{kind}/{bridged.bridge if kind == 'bridge' else bridged.lan}"
    lab.wait(lambda: bridged.networks("n2") == {network: ""}, WITHIN_S, "n2 says that it is up")
    before = bridged.runs("web")[-1]
    bridged.pull("n2")
    cluster.wait(lambda _: cluster.group("web").owner != "n2", "it leaves n2", WITHIN_S)
    cluster.wait_online("web")
    owner = cluster.owner("web")
    assert cluster.running()["web"] == [owner]
    lab.wait(lambda: bridged.runs("web")[-1].beats > before.beats, WITHIN_S, "its counter goes on")
    assert bridged.runs("web")[-1].boot_id == before.boot_id, "the same guest, not one that was started anew"
    assert bridged.networks("n2") == {network: f"its uplink {bridged.uplink} has no carrier"}
    findings = cluster.client().call("validate", {}, type=list[Finding])
    assert f"its uplink {bridged.uplink} has no carrier" in " ".join(
        one.problem for one in findings if one.about == "n2"
    )
    told = [event.words for event in cluster.story() if event.kind == "network"]
    assert any(words.endswith(f"is lost on n2: its uplink {bridged.uplink} has no carrier") for words in told)

    bridged.plug("n2")
    lab.wait(lambda: bridged.networks("n2") == {network: ""}, WITHIN_S, "it is back on n2")
    assert cluster.owner("web") == owner, "it does not go back by itself"


def test_what_is_lost_everywhere_moves_nobody_and_is_an_alarm(bridged: Bridged) -> None:
    cluster = bridged.cluster
    bridged.protect("web", "bridge", on="n1")
    for node in ("n2", "n3", "n1"):  # the one that has it last
        bridged.pull(node)
        bridged.is_told(node)
    status = cluster.wait(
        lambda status: any(f"{bridged.bridge} is lost on every node, and web needs it" in one for one in status.alarms),
        "the alarm",
        WITHIN_S,
    )
    (row,) = status.groups
    assert (row.owner, row.state, row.move_to) == ("n1", "online", "")
    assert f"a node that has it and can take it, since the bridge {bridged.bridge} is lost on n1" in row.why
    bridged.plug("n3")
    cluster.wait(lambda _: cluster.owner("web") == "n3", "it goes to where it is back", WITHIN_S)
    cluster.wait_online("web")
    assert cluster.running()["web"] == ["n3"]


def test_a_bridge_that_loses_its_uplink_for_good_is_lost_and_one_that_is_gone_is_missing(bridged: Bridged) -> None:
    lab = bridged.lab
    bridged.protect("web", "bridge", on="n1")
    lab.wait(lambda: bridged.networks("n3") == {f"bridge/{bridged.bridge}": ""}, WITHIN_S, "n3 says that it is up")
    bridged.exec("n3", f"ip link del {bridged.far}")
    lab.wait(
        lambda: bridged.networks("n3")[f"bridge/{bridged.bridge}"] == f"its uplink {bridged.uplink} is gone",
        WITHIN_S,
        "its uplink is gone",
    )
    bridged.exec("n3", f"ip link del {bridged.bridge}")
    lab.wait(
        lambda: bridged.networks("n3")[f"bridge/{bridged.bridge}"] == f"{bridged.bridge} does not exist",
        WITHIN_S,
        "it is missing",
    )
    placement = bridged.cluster.call("vm.show", name="web")["placement"]
    assert placement["n3"] == f"the bridge {bridged.bridge} is lost there: {bridged.bridge} does not exist"
