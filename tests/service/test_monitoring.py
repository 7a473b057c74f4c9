"""Alert rules and dashboard (packaging/monitoring) name what is really told, and do what they are for.

What is told comes from the real cluster service in the simulated world; what the rules make of it is judged by the
`promtool` of Prometheus (Debian package prometheus).
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from played import asked, play, played
from prometheus_client.parser import text_string_to_metric_families

from outlast.core.coordinator.phases import PHASES
from outlast.core.foresight.protection import Level
from outlast.model.answers import MEMBERS
from outlast.model.metrics import Metrics
from outlast.model.status import State
from outlast.service.fence.ladder import CONFIRMED, ENDED, FAILED
from outlast.service.hosting.hosts import ENDS
from outlast.service.measuring.database import COMMIT, FAILURES, READ
from outlast.web.families import FAMILIES, GROUP_STATES, PROTECTIONS
from outlast.web.metrics import exposition

HOUSE = Path(__file__).parents[2]
MONITORING = HOUSE / "packaging/monitoring"
ALERTS = MONITORING / "alerts.yml"
TRIED = HOUSE / "tests/monitoring/alerts_test.yml"
NAME = re.compile(r"\boutlast_[a-z_]+")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
OF_PROMETHEUS = {"instance", "job", "le", "cluster"}
WORDS = {
    "state": {state.value for state in State} | {*MEMBERS, "silent", "dead", "out"},
    "wanted": {"online", "offline"},
    "protection": {level.value for level in Level},
    "operation": {READ, COMMIT},
    "kind": set(FAILURES),
    "result": {CONFIRMED, FAILED, ENDED},
    "action": {"off", "on"},
    "reason": set(ENDS),
    "cause": {cause.value for cause in PHASES},
    "job": {"outlast"},
}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


@pytest.fixture(scope="module")
def told() -> str:
    """By the coordinator, after a node was lost and a VM failed elsewhere."""
    world = "world members=3 memory=4096"
    with played(world, "vm web1 preferred=n1", "vm web2 preferred=n2", "start", "run 30", "power off n1") as running:
        play(running, "run 40", "kill vm web2", "run 20")
        coordinator = asked(running, "n2", "status")["coordinator"]
        metrics = msgspec.convert(asked(running, coordinator, "metrics"), Metrics)
    return exposition(metrics)[0].decode()


@pytest.fixture(scope="module")
def samples(told: str) -> dict[str, set[str]]:
    """Names of samples, as queries have them, and their labels."""
    families = text_string_to_metric_families(told)
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    return found


def queries_of_the_dashboard() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def queries() -> list[str]:
    return [*(rule["expr"] for rule in alerts()), *queries_of_the_dashboard()]


def promtool(*arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    command = ["promtool", *arguments]
    return subprocess.run(command, input=told, capture_output=True, text=True, timeout=60, cwd=HOUSE, check=False)


def labels_in(query: str) -> Iterator[str]:
    yield from (match[1] for match in MATCHER.finditer(query))
    for listed in re.findall(r"\b(?:by|on|group_left|without) ?\(([^)]*)\)", query):
        yield from (label.strip() for label in listed.split(",") if label.strip())


def test_every_metric_of_the_table_is_told(samples: dict[str, set[str]]) -> None:
    assert [one.name for one in FAMILIES if not {one.name, f"{one.name}_bucket"} & set(samples)] == []
    assert {name for name in samples if not name.startswith("outlast_")} == set()


@needs_promtool
def test_names_and_units_are_as_prometheus_wants_them(told: str) -> None:
    done = promtool("check", "metrics", told=told)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_was_counted_is_what_happened(told: str) -> None:
    found = {sample.name: sample for family in text_string_to_metric_families(told) for sample in family.samples}
    lost = [
        sample
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "outlast_failover_seconds_count" and sample.labels["cause"] == "node lost"
    ]
    assert [sample.value for sample in lost] == [1]
    assert found["outlast_quorum_margin"].value == 0
    assert "outlast_node_memory_bytes" in found


def test_states_that_are_counted_are_all_there_are() -> None:
    assert set(GROUP_STATES) == {state.value for state in State}
    assert set(PROTECTIONS) == {level.value for level in Level}


def test_rules_and_dashboard_name_only_what_is_told(samples: dict[str, set[str]]) -> None:
    named = {name for query in queries() for name in NAME.findall(query)}
    assert named - set(samples) == set()
    assert len(named) > len(FAMILIES) / 2, "there is something to look at"


def test_they_name_only_labels_that_there_are(samples: dict[str, set[str]]) -> None:
    wrong = {
        (label, query)
        for query in queries()
        for label in set(labels_in(query)) - OF_PROMETHEUS
        if label not in set().union(*(samples[name] for name in NAME.findall(query)))
    }
    assert wrong == set()


def test_they_ask_for_words_that_are_said() -> None:
    wrong = {
        (label, word)
        for query in queries()
        for label, _, words in MATCHER.findall(query)
        if label in WORDS
        for word in words.split("|")
        if word not in WORDS[label]
    }
    assert wrong == set()


@needs_promtool
def test_promtool_takes_the_rules_and_the_settings_for_prometheus() -> None:
    checked = promtool("check", "rules", str(ALERTS))
    assert (checked.returncode, "SUCCESS" in checked.stdout) == (0, True), checked.stderr
    settings = promtool("check", "config", "--syntax-only", str(MONITORING / "prometheus.yml"))
    assert settings.returncode == 0, settings.stderr


@needs_promtool
def test_each_alert_is_raised_when_it_should_be_and_not_before() -> None:
    done = promtool("test", "rules", str(TRIED))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_both_raised_and_not() -> None:
    tried = [each for test in yaml.safe_load(TRIED.read_text())["tests"] for each in test["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {each["alertname"] for each in tried if each.get("exp_alerts")} == names
    assert {each["alertname"] for each in tried if not each.get("exp_alerts")} == names


def test_each_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_what_an_alert_says_to_type_there_is() -> None:
    commands = (HOUSE / "docs/commands.md").read_text()
    said = {
        " ".join(words.split()[:3])
        for rule in alerts()
        for words in re.findall(r"`(outlast [^`]*)`", rule["annotations"]["description"])
    }
    known = {one for one in said if f"`{one}`" in commands or f"`{' '.join(one.split()[:2])}`" in commands}
    assert said - known == set()


@needs_promtool
def test_prometheus_understands_each_query_of_the_dashboard(tmp_path: Path) -> None:
    replaced = [
        query.replace("$__rate_interval", "1m").replace("$cluster", ".*") for query in queries_of_the_dashboard()
    ]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(replaced)]
    written = tmp_path / "queries.yml"
    written.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", str(written))
    assert done.returncode == 0, done.stderr


def test_panels_of_the_dashboard_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_metric_is_explained_with_its_labels() -> None:
    page = (HOUSE / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(outlast_[a-z_]+)` \| ([^|]*) \|([^|]*)\|", page, re.MULTILINE)
    explained = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    assert explained == {one.name: set(one.labels) for one in FAMILIES}
    kinds = {name: kind.strip() for name, kind, _ in rows}
    assert kinds == {one.name: type(one).__name__.lower() for one in FAMILIES}
    assert {rule["alert"] for rule in alerts()} == set(re.findall(r"^\| `(Outlast\w+)` \|", page, re.MULTILINE))
