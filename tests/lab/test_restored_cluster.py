"""A backup of a cluster with real VMs, and its way back: what runs is not touched, and nothing else is started."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster

pytestmark = pytest.mark.lab

FILE = "/var/lib/outlast/of-then.backup"


def outlast(cluster: LabCluster, *words: str) -> str:
    return cluster.lab.exec("n1", "outlast", *words)


@pytest.fixture
def confirmed_at_last(cluster: LabCluster) -> Iterator[None]:
    """However the test ends: the lab is used again."""
    yield
    with suppress(ControlError):
        cluster.call("cluster.confirm_ownership")


@pytest.mark.usefixtures("confirmed_at_last")
def test_a_restored_database_starts_and_stops_nothing_until_somebody_has_said_what_runs_where(
    cluster: LabCluster,
) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.protect("beacon", "db", preferred_owners=["n2"])
    outlast(cluster, "cluster", "backup", FILE)
    before = cluster.qemu_pid("n1", "web")
    cluster.protect("beacon", "late", preferred_owners=["n3"])
    cluster.call("group.move", name="db", to="n3", stop="turn_off")
    cluster.wait(lambda s: {g.owner for g in s.groups if g.name == "db"} == {"n3"}, "db moves")
    cluster.wait_online("db")

    assert "db, late, web are there" in cluster.lab.run("n1", "outlast", "cluster", "restore", FILE, "--yes").stderr
    told = outlast(cluster, "cluster", "restore", FILE, "--yes", "--force")
    assert "Nothing is started or stopped anywhere now" in told
    assert {group.name for group in cluster.status().groups} == {"web", "db"}
    assert "confirm-ownership" in outlast(cluster, "status")
    assert cluster.running() == {"web": ["n1"], "db": ["n3"], "late": ["n3"]}

    os.kill(cluster.qemu_pid("n1", "web"), signal.SIGKILL)
    status = cluster.wait(lambda s: "confirm-ownership" in next(g.why for g in s.groups if g.name == "web"), "it waits")
    assert not any(group.protected for group in status.groups)
    assert cluster.running() == {"db": ["n3"], "late": ["n3"]}

    outlast(cluster, "cluster", "confirm-ownership", "--yes")
    with pytest.raises(ControlError, match="there is nothing to confirm"):
        cluster.call("cluster.confirm_ownership")
    cluster.wait_online("web", "db")
    assert cluster.owner("db") == "n3"
    assert cluster.qemu_pid(cluster.owner("web"), "web") != before
    cluster.lab.exec("n3", "virsh", "destroy", "late")
    cluster.lab.exec("n3", "virsh", "undefine", "late")
