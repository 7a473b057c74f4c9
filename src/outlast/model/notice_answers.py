"""What the cluster service answers about notices. The fields are a contract, as those in `answers.py` are."""

from collections.abc import Mapping

import msgspec


class NoticeRow(msgspec.Struct, frozen=True):
    name: str
    way: str
    """webhook | mail | command."""
    place: str
    """Where it goes; nothing secret is in it."""
    severity: str
    """At least: info | warning | critical."""
    kinds: tuple[str, ...]
    """Empty: all."""
    groups: tuple[str, ...]
    nodes: tuple[str, ...]
    """What is about one of these groups or nodes; both empty: everything."""
    per_minute: int
    enabled: bool
    parameters: Mapping[str, str]
    """Secret ones as "***"."""
    sent: int
    """Notices that were taken."""
    sent_at_s: float
    """When the last one was, by the wall clock; 0: never."""
    problem: str
    """Why the receiver takes none, since a while; empty when it does."""
    problem_since_s: float


class NoticeTest(msgspec.Struct, frozen=True):
    name: str
    asked_by: str
    """The node that sent it. In earnest it is the coordinator that sends."""
    answer: str = ""
    """In the receiver's words."""
    problem: str = ""
    """Why it was not taken; empty when it was."""


class NoticeAdded(msgspec.Struct, frozen=True):
    """A rule that was added or changed."""

    rule: NoticeRow
    test: NoticeTest | None
    """None: nothing was changed that could not work."""
