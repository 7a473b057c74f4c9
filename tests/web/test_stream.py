"""The stream of changes: what is sent, and that who comes again misses nothing."""

import json
from typing import Any

from asking import TOKEN
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Stream, Unending
from outlast.web.stream import difference, message

pytest_plugins = ("web_fixtures",)
EVENTS = {**TOKEN, "Accept": "text/event-stream"}
STATUS: dict[str, Any] = {
    "name": "c", "revision": 1, "age_s": 0.0, "coordinator": "n1",
    "nodes": [{"name": "n1", "state": "up", "last_record_s": 0.1}],
    "groups": [{"name": "web", "state": "online"}],
    "vms": [],
}  # fmt: skip


def told(api: TestClient, headers: dict[str, str] = EVENTS, query: str = "") -> list[tuple[str, str, Any]]:
    """Until the service ends it: kind, id and data of each."""
    answer = api.get(f"/api/v1/events{query}", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], lines.get("id", ""), json.loads(lines["data"])))
    return found


def test_it_begins_with_all_there_is_and_goes_on_with_what_is_different(api: TestClient, fake: FakeService) -> None:
    moved = {**STATUS, "revision": 2, "groups": [{"name": "web", "state": "failed"}]}
    fake.answers["events.follow"] = Unending()
    fake.answers["follow"] = Stream([STATUS, {**STATUS, "revision": 7}, moved])
    found = [one for one in told(api) if one[0] in ("snapshot", "change")]
    assert found == [
        ("snapshot", "", STATUS),
        ("change", "", {"groups": [{"name": "web", "state": "failed"}]}),
    ]


def test_an_event_has_its_id_and_who_has_it_gets_what_came_after(api: TestClient, fake: FakeService) -> None:
    event = {"id": "0001-n1-00001", "words": "web1 failed"}
    fake.answers["events.follow"] = Stream([event])
    assert ("event", "0001-n1-00001", event) in told(api, {**EVENTS, "Last-Event-ID": "0000-n1-00001"}, "?state=no")
    assert fake.arguments("events.follow") == {"after": "0000-n1-00001"}
    assert "follow" not in fake.verbs()


def test_who_was_away_for_too_long_is_told_to_read_anew(api: TestClient, fake: FakeService) -> None:
    fake.answers["events.follow"] = Refusal("usage", "there is no such event any more", "missing")
    found = told(api, EVENTS, "?state=no&last_event_id=gone")
    assert found[0] == ("reset", "", {})
    assert fake.arguments("events.follow") == {}, "and is told what comes from now on"


def test_it_ends_with_the_reason_when_who_listens_may_not_look_any_more(api: TestClient, fake: FakeService) -> None:
    fake.answers["events.follow"] = Refusal("sign-in", "you are not signed in any more")
    assert told(api, EVENTS, "?state=no") == [
        ("end", "", {"kind": "sign-in", "message": "you are not signed in any more"})
    ]


def test_who_may_not_look_gets_no_stream(api: TestClient, fake: FakeService) -> None:
    fake.answers["session.show"] = Refusal("sign-in", "nobody is signed in")
    assert api.get("/api/v1/events", headers=EVENTS).status_code == 401


def test_what_is_another_at_every_look_is_no_change() -> None:
    later = {**STATUS, "revision": 9, "age_s": 1.0, "nodes": [{**STATUS["nodes"][0], "last_record_s": 0.9}]}
    assert difference(STATUS, later) == {}


def test_what_came_what_is_gone_and_what_is_different_of_the_rest() -> None:
    later = {**STATUS, "coordinator": "n2", "groups": [], "vms": [{"name": "web1"}]}
    assert difference(STATUS, later) == {
        "cluster": {"coordinator": "n2"},
        "vms": [{"name": "web1"}],
        "gone": {"groups": ["web"]},
    }


def test_an_id_cannot_break_out_of_its_line() -> None:
    assert message("event", b"{}", "x\ndata: y") == b"event: event\ndata: {}\n\n"
