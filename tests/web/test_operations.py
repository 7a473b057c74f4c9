"""What takes its time: begun, followed, waited for, taken back."""

from typing import Any

import pytest
from asking import TOKEN
from starlette.testclient import TestClient

from fake_service import FakeService, Refusal, Result, Stream, Unending
from outlast.model.access_answers import SessionRow

pytest_plugins = ("web_fixtures",)
ROW = {"name": "web", "state": "online", "owner": "n2", "settled": True, "why": ""}
WAITS = {**TOKEN, "Prefer": "wait=30"}


def begun(api: TestClient, path: str = "/groups/web/move", headers: dict[str, str] = WAITS) -> dict[str, Any]:
    answer = api.post(f"/api/v1{path}", headers=headers)
    assert answer.status_code in (200, 202), answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/operations/{found['id']}"
    return found


def test_it_is_followed_until_it_is_done_and_keeps_the_last_that_was_told(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.move"] = Result(ROW)
    fake.answers["group.wait"] = Stream([{**ROW, "settled": False, "state": "online pending"}, ROW])
    done = begun(api)
    assert (done["state"], done["by"], done["verb"], done["progress"]) == ("done", "anna", "group.move", ROW)
    assert fake.requests[-1]["credential"] == "outlast-api-00"
    assert [one["id"] for one in api.get("/api/v1/operations", headers=TOKEN).json()] == [done["id"]]


def test_what_failed_says_why(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.online"] = Result(ROW)
    fake.answers["group.wait"] = Stream([{**ROW, "state": "failed", "why": "no node can run it"}])
    ended = begun(api, "/groups/web/online")
    assert (ended["state"], ended["why"]) == ("failed", "no node can run it")


def test_of_a_resource_its_own_state_counts_not_that_of_its_group(api: TestClient, fake: FakeService) -> None:
    row = {
        **ROW,
        "state": "partially online",
        "members": [{"name": "tool", "state": "failed", "why": "x", "settled": 1}],
    }
    row["members"][0]["settled"] = True  # type: ignore[index]
    fake.answers["resource.online"], fake.answers["resource.wait"] = Result(ROW), Stream([row])
    assert begun(api, "/resources/tool/online")["state"] == "failed"


def test_what_was_refused_begins_nothing(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.move"] = Refusal("impossible", "web is locked")
    assert api.post("/api/v1/groups/web/move", headers=TOKEN).status_code == 409
    assert api.get("/api/v1/operations", headers=TOKEN).json() == []


def test_what_is_only_tried_out_is_answered_at_once(api: TestClient, fake: FakeService) -> None:
    fake.answers["volume.resize"] = Result({"id": "", "stage": "asked"})
    answer = api.post("/api/v1/volumes/v/images/i/resize", json={"bytes": 1, "what_if": True}, headers=TOKEN)
    assert answer.json() == {"id": "", "stage": "asked"}


@pytest.mark.parametrize(("stage", "state"), [("done", "done"), ("refused", "failed"), ("cut short", "failed")])
def test_a_change_of_an_image_is_followed_by_its_id(api: TestClient, fake: FakeService, stage: str, state: str) -> None:
    fake.answers["volume.resize"] = Result({"id": "c1", "stage": "asked"})
    fake.answers["volume.wait"] = Stream([{"id": "c1", "stage": stage, "words": "so it went"}])
    answer = api.post("/api/v1/volumes/v/images/i/resize", json={"bytes": 1}, headers=WAITS)
    assert answer.json()["state"] == state
    asked = fake.arguments("volume.wait")
    assert (asked["volume"], asked["id"]) == ("v", "c1")


def test_while_it_runs_it_can_be_taken_back(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.move"] = fake.answers["group.call_back"] = Result(ROW)
    fake.answers["group.wait"] = Unending([{**ROW, "settled": False}])
    running = begun(api, headers=TOKEN)
    assert running["state"] == "running"
    cancelled = api.delete(f"/api/v1/operations/{running['id']}", headers=TOKEN).json()
    assert cancelled["state"] == "cancelled"
    assert fake.arguments("group.call_back") == {"name": "web"}
    again = api.delete(f"/api/v1/operations/{running['id']}", headers=TOKEN)
    assert (again.status_code, again.json()["detail"]) == (409, "it is cancelled already: there is nothing to cancel")


def test_what_is_too_late_to_take_back_goes_on(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.move"] = Result(ROW)
    fake.answers["group.wait"] = Unending([{**ROW, "settled": False}])
    fake.answers["group.call_back"] = Refusal("impossible", "too late")
    running = begun(api, headers=TOKEN)
    assert api.delete(f"/api/v1/operations/{running['id']}", headers=TOKEN).status_code == 409
    assert api.get(f"/api/v1/operations/{running['id']}", headers=TOKEN).json()["state"] == "running"


def test_only_who_began_it_and_administrators_end_what_cannot_be_taken_back(api: TestClient, fake: FakeService) -> None:
    fake.answers["group.online"] = Result(ROW)
    fake.answers["group.wait"] = Unending([{**ROW, "settled": False}])
    running = begun(api, "/groups/web/online", TOKEN)
    assert running["cancellable"] is False
    fake.answers["session.show"] = Result(SessionRow("otto", "operator", (), 0.0))
    assert api.delete(f"/api/v1/operations/{running['id']}", headers=TOKEN).status_code == 403
    fake.answers["session.show"] = Result(SessionRow("anna", "operator", (), 0.0))
    assert api.delete(f"/api/v1/operations/{running['id']}", headers=TOKEN).json()["state"] == "cancelled"


def test_nobody_sees_operations_who_is_not_signed_in(api: TestClient, fake: FakeService) -> None:
    fake.answers["session.show"] = Refusal("sign-in", "nobody is signed in")
    for path in ("/operations", "/operations/x", "/operations/x?wait_s=60"):
        assert api.get(f"/api/v1{path}").status_code == 401


def test_an_operation_that_there_is_not_is_missing(api: TestClient) -> None:
    assert api.get("/api/v1/operations/x", headers=TOKEN).status_code == 404
    assert api.get("/api/v1/operations/x?wait_s=-1", headers=TOKEN).status_code == 400
