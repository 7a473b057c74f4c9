"""Every verb has its request, and every request asks its verb."""

import re

import pytest
from asking import TOKEN
from starlette.testclient import TestClient

from fake_service import FakeService, Record, Refusal, Result
from outlast.core.access.permissions import NEEDS, NODE_ONLY
from outlast.service.commands.registry import COMMANDS, STREAMS
from outlast.web.arguments import LONGEST_BODY, type_of
from outlast.web.problems import MEDIA_TYPE, STATUS
from outlast.web.routes import EXCLUDED, PREFIX, ROUTES, Route

pytest_plugins = ("web_fixtures",)


def test_every_verb_has_a_request_or_a_reason_why_not() -> None:
    routed = [route.verb for route in ROUTES]
    assert len(routed) == len(set(routed))
    assert {*routed, *EXCLUDED} == {*COMMANDS, *STREAMS}
    assert not {*routed} & {*EXCLUDED}
    assert {*NODE_ONLY} <= {*EXCLUDED}


def test_no_two_verbs_are_asked_by_one_request_and_parts_of_paths_are_arguments() -> None:
    requests = [(route.method, re.sub(r"{\w+}", "{}", route.path)) for route in ROUTES]
    assert len(requests) == len(set(requests))
    for route in ROUTES:
        assert set(re.findall(r"{(\w+)}", route.path)) <= set(type_of(route.verb).__struct_fields__), route


def test_what_changes_something_is_no_get_and_what_looks_is_one() -> None:
    looks_with_a_body = {"cluster.would_set", "group.wait", "resource.wait", "node.wait", "volume.wait"}
    for route in ROUTES:
        changes = NEEDS[route.verb].changes
        assert (route.method == "GET") is not (changes or route.verb in looks_with_a_body), route


def test_what_is_begun_is_followed_by_a_verb_that_streams_and_undone_by_one_that_there_is() -> None:
    for route in ROUTES:
        assert route.then == "" or route.then in STREAMS
        assert route.undo == "" or route.undo in COMMANDS


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.verb)
def test_each_request_asks_for_its_verb_with_what_is_in_the_path(
    api: TestClient, fake: FakeService, route: Route
) -> None:
    verb, method, path = route[:3]
    fake.answers[verb] = Refusal("denied", f"{verb} is not for you")
    answer = api.request(method, PREFIX + re.sub(r"{(\w+)}", r"the \1", path), headers=TOKEN)
    if verb in STREAMS:
        answer = api.get(f"{answer.headers['location']}?wait_s=60", headers=TOKEN)
        assert (answer.json()["state"], answer.json()["why"]) == ("failed", f"{verb} is not for you")
    else:
        assert (answer.status_code, answer.json()["detail"]) == (403, f"{verb} is not for you")
    asked = {name: value for name, value in fake.arguments(verb).items() if name != "timeout_s"}
    assert asked == {name: f"the {name}" for name in re.findall(r"{(\w+)}", path)}


def test_arguments_come_from_the_query_as_what_they_are(api: TestClient, fake: FakeService) -> None:
    fake.answers["events"] = fake.answers["what_if.node_down"] = Result([])
    api.get("/api/v1/events?limit=5&group=web", headers=TOKEN)
    assert fake.arguments("events") == {"limit": 5, "group": "web"}
    api.get("/api/v1/what-if/node-down?nodes=n1&nodes=n2", headers=TOKEN)
    assert fake.arguments("what_if.node_down") == {"nodes": ["n1", "n2"]}


@pytest.mark.parametrize("query", ["limit=many", "limit=1&limit=2", "colour=red"])
def test_a_query_that_cannot_be_meant_is_refused(api: TestClient, fake: FakeService, query: str) -> None:
    answer = api.get(f"/api/v1/events?{query}", headers=TOKEN)
    assert (answer.status_code, answer.headers["content-type"]) == (400, MEDIA_TYPE)
    assert fake.verbs() == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[1]", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"name": "other"}', "application/json", 400),
        (b'{"to": 99999999999999999999999999}', "application/json", 400),
        (b"to=n2", "application/x-www-form-urlencoded", 415),
        (b'{"to": "n2"}', "text/plain", 415),
        (b"x" * (LONGEST_BODY + 1), "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    api: TestClient, fake: FakeService, body: bytes, kind: str, status: int
) -> None:
    fake.answers["group.move"] = Refusal("usage", "to: expected text")
    answer = api.post("/api/v1/groups/web/move", content=body, headers={**TOKEN, "Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["kind"] in ("usage", "media-type", "too-large")


@pytest.mark.parametrize(
    ("kind", "cause", "status"),
    [
        ("usage", "", 400),
        ("usage", "missing", 404),
        ("sign-in", "", 401),
        ("denied", "", 403),
        ("impossible", "", 409),
        ("changed", "", 412),
        ("failed", "", 422),
        ("limited", "", 429),
        ("failed", "bug", 500),
        ("no-contact", "", 503),
        ("of a later version", "", 422),
    ],
)
def test_what_could_not_be_done_is_told_in_the_words_of_the_command_line(
    api: TestClient, fake: FakeService, kind: str, cause: str, status: int
) -> None:
    fake.answers["status"] = Refusal(kind, "the words", cause)
    answer = api.get("/api/v1/status", headers=TOKEN)
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    told = answer.json()
    assert (told["detail"], told["kind"], told["status"]) == ("the words", kind, status)
    assert told["title"] == STATUS.get(cause or kind, STATUS["failed"])[1]


def test_what_is_not_there_is_a_problem_too(api: TestClient) -> None:
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/nodes", 405), ("GET", "/x", 404)):
        answer = api.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)


def test_without_the_cluster_service_there_is_no_contact(api: TestClient, fake: FakeService) -> None:
    fake.path.unlink()
    answer = api.get("/api/v1/status", headers=TOKEN)
    assert (answer.status_code, answer.json()["kind"]) == (503, "no-contact")


def test_a_record_has_an_etag_and_is_changed_only_as_it_was_seen(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.show"] = Record({"name": "web"}, 41)
    etag = api.get("/api/v1/groups/web", headers=TOKEN).headers["etag"]
    fake.answers["group.set"] = Record({"name": "web"}, 42)
    change = {"values": {"priority": "high"}}
    api.patch("/api/v1/groups/web", json=change, headers={**TOKEN, "If-Match": etag})
    assert fake.requests[-1]["as_seen"] == 41
    api.patch("/api/v1/groups/web", json=change, headers=TOKEN)
    assert "as_seen" not in fake.requests[-1], "who sets no condition changes it however it is"


@pytest.mark.parametrize("etag", ["41", '"x"', '"1", "2"', '"0"', '"' + "9" * 30 + '"'])
def test_a_condition_that_cannot_hold_is_no_condition_that_is_left_out(
    api: TestClient, fake: FakeService, etag: str
) -> None:
    answer = api.patch("/api/v1/groups/web", json={"values": {}}, headers={**TOKEN, "If-Match": etag})
    assert answer.status_code == 412
    assert fake.verbs() == []


def test_what_everybody_must_be_told_stands_in_a_header(api: TestClient, fake: FakeService) -> None:
    fake.answers["status"], fake.notice = Result({}), "the cluster is not armed"
    assert api.get("/api/v1/status", headers=TOKEN).headers["outlast-notice"] == "the cluster is not armed"


def test_every_answer_tells_the_browser_what_it_must_not_do(api: TestClient, fake: FakeService) -> None:
    fake.answers["status"] = Result({})
    for path in ("/api/v1/status", "/api/v1/openapi.json", "/nothing"):
        headers = api.get(path, headers=TOKEN).headers
        assert "script-src" not in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert api.get("/api/v1/status", headers=TOKEN).headers["cache-control"] == "no-store"
