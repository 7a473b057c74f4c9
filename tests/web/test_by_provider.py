"""What a browser is given on the way to a provider and back, and what is handed on of it."""

import pytest
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Result
from outlast.model.access_answers import SessionBegun, SessionRow, SignInBegun, SignInWay
from outlast.web.by_provider import COOKIE
from outlast.web.identity import COOKIE as SESSION_COOKIE

pytest_plugins = ("web_fixtures",)
BEGUN = SignInBegun("https://login.example/enter?state=1", "sealed-flow")
ROW = SessionRow("anna (OpenID Connect)", "viewer", (), 0.0)


@pytest.fixture
def here(api: TestClient, fake: FakeService) -> TestClient:
    """The browser shows a page of n1."""
    fake.answers["web.nodes"] = Result({"me": "n1", "addresses": {"n1": "10.0.0.1", "n2": ""}})
    fake.answers["session.to_provider"] = Result(BEGUN)
    fake.answers["session.from_provider"] = Result(SessionBegun("outlast-session-22", ROW))
    api.base_url = "https://n1:9443"
    return api


def test_everybody_may_know_which_ways_there_are(here: TestClient, fake: FakeService) -> None:
    fake.answers["session.ways"] = Result([SignInWay("openid", "Example")])
    assert here.get("/api/v1/session/ways").json() == [{"way": "openid", "label": "Example"}]


def test_who_leaves_gets_a_cookie_that_no_script_and_no_other_site_gets(here: TestClient, fake: FakeService) -> None:
    answer = here.post("/api/v1/session/to-provider", json={})
    assert answer.json() == {"url": BEGUN.url}
    assert "sealed-flow" not in answer.text
    assert fake.arguments("session.to_provider") == {"origin": "https://n1:9443"}
    cookie = answer.headers["set-cookie"].lower()
    for word in (f"{COOKIE.lower()}=", "httponly", "secure", "samesite=strict", "path=/", "max-age=600"):
        assert word in cookie
    assert "domain" not in cookie


def test_a_page_of_an_address_that_is_not_the_clusters_sends_nobody_anywhere(
    here: TestClient, fake: FakeService
) -> None:
    for host in ("evil.example", "n1:9444", "n1", ""):
        answer = here.post("/api/v1/session/to-provider", json={}, headers={"Host": host})
        assert (answer.status_code, answer.json()["kind"]) == (409, "impossible")
    assert "session.to_provider" not in fake.verbs()


def test_who_comes_back_is_signed_in_and_the_way_is_forgotten(here: TestClient, fake: FakeService) -> None:
    here.post("/api/v1/session/to-provider", json={})
    answer = here.post("/api/v1/session/from-provider", json={"code": "c", "state": "s"})
    assert answer.status_code == 201
    assert answer.json()["user"] == "anna (OpenID Connect)"
    assert answer.json()["csrf"]
    assert "outlast-session-22" not in answer.text
    assert fake.arguments("session.from_provider") == {"code": "c", "state": "s", "flow": "sealed-flow"}
    assert here.cookies.get(SESSION_COOKIE) == "outlast-session-22"
    assert COOKIE not in here.cookies


def test_the_cookie_alone_says_what_was_begun(here: TestClient, fake: FakeService) -> None:
    answer = here.post("/api/v1/session/from-provider", json={"code": "c", "state": "s", "flow": "another"})
    assert answer.status_code == 400
    here.post("/api/v1/session/from-provider", json={"code": "c", "state": "s"})
    assert fake.arguments("session.from_provider")["flow"] == ""


def test_nobody_begins_or_ends_it_past_the_cookie(here: TestClient, fake: FakeService) -> None:
    for verb in ("session.to_provider", "session.from_provider"):
        answer = here.post(f"/api/v1/ask/{verb}", json={"origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["kind"]) == (403, "denied")
    assert fake.verbs() == []


def test_a_form_of_another_site_begins_and_ends_nothing(here: TestClient, fake: FakeService) -> None:
    for path in ("to-provider", "from-provider"):
        answer = here.post(f"/api/v1/session/{path}", data={"code": "c", "state": "s"})
        assert answer.status_code == 415
    assert set(fake.verbs()) <= {"web.nodes"}


def test_what_is_refused_is_a_problem_in_words_and_gives_no_cookie(here: TestClient, fake: FakeService) -> None:
    fake.answers["session.from_provider"] = Refusal("denied", "gus has no role here")
    answer = here.post("/api/v1/session/from-provider", json={"code": "c", "state": "s"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["detail"]) == (403, "gus has no role here")
    assert SESSION_COOKIE not in here.cookies
