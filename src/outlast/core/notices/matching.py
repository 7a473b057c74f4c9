"""Does a rule for notices fit an event?"""

from outlast.core.notices.severity import at_least, severity_of
from outlast.model.event import Event
from outlast.model.notice import NoticeRule

STALE_S = 86400.0
"""Older than this an event is no news: it came back from a backup, or nobody could tell it for that long."""


def fits(rule: NoticeRule, event: Event, wall_s: float) -> bool:
    """`wall_s`: now, by the wall clock, which nothing depends on but what is still worth telling."""
    return (
        at_least(severity_of(event.kind), rule.severity)
        and (not rule.kinds or event.kind in rule.kinds)
        and _is_about(rule, event)
        and wall_s - event.at_s <= STALE_S
    )


def _is_about(rule: NoticeRule, event: Event) -> bool:
    if not rule.groups and not rule.nodes:
        return True
    return event.group in rule.groups or event.about in rule.nodes or event.node in rule.nodes
