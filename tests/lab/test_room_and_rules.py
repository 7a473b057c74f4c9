"""Room and rules with real VMs: what nodes give away, what waits, what is moved for a rule, and what was foretold."""

from collections.abc import Callable

import pytest

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from outlast.model.foresight import Forecast, RuleChanged

pytestmark = pytest.mark.lab

ROOM_MIB = 2
"""A beacon has 1 MiB: each node takes two of them."""


@pytest.fixture(scope="module")
def small(labs: Callable[..., Lab]) -> LabCluster:
    """Three nodes with room for two beacons each."""
    cluster = LabCluster(labs("small", nodes=3, node_timeout_s=2.0, memory_mib=ROOM_MIB))
    cluster.wait_for_members()
    return cluster


def test_what_was_foretold_of_a_lost_node_comes_true(small: LabCluster) -> None:
    small.clear()
    names = [f"web{number}" for number in range(1, 6)]
    for name in names:
        small.protect("beacon", name)
    where = {name: small.owner(name) for name in names}
    assert max(list(where.values()).count(node) for node in ("n1", "n2", "n3")) == ROOM_MIB
    lost = next(node for node in ("n2", "n3") if list(where.values()).count(node) == ROOM_MIB)
    told = small.client("n1").call("what_if.node_down", {"nodes": [lost]}, type=Forecast)
    again = {row.group: row.to for row in told.restarts if row.to}
    down = [row.group for row in told.restarts if not row.to]
    assert (len(again), len(down)) == (1, 1), "one place is left for two of them"
    small.lab.power_off(lost)
    small.wait(
        lambda status: (
            {row.name: row.owner for row in status.groups if row.name in again and row.state == "online"} == again
        ),
        f"{again} came true",
    )
    small.wait(
        lambda status: any(row.name == down[0] and "MiB of memory left" in row.why for row in status.groups),
        f"{down[0]} waits for room",
    )
    assert set(small.running()) == set(names) - set(down)
    small.lab.power_on(lost)
    small.wait_online(*names)


def test_a_new_hard_rule_moves_what_breaks_it(small: LabCluster) -> None:
    small.clear()
    for name in ("db1", "db2"):
        small.protect("beacon", name, preferred_owners=["n2"], offline_timeout_s=1.0)
    assert small.owner("db1") == small.owner("db2") == "n2"
    arguments = {"name": "apart", "kind": "different", "groups": ["db1", "db2"], "hard": True}
    changed = small.client().call("rule.add", arguments, type=RuleChanged)
    assert changed.warnings == ("broken now: db1 and db2 are both on n2",)
    small.wait(
        lambda status: len({row.owner for row in status.groups if row.state == "online" and row.settled}) == 2,
        "db1 and db2 are online apart",
    )
    assert len({*small.running()["db1"], *small.running()["db2"]}) == 2
    small.call("rule.delete", name="apart")
