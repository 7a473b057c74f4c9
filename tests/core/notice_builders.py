"""Rules for notices, and events for them, with healthy defaults."""

from typing import Any

import msgspec

from outlast.model.event import Event
from outlast.model.notice import NoticeRule, Severity, Way

AT_S = 1_790_000_000.0
WEBHOOK = {"url": "https://receiver.example/hook", "secret": "sixteen letters!"}
MAIL = {"server": "mail.example", "from": "cluster@example.org", "to": "ops@example.org"}


def rule(**changes: Any) -> NoticeRule:
    found = NoticeRule("ops", Way.WEBHOOK, WEBHOOK, severity=Severity.INFO)
    return msgspec.structs.replace(found, **changes)


def event(number: int = 1, kind: str = "failed", **changes: Any) -> Event:
    found = Event(f"{number:013d}-n1-00001", AT_S, "n1", kind, f"thing {number} {kind}")
    return msgspec.structs.replace(found, **changes)
