"""The database away, and links cut in every shape: with real etcd, real links between the services, real guests."""

import re

import pytest

from lab.guarded import ALL, GUESTS, WITHIN_S, Guarded, ThreeGuests
from outlast.client.control import ControlError
from outlast.lab.cluster import up
from outlast.model.event import Event

pytestmark = pytest.mark.lab


class Running(ThreeGuests):
    a_while = 300
    """Some fifteen seconds."""

    def lives(self) -> dict[str, str]:
        return {row.name: row.incarnation for row in self.cluster.status().nodes}

    def away_s(self, node: str) -> float:
        """For how long the database has not answered, in the node's own words."""
        found = re.search(r"has not answered for (\d+) s", self.alarm(node))
        return float(found[1]) if found else 0.0

    def processes(self) -> dict[str, int]:
        return {guest: self.cluster.qemu_pid(owner, guest) for guest, owner in self.owners.items()}


def has_another(running: Running, node: str, before: int) -> bool:
    """Does another service than that run there, and has it its session?"""
    if running.cluster.pid(node, "outlastd") in (0, before):
        return False
    try:
        return node in up(running.cluster.status(node))
    except (ControlError, OSError, StopIteration):
        return False


def outages(running: Running) -> list[Event]:
    return [event for event in running.cluster.events() if event.kind == "outage"]


@pytest.fixture
def running(guarded: Guarded) -> Running:
    ready = Running(guarded("promises", clear=False, nodes=3, database="etcd"))
    ready.prepare()
    return ready


def test_all_members_of_the_database_stopped_for_a_minute_cost_no_session_and_no_vm(running: Running) -> None:
    lives, processes = running.lives(), running.processes()
    try:
        for name in ALL:
            running.lab.freeze(name, "etcd")
        running.lab.wait(lambda: all(running.away_s(name) >= 60 for name in ALL), WITHIN_S, "away for a minute")
        assert all("promised to decide nothing meanwhile" in running.alarm(name) for name in ALL)
    finally:
        for name in ALL:
            running.lab.thaw(name, "etcd")
    running.lab.wait(lambda: not any(running.alarm(name) for name in ALL), WITHIN_S, "the database is back")
    running.lab.wait(lambda: {event.node for event in outages(running)} == set(ALL), WITHIN_S, "each node tells it")
    assert running.lives() == lives
    assert running.processes() == processes


@pytest.mark.parametrize("services", ["have just started", "are started again"])
def test_members_that_hang_one_after_the_other_soon_after_the_start_cost_no_session_and_no_vm(
    guarded: Guarded, services: str
) -> None:
    """Soon: within seconds where this machine is quick enough. In the second case their age counts anew."""
    young = Running(guarded("young", clear=False, nodes=3, database="etcd"))
    young.prepare()
    lives, processes = young.lives(), young.processes()
    if services == "are started again":
        before = {name: young.cluster.pid(name, "outlastd") for name in ALL}
        for name in ALL:
            young.lab.kill(name, "outlastd")
        young.lab.wait(lambda: all(has_another(young, name, before[name]) for name in ALL), WITHIN_S, "all are back")
        young.cluster.wait_for_members(within_s=WITHIN_S)
    try:
        for name in ALL:
            young.lab.freeze(name, "etcd")
        young.lab.wait(lambda: all(young.away_s(name) >= 15 for name in ALL), WITHIN_S, "away for three time-outs")
        assert all("promised to decide nothing meanwhile" in young.alarm(name) for name in ALL)
    finally:
        for name in ALL:
            young.lab.thaw(name, "etcd")
    young.lab.wait(lambda: not any(young.alarm(name) for name in ALL), WITHIN_S, "the database is back")
    assert young.lives() == lives
    assert young.processes() == processes


def test_the_services_links_cut_while_the_database_is_there_matter_to_nobody(running: Running) -> None:
    lives = running.lives()
    for one, other in (("n1", "n2"), ("n2", "n3"), ("n3", "n1")):
        running.lab.cut(one, other, plane="service")
    running.wait_for_a_while_of_output()
    assert running.lives() == lives


def test_a_bridge_over_which_all_reach_the_database_is_no_reason_to_stop_anything(running: Running) -> None:
    """n1 and n2 do not hear each other; n3 hears both."""
    lives = running.lives()
    running.lab.cut("n1", "n2")
    running.wait_for_a_while_of_output()
    assert running.lives() == lives


@pytest.mark.parametrize("one_way", [False, True])
def test_a_node_that_only_the_databases_links_are_cut_from_is_promised_nothing_and_its_vms_run_elsewhere(
    running: Running, one_way: bool
) -> None:
    victim, owners = running.owners["web1"], running.owners
    others = [name for name in ALL if name != victim]
    before = running.cluster.outputs(["web1"], others)
    for other in others:
        running.lab.cut(victim, other, plane="database", one_way=one_way)
    running.cluster.wait_for_output(["web1"], others, before)
    now = {row.name: row.owner for row in running.cluster.status(others[0]).groups}
    assert now["web1"] != victim
    assert {guest: now[guest] for guest in GUESTS if owners[guest] != victim} == {
        guest: owner for guest, owner in owners.items() if owner != victim
    }
