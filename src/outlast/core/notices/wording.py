"""What does a notice say? As a value, as JSON for programs, as a mail for people."""

import datetime
from collections import Counter
from collections.abc import Sequence

import msgspec

from outlast.core.notices.severity import rank, severity_of
from outlast.model.event import Event
from outlast.model.notice import Notice, NoticeRule

MOST_TOLD = 20
LONGEST_SUBJECT = 150
TEST = "test"
"""The kind of an event that never happened."""


def notice(rule: NoticeRule, cluster: str, event: Event) -> Notice:
    return Notice(f"{rule.name}/{event.id}", rule.name, cluster, severity_of(event.kind), event.words, (event,))


def summary(rule: NoticeRule, cluster: str, events: Sequence[Event]) -> Notice:
    """Of several that would have been too many, in their order."""
    kinds = Counter(event.kind for event in events)
    worst_first = sorted(events, key=lambda event: -rank(severity_of(event.kind)))
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    words = f"{len(events)} events were held back, for no more than {rule.per_minute} notices a minute are sent: {told}"
    return Notice(
        id=f"{rule.name}/{events[0].id}..{events[-1].id}",
        rule=rule.name,
        cluster=cluster,
        severity=severity_of(worst_first[0].kind),
        words=words,
        events=tuple(worst_first[:MOST_TOLD]),
        held_back=len(events),
        kinds=dict(kinds),
    )


def body(told: Notice) -> bytes:
    """For programs: JSON. Times are seconds since 1970, and the same in words."""
    events = [_with_severity(event) for event in told.events]
    return msgspec.json.encode(msgspec.structs.asdict(told) | {"events": events})


def _with_severity(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "at_s": event.at_s,
        "at": moment(event),
        "severity": severity_of(event.kind).value,
        "kind": event.kind,
        "words": event.words,
        "node": event.node,
        "group": event.group,
        "about": event.about,
        "reasons": event.reasons,
    }


def moment(event: Event) -> str:
    """In UTC: who reads it may be anywhere."""
    at = datetime.datetime.fromtimestamp(event.at_s, tz=datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def subject(told: Notice) -> str:
    words = f"[{told.cluster}] {told.severity.value}: {' '.join(told.words.split())}"
    return words if len(words) <= LONGEST_SUBJECT else words[: LONGEST_SUBJECT - 3] + "..."


def text(told: Notice) -> str:
    """For people."""
    lines = [told.words, ""]
    for event in told.events:
        if told.held_back:
            lines.append(f"{moment(event)}  {event.kind}: {event.words}")
            continue
        about = {"kind": event.kind, "at": moment(event), "written by": event.node}
        about |= {"group": event.group, "node": event.about}
        lines += [f"{name}: {value}" for name, value in about.items() if value]
        lines += [f"because: {reason}" for reason in event.reasons]
        if event.group:
            lines += ["", f"outlast explain group {event.group} tells the whole story."]
    if told.held_back > len(told.events):
        lines.append(f"... and {told.held_back - len(told.events)} more: outlast events")
    return "\n".join([*lines, "", f"Sent by the notice rule {told.rule} of the cluster {told.cluster}; id {told.id}"])
