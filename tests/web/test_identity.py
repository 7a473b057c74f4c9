"""Who asks: by a session in a cookie, or by a token; and what another site cannot make a browser do."""

import pytest
from asking import TOKEN
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Result
from outlast.core.access.credentials import csrf_of
from outlast.web.identity import COOKIE

pytest_plugins = ("web_fixtures",)
SESSION = "outlast-session-11"


def sign_in(api: TestClient) -> str:
    """The word to send along with changes."""
    answer = api.post("/api/v1/session", json={"name": "anna", "password": "correct horse"})
    assert answer.status_code == 201
    word: str = answer.json()["csrf"]
    return word


def test_who_signs_in_has_a_cookie_that_no_script_and_no_other_site_gets(api: TestClient, fake: FakeService) -> None:
    answer = api.post("/api/v1/session", json={"name": "anna", "password": "correct horse"})
    cookie = answer.headers["set-cookie"].lower()
    for word in ("httponly", "secure", "samesite=strict", "path=/"):
        assert word in cookie
    assert "domain" not in cookie
    assert SESSION not in answer.text
    assert fake.requests[-1]["address"] == "testclient"


def test_the_cookie_is_what_the_service_is_asked_with(api: TestClient, fake: FakeService) -> None:
    sign_in(api)
    fake.answers["status"] = Result({})
    api.get("/api/v1/status")
    assert fake.requests[-1]["credential"] == SESSION


def test_a_token_counts_more_than_a_cookie(api: TestClient, fake: FakeService) -> None:
    sign_in(api)
    fake.answers["status"] = Result({})
    api.get("/api/v1/status", headers=TOKEN)
    assert fake.requests[-1]["credential"] == "outlast-api-00"


@pytest.mark.parametrize("sent", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf_of("another session")}])
def test_a_change_by_cookie_without_the_word_of_the_page_is_refused(
    api: TestClient, fake: FakeService, sent: dict[str, str]
) -> None:
    sign_in(api)
    before = len(fake.asked)
    for method, path in (("POST", "/groups/web/lock"), ("DELETE", "/session"), ("PATCH", "/cluster")):
        answer = api.request(method, f"/api/v1{path}", headers=sent)
        assert (answer.status_code, answer.json()["kind"]) == (403, "denied")
    assert len(fake.asked) == before


def test_with_the_word_it_is_done_and_the_page_can_ask_for_it_again(api: TestClient, fake: FakeService) -> None:
    word = sign_in(api)
    fake.answers["group.lock"] = Result({})
    assert api.get("/api/v1/session").json()["csrf"] == word
    assert api.post("/api/v1/groups/web/lock", headers={"X-CSRF-Token": word}).status_code == 200


def test_a_token_needs_no_such_word_and_is_told_none(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.lock"] = Result({})
    assert api.post("/api/v1/groups/web/lock", headers=TOKEN).status_code == 200
    assert api.get("/api/v1/session", headers=TOKEN).json()["csrf"] == ""


def test_who_signs_out_has_no_cookie_any_more(api: TestClient, fake: FakeService) -> None:
    word = sign_in(api)
    answer = api.delete("/api/v1/session", headers={"X-CSRF-Token": word})
    assert answer.status_code == 200
    assert COOKIE not in api.cookies


def test_a_wrong_password_is_told_in_words_and_gives_no_cookie(api: TestClient, fake: FakeService) -> None:
    fake.answers["session.open"] = Refusal("sign-in", "the name or the password is wrong")
    answer = api.post("/api/v1/session", json={"name": "anna", "password": "wrong"})
    assert (answer.status_code, answer.json()["detail"]) == (401, "the name or the password is wrong")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("given", ["Basic YTpi", "Bearer", "outlast-api-00"])
def test_another_kind_of_authorization_is_nobody(api: TestClient, fake: FakeService, given: str) -> None:
    assert api.get("/api/v1/status", headers={"Authorization": given}).status_code == 401
    assert fake.verbs() == []


def test_what_is_said_about_where_it_comes_from_is_not_believed(api: TestClient, fake: FakeService) -> None:
    fake.answers["status"] = Result({})
    api.get("/api/v1/status", headers={**TOKEN, "X-Forwarded-For": "10.0.0.1"})
    assert fake.requests[-1]["address"] == "testclient"
