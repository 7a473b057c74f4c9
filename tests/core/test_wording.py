"""What a notice says, to programs and to people."""

import json

from notice_builders import event, rule

from outlast.core.notices.wording import LONGEST_SUBJECT, MOST_TOLD, body, notice, subject, summary, text
from outlast.model.notice import Severity

DEAD = event(kind="node-dead", words="n1 is dead", about="n1", node="n2", reasons=("its board says off",))
MANY = [event(n, "online" if n < 30 else "failed") for n in range(40)]


def test_programs_get_the_event_with_an_id_and_a_severity() -> None:
    told = json.loads(body(notice(rule(), "prod", DEAD)))
    assert (told["id"], told["rule"], told["cluster"]) == (f"ops/{DEAD.id}", "ops", "prod")
    assert (told["severity"], told["words"], told["held_back"]) == ("critical", "n1 is dead", 0)
    [one] = told["events"]
    assert (one["kind"], one["at"], one["about"]) == ("node-dead", "2026-09-21T14:13:20.000Z", "n1")
    assert one["reasons"] == ["its board says off"]


def test_a_sum_tells_how_many_of_what_and_the_worst_of_them() -> None:
    told = json.loads(body(summary(rule(), "prod", MANY)))
    assert (told["held_back"], told["kinds"], told["severity"]) == (40, {"online": 30, "failed": 10}, "critical")
    assert [one["kind"] for one in told["events"]][:11] == ["failed"] * 10 + ["online"]
    assert len(told["events"]) == MOST_TOLD
    assert told["id"] == f"ops/{MANY[0].id}..{MANY[-1].id}"


def test_people_read_when_where_why_and_what_to_ask_next() -> None:
    told = text(notice(rule(), "prod", event(kind="failed", words="web failed", group="web", reasons=("signal 9",))))
    assert told.startswith("web failed\n")
    assert "because: signal 9" in told
    assert "outlast explain group web" in told
    assert "20 more: outlast events" in text(summary(rule(), "prod", MANY))


def test_a_subject_is_one_line_of_a_length_that_fits() -> None:
    assert subject(notice(rule(), "prod", DEAD)) == "[prod] critical: n1 is dead"
    long = notice(rule(), "prod", event(words="QEMU said:\nBcc: everybody@example.org " + "x" * 500))
    assert "\n" not in subject(long)
    assert len(subject(long)) == LONGEST_SUBJECT
    assert notice(rule(), "prod", event(kind="online")).severity is Severity.INFO
