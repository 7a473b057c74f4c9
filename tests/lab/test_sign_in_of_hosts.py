"""Users of the nodes' own hosts sign in: a real cluster, the real PAM of one of its nodes, asked over HTTPS from
another.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.conftest import Labs
from outlast.lab.cluster import LabCluster
from outlast.model.access import Audit
from outlast.model.answers import ClusterStatus
from private_host import PASSWORD, PRIVATE, UNIX, PrivateHost

pytestmark = pytest.mark.lab


@pytest.fixture
def cluster(labs: Labs) -> LabCluster:
    made = LabCluster(labs("metrics", nodes=3, web=True, database="etcd"))
    made.wait_for_members()
    made.clear()
    return made


@pytest.fixture
def host(cluster: LabCluster, tmp_path: Path) -> Iterator[PrivateHost]:
    """What n1 has for its users; the other nodes have their own."""
    made = PrivateHost(tmp_path)
    cluster.lab.exec("n1", "sh", "-c", PRIVATE, "sh", str(tmp_path))
    try:
        yield made
    finally:
        cluster.lab.exec("n1", "umount", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/pam.d")
        for row in cluster.call("sign_in.list"):
            cluster.call("sign_in.delete", way=row["way"])


def sign_in(cluster: LabCluster, name: str, password: str) -> dict[str, Any]:
    body = json.dumps({"name": name, "password": password})
    curl = ("curl", "-sSk", "--max-time", "60", "-H", "Content-Type: application/json", "--data-binary", "@-")
    done = cluster.lab.run("n2", *curl, "https://n1:9443/api/v1/session", stdin=body, timeout_s=90)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_user_of_the_host_signs_in_with_the_role_of_its_group_and_who_is_not_is_told_why(
    cluster: LabCluster, host: PrivateHost
) -> None:
    set_up = cluster.call("sign_in.set", node="n1", way="pam")
    assert set_up["problem"] == ""
    cluster.call("sign_in.grant", way="pam", member="admins", role="administrator")

    anna = sign_in(cluster, "anna", PASSWORD)
    assert (anna["user"], anna["role"]) == ("anna (PAM)", "administrator")
    wrong = sign_in(cluster, "anna", "wrong")
    assert (wrong["status"], wrong["detail"]) == (401, "the name or the password is wrong")
    olaf = sign_in(cluster, "olaf", PASSWORD)
    assert olaf["status"] == 403
    assert "none of the groups of olaf on n1 (staff, web-team) was granted one" in olaf["detail"]
    gone = sign_in(cluster, "gone", PASSWORD)
    assert "gone may not sign in on n1: PAM says: User account has expired" in gone["detail"]

    audit = cluster.client("n2").call("audit.list", {"who": "anna (PAM)"}, type=list[Audit])
    told = [(one.node, one.verb, one.result, one.arguments) for one in audit]
    assert told == [("n1", "session.open", "done", {"name": "anna", "way": "pam"})]
    assert cluster.call("user.list")[-1]["way"] == "pam"


def test_a_module_that_hangs_costs_no_node_its_session(cluster: LabCluster, host: PrivateHost) -> None:
    script = host.script("hang", "exec sleep 1000")
    host.serve("hangs", f"auth required pam_exec.so {script}\n" + UNIX)
    cluster.call("sign_in.set", way="pam", values={"service": "hangs"})
    cluster.wait_for_members()
    seen = len(cluster.story())
    answers = list[dict[str, Any]]()
    several = [threading.Thread(target=lambda: answers.append(sign_in(cluster, "anna", PASSWORD))) for _ in range(3)]
    for one in several:
        one.start()
    while any(one.is_alive() for one in several):
        status: ClusterStatus = cluster.status("n1")
        assert {node.name: node.state for node in status.nodes} == dict.fromkeys(("n1", "n2", "n3"), "up")
        several[0].join(0.2)
        several[-1].join(0.2)
    assert [answer["status"] for answer in answers] == [409] * 3
    assert all("PAM did not answer within 20 s" in answer["detail"] for answer in answers)
    assert [event.words for event in cluster.story()[seen:] if event.kind != "access"] == []
    assert cluster.lab.run("n1", "pgrep", "-f", "[o]utlast.adapters.pam_process").stdout == ""
