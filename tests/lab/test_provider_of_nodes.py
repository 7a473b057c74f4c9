"""Signing in at an OpenID Connect provider: real daemons, a real provider, and what that costs them."""

import json
import sys
from pathlib import Path

import pytest

from lab.conftest import Labs
from lab.provider_in_a_node import SECRET
from outlast.lab.cluster import LabCluster
from outlast.lab.node import find_processes

pytestmark = pytest.mark.lab
SCRIPT = Path(__file__).with_name("provider_in_a_node.py")
MOST_KIB = 100 * 1024


@pytest.fixture
def cluster(labs: Labs) -> LabCluster:
    made = LabCluster(labs("web", nodes=2, web=True))
    made.wait_for_members()
    made.clear()
    return made


def test_who_the_provider_knows_signs_in_and_nothing_secret_is_left_anywhere(cluster: LabCluster) -> None:
    done = cluster.lab.run("n1", sys.executable, str(SCRIPT), f"{sys.prefix}/bin/outlast", timeout_s=120)
    try:
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["set"]["problem"] == ""
        assert told["set"]["redirects"] == ["https://n1:9443/sign-in", "https://n2:9443/sign-in"]
        otto, gus = told["s1"], told["s2"]
        assert (otto["page"], otto["url"]) == (200, "https://n1:9443/sign-in")
        assert (otto["first"]["user"], otto["first"]["role"]) == ("otto (OpenID Connect)", "operator")
        assert otto["session"]["user"] == "otto (OpenID Connect)"
        assert otto["again"]["kind"] == "sign-in"
        assert gus["first"]["kind"] == "denied"
        assert "none of the groups of gus at Example (claim groups) (guests) was granted one" in gus["first"]["detail"]
        assert [(row["name"], row["way"]) for row in told["users"]] == [("otto", "openid")]
        assert told["audit"][-1]["arguments"] == {"name": "otto", "way": "openid", "subject": "s1"}

        assert SECRET not in done.stdout
        files = [path for path in cluster.lab.paths.root.rglob("*.log") if path.is_file()]
        assert files
        assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
        databases = [path for path in cluster.lab.paths.root.rglob("*.db*") if path.is_file()]
        assert databases
        assert [path for path in databases if SECRET.encode() in path.read_bytes()] == []

        for program in ("outlast-web", "outlastd"):
            (pid,) = find_processes(cluster.lab.node("n1"), program)
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            print(f"{program}: {int(status['VmRSS'].split()[0]) / 1024:.0f} MiB")
            assert int(status["VmRSS"].split()[0]) < MOST_KIB
        left = cluster.lab.run("n1", "pgrep", "-f", "[o]utlast.adapters.openid_process")
        assert left.stdout == ""
    finally:
        for row in cluster.call("sign_in.list"):
            cluster.call("sign_in.delete", way=row["way"])
