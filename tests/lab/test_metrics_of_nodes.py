"""What Prometheus reads of real nodes: asked over the network, with an API token, while a node loses its power."""

import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.conftest import Labs
from outlast.lab.cluster import LabCluster
from outlast.model.access_answers import ApiTokenMade

pytestmark = pytest.mark.lab
MONITORING = Path(__file__).parents[2] / "packaging/monitoring"
PROMETHEUS = """
set -e; cd "$1"
curl -sSk https://n1:9443/api/v1/authority >authority.pem
timeout 90 prometheus --config.file=prometheus.yml --storage.tsdb.path="$1/data" \
    --web.listen-address=127.0.0.1:9090 >log 2>&1 &
trap 'kill $!; wait' EXIT
"$2" ask.py
"""
ASK = """
import json, time, urllib.parse, urllib.request

def ask(query):
    question = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/query?" + question, timeout=10) as answer:
        return json.load(answer)

def all_up():
    try:
        return [row["value"][1] for row in ask("up")["data"]["result"]] == ["1"] * 3
    except OSError:
        return False

deadline = time.monotonic() + 30
while not (all_up() and ask("count_over_time(up[10s]) >= 8")["data"]["result"]) and time.monotonic() < deadline:
    time.sleep(0.2)
with open("queries") as file:
    print(json.dumps([ask(query) for query in json.load(file)]))
"""
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def cluster(labs: Labs) -> Iterator[LabCluster]:
    made = LabCluster(labs("metrics", nodes=3, web=True, database="etcd"))
    made.wait_for_members()
    made.clear()
    yield made
    for report in made.lab.show():
        if report.power == "off":
            made.lab.power_on(report.name)


def text(cluster: LabCluster, node: str, token: str, by: str) -> str:
    """As a machine elsewhere gets it."""
    curl = ("curl", "-sSk", "--fail-with-body", "--max-time", "10", "-H", f"Authorization: Bearer {token}")
    return cluster.lab.exec(by, *curl, f"https://{node}:9443/metrics", timeout_s=30)


def told(cluster: LabCluster, node: str, token: str, by: str) -> Samples:
    families = text_string_to_metric_families(text(cluster, node, token, by))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def sample(samples: Samples, name: str, **labels: str) -> float:
    """Of those that have these labels among theirs, the sum."""
    wanted = labels.items()
    return sum(value for (known, has), value in samples.items() if known == name and wanted <= dict(has).items())


def test_a_power_cut_shows_in_what_the_others_tell(cluster: LabCluster) -> None:
    token = cluster.client("n1").call("token.create", {"name": "prometheus", "role": "viewer"}, type=ApiTokenMade).token
    cluster.protect("beacon", "web1", preferred_owners=("n1",))
    before = told(cluster, "n3", token, by="n2")
    assert sample(before, "outlast_node_state", node="n1", state="up") == 1
    assert sample(before, "outlast_resource_state", resource="web1", type="vm", owner="n1", state="online") == 1
    assert sample(before, "outlast_quorum_margin") == 1
    assert sample(before, "outlast_node_timeout_seconds") == 5
    _names_what_alerts_and_dashboard_name(before)
    before_on = {"n2": told(cluster, "n2", token, by="n3"), "n3": before}

    cluster.lab.power_off("n1")
    cluster.wait(lambda s: any(row.owner != "n1" and row.state == "online" for row in s.groups), "web1 runs elsewhere")

    coordinator = cluster.status("n2").coordinator
    (other,) = {"n2", "n3"} - {coordinator}
    counted = sample(before_on[coordinator], "outlast_failover_seconds_count", cause="node lost")
    after = _when_counted(cluster, coordinator, token, by=other, more_than=counted)

    def added(name: str, **labels: str) -> float:
        """By what has happened since: this lab may have seen others before."""
        return sample(after, name, **labels) - sample(before_on[coordinator], name, **labels)

    assert sample(after, "outlast_node_state", node="n1", state="dead") == 1
    assert sample(after, "outlast_coordinator") == 1
    assert added("outlast_fence_attempts_total", node="n1", action="off", result="confirmed") == 1
    assert added("outlast_decisions_total", kind="assign") == 1
    for phase in ("detected", "proven", "decided", "started"):
        assert added("outlast_failover_phase_seconds_count", cause="node lost", phase=phase) == 1, phase
    detected_s = added("outlast_failover_phase_seconds_sum", cause="node lost", phase="detected")
    whole_s = added("outlast_failover_seconds_sum", cause="node lost")
    assert 5.0 <= detected_s < whole_s, "node_timeout is 5 s"
    by_the_other = told(cluster, other, token, by=coordinator)
    assert sample(by_the_other, "outlast_node_state", node="n1", state="dead") == 1
    there = {sample(one, "outlast_failover_seconds_count") for one in (by_the_other, before_on[other])}
    assert len(there) == 1, "one node counts, so that the sum is right"


def test_without_a_token_nothing_is_told(cluster: LabCluster) -> None:
    again = ("--retry", "30", "--retry-delay", "1", "--retry-connrefused")  # n1 has just got its power back
    answer = cluster.lab.run("n2", "curl", "-sSk", "--max-time", "30", *again, "https://n1:9443/metrics")
    assert json.loads(answer.stdout)["kind"] == "sign-in"


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is missing: apt-get install prometheus")
def test_prometheus_itself_reads_every_node_by_our_settings_and_answers_the_dashboard(
    cluster: LabCluster, tmp_path: Path
) -> None:
    made = cluster.client("n1").call("token.create", {"name": "reader", "role": "viewer"}, type=ApiTokenMade)
    cluster.protect("beacon", "web1", preferred_owners=("n1",))
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    queries = [query.replace("$__rate_interval", "10s").replace("$cluster", ".*") for query in asked]
    (tmp_path / "token").write_text(made.token)
    settings = (MONITORING / "prometheus.yml").read_text().replace("scrape_interval: 15s", "scrape_interval: 1s")
    settings = settings.replace("/etc/prometheus/outlast.token", "token").replace("/etc/prometheus/outlast-", "")
    (tmp_path / "prometheus.yml").write_text(settings)
    (tmp_path / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
    (tmp_path / "queries").write_text(json.dumps(["up", "ALERTS", *queries]))
    (tmp_path / "ask.py").write_text(ASK)
    done = cluster.lab.run("n2", "sh", "-c", PROMETHEUS, "sh", str(tmp_path), sys.executable, timeout_s=120)
    assert done.returncode == 0, done.stderr[-2000:]
    up, alerts, *answers = json.loads(done.stdout)
    assert {row["metric"]["instance"]: row["value"][1] for row in up["data"]["result"]} == dict.fromkeys(
        ("n1:9443", "n2:9443", "n3:9443"), "1"
    )
    assert {row["metric"]["cluster"] for row in up["data"]["result"]} == {"prod"}
    firing = {row["metric"]["alertname"] for row in alerts["data"]["result"] if row["metric"]["alertstate"] == "firing"}
    assert firing <= {"OutlastSessionNearTimeout"}, "all is well, as far as this machine is not too busy"
    assert {answer["status"] for answer in answers} == {"success"}
    shown = sum(bool(answer["data"]["result"]) for answer in answers)
    assert shown >= len(queries) / 2, "the rest is about what has not happened"


def _when_counted(cluster: LabCluster, node: str, token: str, by: str, more_than: float) -> Samples:
    """The failover's last step is seen by its coordinator a moment later than by its owner."""
    deadline = time.monotonic() + 30
    while True:
        found = told(cluster, node, token, by)
        if (
            sample(found, "outlast_failover_seconds_count", cause="node lost") > more_than
            or time.monotonic() > deadline
        ):
            return found


def _names_what_alerts_and_dashboard_name(samples: Samples) -> None:
    named = {
        name
        for file in MONITORING.iterdir()
        for line in file.read_text().splitlines()
        if not line.lstrip().startswith("#")
        for name in re.findall(r"\boutlast_[a-z_]+", line)
    }
    assert named - {name for name, _ in samples} == set()
