"""Members of the database are lost and come back: with real etcd, real power cuts, real disks."""

import functools
import json
import shutil
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lab.guarded import ALL, WITHIN_S
from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.lab.layout import NodePaths
from outlast.model.answers import ForceRow, QuorumRow
from outlast.model.roll import Noted

pytestmark = pytest.mark.lab


class Quorum:
    """Three nodes that carry the database, and what `outlast quorum` says of them."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster = cluster
        self.lab = cluster.lab

    def show(self, node: str = "n1") -> QuorumRow:
        return self.cluster.client(node).call("quorum.show", type=QuorumRow)

    def wait(self, happened: Callable[[QuorumRow], object], what: str, node: str = "n1") -> QuorumRow:
        """The bound catches a hang; it measures nothing."""
        last: object = "it does not answer"
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            try:
                last = row = self.show(node)
                if happened(row):
                    return row
            except (ControlError, OSError) as error:
                last = error
            time.sleep(0.1)
        raise AssertionError(f"did not happen within {WITHIN_S:g} s on {node}: {what}\n{last}")

    def wait_for_voters(self, *names: str, node: str = "n1") -> QuorumRow:
        """These and no others."""
        only = set(names)
        return self.wait(
            lambda row: voting(row) == only == {voter.name for voter in row.voters}, f"{', '.join(names)} vote", node
        )

    def wait_until_all_know_it(self) -> None:
        """That all three vote: each says it of itself, and after a power cut it will find it on its own disk."""
        for name in ALL:
            self.wait_for_voters(*ALL, node=name)
            self.lab.wait(functools.partial(self.has_noted, name), WITHIN_S, f"{name} has noted who votes")

    def has_noted(self, name: str) -> bool:
        return set(self.noted(name).voters) == set(ALL)

    def wait_until_certain_of_its_vote(self, name: str) -> None:
        """It has been in the cluster for a while since it booted: nobody takes its vote without proof of its death."""
        self.lab.wait(lambda: not self.noted(name).may_be_out, WITHIN_S, f"{name} is certain that it votes")

    def noted(self, name: str) -> Noted:
        """As its disk has it."""
        marks = json.loads(etcd_files(self.lab.node(name))[1].read_text())
        return msgspec.json.decode(marks.get("noted", "{}"), type=Noted)

    def force(self, node: str, **arguments: Any) -> str:
        return self.cluster.client(node).call("quorum.force", arguments, type=str, timeout_s=WITHIN_S)

    def told(self, words: str) -> bool:
        return any(words in event.words for event in self.cluster.story("n1"))


def voting(row: QuorumRow) -> set[str]:
    return {voter.name for voter in row.voters if voter.state in ("votes", "leads")} if row.quorum else set()


@pytest.fixture
def quorum(etcd_cluster: LabCluster) -> Quorum:
    """All three vote; a dead node's vote is taken after three seconds, and what was fenced stays off."""
    ready = Quorum(etcd_cluster)
    ready.wait_until_all_know_it()
    etcd_cluster.call("cluster.set", values={"vote_removal_s": 3.0, "fence_action": "off"})
    return ready


def etcd_files(node: NodePaths) -> list[Any]:
    """The member's data and what is noted beside it, as the node's disk has them."""
    return [node.root / "var/lib/outlast/etcd", node.root / "var/lib/outlast/etcd.marks"]


def test_a_cluster_that_loses_its_nodes_one_after_the_other_goes_on_to_the_last_and_they_come_back(
    quorum: Quorum,
) -> None:
    cluster = quorum.cluster
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.protect("beacon", "db", preferred_owners=["n3", "n2", "n1"])
    pid = cluster.qemu_pid("n1", "web")
    quorum.lab.power_off("n3")
    quorum.wait_for_voters("n1", "n2")
    cluster.wait(lambda s: all(g.state == "online" and g.owner != "n3" for g in s.groups), "db elsewhere")
    quorum.wait(lambda row: row.margin == 1 and not row.waits, "n2 knows as well that nobody else votes")
    quorum.lab.power_off("n2")
    assert "last one" in quorum.wait_for_voters("n1").words
    quorum.wait(lambda row: row.generation == 1, "that others were left behind is written down")
    cluster.wait(lambda s: all(g.state == "online" and g.owner == "n1" for g in s.groups), "both on n1")
    assert cluster.qemu_pid("n1", "web") == pid, "nothing gave a reason to stop it"
    quorum.wait(lambda _: quorum.told("n1 goes on alone"), "the event log tells it")
    for name in ("n2", "n3"):
        quorum.lab.power_on(name)
    quorum.wait_for_voters(*ALL)
    cluster.wait_for_members()
    assert cluster.qemu_pid("n1", "web") == pid


def test_a_quorum_that_is_lost_for_good_is_forced_and_the_others_form_no_cluster_of_their_own(quorum: Quorum) -> None:
    cluster = quorum.cluster
    cluster.protect("beacon", "web", preferred_owners=["n2"])
    quorum.wait_until_certain_of_its_vote("n1")
    for name in ("n2", "n3"):
        quorum.lab.power_off(name)
    quorum.wait(lambda row: not row.quorum, "n1 has noticed")
    forecast = cluster.client("n1").call("quorum.forecast", type=ForceRow)
    assert forecast.alone
    assert forecast.must_be_off == ("n2", "n3")
    assert forecast.vms == {"n2": ("web",)}
    before = quorum.show().generation
    quorum.force("n1")  # their fence devices confirm that they are off
    quorum.wait_for_voters("n1")
    quorum.wait(lambda row: row.generation == before + 1, "that others were left behind is written down")
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner == "n1", "web on n1")
    quorum.lab.power_off("n1")
    for name in ("n2", "n3"):
        quorum.lab.power_on(name)
    for name in ("n2", "n3"):
        quorum.wait(lambda row: any("word from" in words and "n1" in words for words in row.waits), "it waits", name)
    quorum.lab.power_on("n1")
    quorum.wait_for_voters(*ALL)
    cluster.wait_online("web")


def test_after_a_power_cut_of_the_whole_cluster_all_voters_must_be_heard(quorum: Quorum) -> None:
    cluster = quorum.cluster
    cluster.protect("beacon", "web")
    for name in ALL:
        quorum.lab.power_off(name)
    for name in ("n1", "n2"):
        quorum.lab.power_on(name)
    for name in ("n1", "n2"):
        quorum.wait(lambda row: any("word from n3" in words for words in row.waits), "it waits for n3", name)
    quorum.lab.power_on("n3")
    quorum.wait_for_voters(*ALL)
    cluster.wait_online("web")


def test_a_majority_that_waits_for_one_that_will_not_come_back_needs_only_a_word(quorum: Quorum) -> None:
    cluster = quorum.cluster
    for name in ALL:
        quorum.lab.power_off(name)
    for name in ("n1", "n2"):
        quorum.lab.power_on(name)
    quorum.wait(lambda row: any("word from n3" in words for words in row.waits), "it waits for n3")
    with pytest.raises(ControlError, match="n3"):
        quorum.force("n1")
    before = quorum.show().generation
    quorum.force("n1", confirmed=["n3"])
    row = quorum.wait(lambda row: voting(row) >= {"n1", "n2"}, "both vote")
    assert row.generation == before, "nobody was left behind"
    quorum.lab.power_on("n3")
    quorum.wait_for_voters(*ALL)
    cluster.wait_for_members()


def test_a_member_whose_disk_is_from_the_past_does_not_vote_with_it(quorum: Quorum) -> None:
    node = quorum.lab.node("n3")
    saved = node.root.parent / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    quorum.lab.power_off("n3")
    saved.mkdir()
    for path in etcd_files(node):
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, saved / path.name)
    quorum.lab.power_on("n3")
    quorum.wait_for_voters(*ALL, node="n3")  # it says so itself: to the others it may never have been away
    quorum.lab.power_off("n3")
    for path in etcd_files(node):
        if path.is_dir():
            shutil.rmtree(path)
            shutil.copytree(saved / path.name, path)
        else:
            shutil.copy2(saved / path.name, path)
    quorum.lab.power_on("n3")
    quorum.wait(lambda _: quorum.told("n3 votes: it has caught up"), "it joined again")
    quorum.wait_for_voters(*ALL)
    assert "from the past" in quorum.lab.log("n3", "outlastd")
