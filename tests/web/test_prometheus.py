"""GET /metrics: who may, and in which format."""

from collections.abc import Iterator

import pytest
from asking import TOKEN
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Result
from outlast.model.metrics import Distribution, GroupMetrics, Metrics, PhaseMetrics
from outlast.web import metrics
from outlast.web.app import application
from outlast.web.cluster import Cluster

pytest_plugins = ("web_fixtures",)

TOOK = Distribution((1.0, 5.0), (0, 2, 1), 17.5)
TOLD = Metrics(
    cluster="prod",
    node="n1",
    version="0.1.0",
    armed=True,
    held=False,
    alarms=0,
    term=3,
    coordinates=True,
    node_timeout_s=5.0,
    permit_s=4.25,
    permit_left_s=3.5,
    database_age_s=0.0,
    quorum=None,
    nodes=(),
    groups=(GroupMetrics('a "quoted"\\name', "n1", "online", "online", "at risk"),),
    resources=(),
    decisions={"assign": 2},
    failovers=(PhaseMetrics("node lost", "whole", TOOK),),
    database=(),
    calls=(),
    hosts=(),
    fencing=(),
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def node(fake: FakeService) -> Iterator[TestClient]:
    fake.answers["metrics"] = Result(TOLD)
    cluster = Cluster(fake.path)
    with TestClient(application(cluster, metrics.routes(cluster)), base_url="https://testserver") as client:
        yield client


def test_it_is_asked_with_an_api_token_and_the_service_judges_it(node: TestClient, fake: FakeService) -> None:
    assert node.get("/metrics", headers=TOKEN).status_code == 200
    assert (fake.verbs(), fake.requests[0]["credential"]) == (["metrics"], "outlast-api-00")
    fake.answers["metrics"] = Refusal("sign-in", "nobody is signed in: sign in, or use an API token")
    answer = node.get("/metrics")
    assert (answer.status_code, answer.json()["kind"]) == (401, "sign-in")


def test_a_cluster_service_that_is_away_is_no_empty_exposition(node: TestClient, fake: FakeService) -> None:
    fake.answers["metrics"] = Refusal("no-contact", "the cluster service does not answer")
    assert node.get("/metrics", headers=TOKEN).status_code == 503


def test_prometheus_gets_the_format_that_it_asks_for(node: TestClient) -> None:
    plain = node.get("/metrics", headers=TOKEN)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert plain.headers["cache-control"] == "no-store"
    modern = node.get("/metrics", headers={**TOKEN, "Accept": OPENMETRICS})
    assert modern.headers["content-type"].startswith(OPENMETRICS)
    for parsed in (text_format(plain.text), openmetrics(modern.text)):  # type: ignore[no-untyped-call]  # has no types
        samples = {sample.name: sample for family in parsed for sample in family.samples}
        assert samples["outlast_decisions_total"].value == 2
        assert samples["outlast_group_state"].labels["group"] == 'a "quoted"\\name'
        assert "outlast_quorum" not in samples, "nobody votes"


def test_buckets_are_added_up_as_prometheus_wants_them(node: TestClient) -> None:
    families = {family.name: family for family in text_format(node.get("/metrics", headers=TOKEN).text)}
    samples = families["outlast_failover_seconds"].samples
    assert [(one.labels["le"], one.value) for one in samples if one.name.endswith("_bucket")] == [
        ("1.0", 0), ("5.0", 2), ("+Inf", 3),
    ]  # fmt: skip
    assert {one.name: one.value for one in samples if not one.name.endswith("_bucket")} == {
        "outlast_failover_seconds_sum": 17.5,
        "outlast_failover_seconds_count": 3,
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_can_only_be_read(node: TestClient, method: str) -> None:
    assert node.request(method, "/metrics", headers=TOKEN).status_code == 405
