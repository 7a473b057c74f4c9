"""Whose pages may ask a node, and what a page is told to go on at another one."""

import asyncio

import pytest
from asking import TOKEN
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Result
from outlast.web.cluster import Cluster
from outlast.web.elsewhere import Neighbours

pytest_plugins = ("web_fixtures",)
NODES = {"me": "n1", "addresses": {"n1": "192.0.2.1", "n2": "192.0.2.2", "n3": "2001:db8::3", "n4": ""}}
OURS, STRANGER = "https://n2:9443", "https://evil.example:9443"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(autouse=True)
def nodes(fake: FakeService) -> None:
    fake.answers["web.nodes"] = Result(NODES)
    fake.answers["status"] = Result({})


def signed_in(api: TestClient) -> dict[str, str]:
    answer = api.post("/api/v1/session", json={"name": "anna", "password": "x"})
    return {"X-CSRF-Token": answer.json()["csrf"]}


def test_a_page_of_a_node_may_read_what_is_answered_and_no_other_page_may(api: TestClient) -> None:
    ours = api.get("/api/v1/status", headers={**TOKEN, "Origin": OURS}).headers
    assert ours["access-control-allow-origin"] == OURS
    assert "access-control-allow-credentials" not in ours, "a cookie never counts for another node's page"
    for origin in (STRANGER, "https://n2", "http://n2:9443", "https://n2:9444", "null"):
        headers = api.get("/api/v1/status", headers={**TOKEN, "Origin": origin}).headers
        assert "access-control-allow-origin" not in headers, origin


def test_a_browser_that_asks_before_is_told_only_for_a_page_of_a_node(api: TestClient, fake: FakeService) -> None:
    told = api.options("/api/v1/groups/web/move", headers={**ASKED, "Origin": OURS})
    assert (told.status_code, told.headers["access-control-allow-origin"]) == (204, OURS)
    assert "authorization" in told.headers["access-control-allow-headers"]
    assert api.options("/api/v1/groups/web/move", headers={**ASKED, "Origin": STRANGER}).status_code == 405
    assert fake.verbs() == ["web.nodes"]


def test_who_is_signed_in_is_told_its_word_and_the_other_nodes(api: TestClient) -> None:
    headers = signed_in(api)
    told = api.post("/api/v1/session/elsewhere", headers={**headers, "Host": "n1:9443"}).json()
    assert told == {
        "word": "outlast-session-11",
        "others": ["https://n2:9443", "https://n3:9443", "https://n4:9443"],
    }


def test_other_nodes_are_called_as_this_one_was(api: TestClient) -> None:
    headers = signed_in(api)
    told = api.post("/api/v1/session/elsewhere", headers={**headers, "Host": "192.0.2.1:9443"}).json()
    assert told["others"] == ["https://192.0.2.2:9443", "https://[2001:db8::3]:9443", "https://n4:9443"]


def test_the_word_is_told_to_no_other_site_and_to_no_token(api: TestClient, fake: FakeService) -> None:
    signed_in(api)
    assert api.post("/api/v1/session/elsewhere").status_code == 403, "without the CSRF word"
    assert api.post("/api/v1/session/elsewhere", headers=TOKEN).status_code == 400
    fake.answers["session.show"] = Refusal("sign-in", "you are not signed in any more")
    assert api.post("/api/v1/session/elsewhere", headers={"Authorization": "Bearer x"}).status_code == 401


def test_what_outlast_web_asks_for_itself_nobody_gets(api: TestClient, fake: FakeService) -> None:
    answer = api.post("/api/v1/ask/web.nodes", headers=TOKEN)
    assert (answer.status_code, fake.verbs()) == (403, [])


def test_addresses_that_an_administrator_has_set_are_called_before_all_others(fake: FakeService) -> None:
    further = ("https://a.example:9443", "https://b.example:9443")
    neighbours = Neighbours(Cluster(fake.path), further=further)
    assert asyncio.run(neighbours.others("a.example:9443")) == ["https://b.example:9443"]
    assert set(further) < set(asyncio.run(neighbours.origins()))


def test_without_the_cluster_service_no_page_of_others_may_ask(api: TestClient, fake: FakeService) -> None:
    fake.path.unlink()
    assert "access-control-allow-origin" not in api.get("/api/v1/status", headers={"Origin": OURS}).headers
