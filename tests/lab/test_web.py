"""outlast-web in a lab: the real program on real nodes, asked from another node."""

import json
import sys
from pathlib import Path

import pytest

from lab.conftest import Labs
from outlast.lab.cluster import LabCluster
from outlast.lab.node import find_processes
from outlast.model.access_answers import ApiTokenMade

pytestmark = pytest.mark.lab
MOST_KIB = 100 * 1024


@pytest.fixture
def cluster(labs: Labs) -> LabCluster:
    made = LabCluster(labs("web", nodes=2, web=True))
    made.wait_for_members()
    made.clear()
    return made


def test_another_node_is_asked_over_the_network_and_what_is_moved_moves(cluster: LabCluster) -> None:
    cluster.protect("beacon", "web1", preferred_owners=("n1",))
    asked = {"name": "operator", "role": "operator"}
    made = cluster.client("n1").call("token.create", asked, type=ApiTokenMade)
    # On n2, as a user elsewhere: contexts of its own, and the API of n1.
    script = f"""
export XDG_CONFIG_HOME=/run/somebody; o="{sys.prefix}/bin/outlast"
for try in $(seq 100); do curl -sko /dev/null https://n1:9443/api/v1/authority && break; sleep 0.2; done
echo {made.token} | $o context add lab https://n1:9443 --fingerprint {made.fingerprint} || exit 1
$o context use lab || exit 1
$o --json status > /run/somebody/status.json || exit 1
$o vm move web1 --to n2 --wait 60 || exit 1
$o vm unprotect web1; echo $? > /run/somebody/refused
"""
    done = cluster.lab.run("n2", "sh", "-c", script, timeout_s=120)
    assert done.returncode == 0, done.stderr
    there = Path(f"/proc/{cluster.lab.node('n2').init.read_text().strip()}/root/run/somebody")
    assert json.loads((there / "status.json").read_text())["answered_by"] == "n1"
    assert (there / "refused").read_text() == "3\n", "an operator defines nothing"
    assert cluster.owner("web1") == "n2"
    told = {(one["who"], one["verb"], one["result"] == "done") for one in cluster.call("audit.list", "n2")}
    assert {("token operator", "group.move", True), ("root", "token.create", True)} <= told


def test_it_has_no_privileges_and_needs_little_memory(cluster: LabCluster) -> None:
    for node in ("n1", "n2"):
        (pid,) = find_processes(cluster.lab.node(node), "outlast-web")
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert int(status["CapEff"], 16) == 0
        assert int(status["VmRSS"].split()[0]) < MOST_KIB
