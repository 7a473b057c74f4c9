"""What real nodes had to do: asked of another node, over the network too, kept over a restart and over a power cut."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lab.conftest import Labs
from outlast.adapters.load import SIZE
from outlast.lab.cluster import LabCluster
from outlast.model.access_answers import ApiTokenMade
from outlast.model.load import NodeLoad

pytestmark = pytest.mark.lab
A_MINUTE_S = 100.0
"""Until one is over, and told; generous."""


@pytest.fixture
def cluster(labs: Labs) -> Iterator[LabCluster]:
    made = LabCluster(labs("load", nodes=3, web=True, database="etcd"))
    made.wait_for_members()
    made.clear()
    yield made
    if not made.lab.is_on("n1"):
        made.lab.power_on("n1")


def load(cluster: LabCluster, of: str, by: str) -> NodeLoad:
    (found,) = cluster.client(by).call("node.load", {"node": of}, type=list[NodeLoad])
    return found


def test_a_minute_of_a_node_is_told_by_the_others_and_outlives_its_service_and_its_power(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web1", preferred_owners=("n1",))
    cluster.lab.wait(lambda: _vms(cluster, "n1", by="n2") == 1, 60, "n2 is told by n1 of its VM")
    cluster.lab.wait(lambda: len(load(cluster, "n1", by="n2").steps) > 1, A_MINUTE_S, "a minute of n1 is over")
    before = load(cluster, "n1", by="n3")
    assert before.memory_mib > 0
    assert all(0 <= one.cpu <= one.cpu_peak <= 1 for one in before.steps)
    assert all(0 < one.memory_mib <= one.memory_peak_mib < before.memory_mib for one in before.steps)

    # The minute is over for the picture, and on its way to the file.
    cluster.lab.wait(lambda: _kept(cluster) >= 1, 30, "it lies in the file")
    assert _file(cluster).stat().st_size == SIZE
    cluster.lab.kill("n1", "outlastd")
    cluster.wait_for_members()
    cluster.lab.wait(lambda: not load(cluster, "n1", by="n2").why, 60, "its next service tells")
    assert before.steps[0] in load(cluster, "n1", by="n2").steps

    token = cluster.client("n1").call("token.create", {"name": "reader", "role": "viewer"}, type=ApiTokenMade).token
    cluster.lab.power_off("n1")
    cluster.lab.wait(lambda: "dead" in load(cluster, "n1", by="n2").why, 60, "n1 is dead")
    answer = {one.node: one for one in _by_network(cluster, token)}
    assert answer["n1"].why.startswith("it is dead: ")
    assert answer["n1"].steps == ()
    assert [answer[node].why for node in ("n2", "n3")] == ["", ""]
    assert answer["n2"].now is not None

    cluster.lab.power_on("n1")
    cluster.wait_for_members()
    cluster.lab.wait(lambda: not load(cluster, "n1", by="n2").why, 60, "n1 tells again")
    assert before.steps[0] in load(cluster, "n1", by="n2").steps


def _vms(cluster: LabCluster, of: str, by: str) -> int:
    now = load(cluster, of, by).now
    return now.vms if now is not None else 0


def _by_network(cluster: LabCluster, token: str) -> list[NodeLoad]:
    curl = ("curl", "-sSk", "--fail-with-body", "--retry", "30", "--retry-delay", "1", "--retry-connrefused")
    text = cluster.lab.exec(
        "n3", *curl, "--max-time", "60", "-H", f"Authorization: Bearer {token}",
        "https://n2:9443/api/v1/load?step_min=5", timeout_s=90,
    )  # fmt: skip
    return msgspec.json.decode(text, type=list[NodeLoad])


def _file(cluster: LabCluster) -> Path:
    """As the node sees it."""
    return Path(f"/proc/{cluster.lab.node('n1').init.read_text().strip()}/root/var/lib/outlast/load")


def _kept(cluster: LabCluster) -> int:
    return len(_file(cluster).read_text().split()) if _file(cluster).exists() else 0
