"""Rules for notices: who is told what happens, whether that works, and how far it has come."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from outlast.core.group import naming
from outlast.core.notices.notice_parameters import problems
from outlast.core.spelling import Names, NotMeant, assigned, spelled
from outlast.model import keys
from outlast.model.event import KINDS
from outlast.model.health import Json
from outlast.model.notice import Noticed, NoticeRule, Severity, Way
from outlast.model.notice_answers import NoticeAdded, NoticeRow, NoticeTest
from outlast.ports.database import Compare, Delete, Write
from outlast.ports.notices import NotTaken
from outlast.ports.secrets import NoSecret
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.commands.users import need_groups
from outlast.service.notices.telling import Telling
from outlast.service.store import READ_TIMEOUT_S, put

HIDDEN = "***"
MOST = 50
SETTINGS: dict[str, Any] = {
    "severity": Severity,
    "kinds": Names,
    "groups": Names,
    "nodes": Names,
    "per_minute": Annotated[int, msgspec.Meta(ge=1, le=600)],
    "enabled": bool,
}
"""What a rule has besides the parameters of its way."""


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    way: Way
    parameters: Mapping[str, str]
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)
    untested: bool = False
    """Also when the receiver does not take it."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Those to be changed; an empty value takes one away."""
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)
    untested: bool = False


async def list_rules(context: Context, _: Nothing) -> list[NoticeRow]:
    noted = await _noted(context)
    return [_row(rule, noted.get(name, Noticed())) for name, rule in sorted(context.store.notices.items())]


async def show(context: Context, want: Named) -> NoticeRow:
    rule = _need(context, want.name)
    return _row(rule, (await _noted(context)).get(rule.name, Noticed()))


async def add(context: Context, want: Add) -> NoticeAdded:
    if why := naming.why_not(want.name):
        raise CommandError("usage", f'a notice rule cannot be called "{want.name}": {why}')
    rule = NoticeRule(want.name, want.way, dict(want.parameters), **_settings(context, want.values))

    def absent() -> list[Compare]:
        if want.name in context.store.notices:
            raise CommandError("usage", f'there is a notice rule "{want.name}" already')
        if len(context.store.notices) >= MOST:
            raise CommandError("impossible", f"there are {MOST} notice rules already, which is the most")
        return [Compare(keys.NOTICES + want.name, 0), Compare(keys.NOTICED + want.name, 0)]

    absent()
    record, compares, writes, test = await _checked(context, rule, must_answer=not want.untested)
    words = f"the notice rule {want.name} ({want.way.value} to {record.place}) was added: {context.by}"

    def make() -> tuple[list[Compare], list[Write]]:
        begins = put(keys.NOTICED + want.name, Noticed())
        event = context.journal.event("notice", words)
        return [*absent(), *compares], [put(keys.NOTICES + want.name, record), begins, event, *writes]

    await context.write(make)
    return NoticeAdded(_row(record, Noticed()), test)


async def change(context: Context, want: Change) -> NoticeAdded:
    old = _need(context, want.name)
    values = _settings(context, want.values)
    if not values and not want.parameters:
        raise CommandError("usage", f"say what to change; a notice rule has: {', '.join(SETTINGS)}, and its parameters")
    record = msgspec.structs.replace(old, **values)
    compares: list[Compare] = []
    writes: list[Write] = []
    test = None
    if record.enabled and not old.enabled:
        compares, writes = await _begun_anew(context, old.name)
    if want.parameters:
        try:
            opened = await _telling(context).opened(old)
        except NotTaken as error:
            raise CommandError("impossible", str(error)) from error
        parameters = {name: value for name, value in {**opened.parameters, **want.parameters}.items() if value}
        changed = msgspec.structs.replace(record, parameters=parameters, hidden=(), sealed="")
        record, of_key, sealed, test = await _checked(context, changed, must_answer=not want.untested)
        compares, writes = [*compares, *of_key], [*writes, *sealed]
    told = [f"{name} is {spelled(value)}" for name, value in sorted(values.items())] + sorted(want.parameters)
    words = f"the notice rule {want.name} was changed ({', '.join(told)}): {context.by}"

    def make() -> tuple[list[Compare], list[Write]]:
        if _need(context, want.name) != old:
            raise CommandError("changed", "somebody has changed it meanwhile: look again, then say what you want")
        gone = [Delete(keys.NOTICE_SECRETS + old.sealed)] if old.sealed not in ("", record.sealed) else []
        event = context.journal.event("notice", words)
        mine = context.store.unchanged(keys.NOTICES + want.name)
        return [*mine, *compares], [put(keys.NOTICES + want.name, record), event, *writes, *gone]

    await context.write(make)
    return NoticeAdded(await show(context, Named(want.name)), test)


async def delete(context: Context, want: Named) -> str:
    words = f"the notice rule {want.name} was deleted: {context.by}"

    def make() -> tuple[list[Compare], list[Write]]:
        rule = _need(context, want.name)
        gone = [Delete(keys.NOTICES + rule.name), Delete(keys.NOTICED + rule.name)]
        gone += [Delete(keys.NOTICE_SECRETS + rule.sealed)] if rule.sealed else []
        return context.store.unchanged(keys.NOTICES + rule.name), [*gone, context.journal.event("notice", words)]

    await context.write(make)
    return f"the notice rule {want.name} is deleted"


async def test(context: Context, want: Named) -> NoticeTest:
    """What the receiver answers now, to this node."""
    return await _tested(context, _need(context, want.name))


async def _tested(context: Context, rule: NoticeRule) -> NoticeTest:
    try:
        answer = await _telling(context).test(rule, context.by)
    except NotTaken as error:
        return NoticeTest(rule.name, context.store.me, problem=str(error))
    return NoticeTest(rule.name, context.store.me, answer=answer)


async def _checked(
    context: Context, rule: NoticeRule, *, must_answer: bool
) -> tuple[NoticeRule, list[Compare], list[Write], NoticeTest]:
    """It is tried before anything is written: what does not work replaces nothing that does."""
    if wrong := problems(rule.way, rule.parameters):
        raise CommandError("usage", f"the notice rule cannot be like that: {'; '.join(wrong)}")
    tested = await _tested(context, rule)
    if tested.problem and must_answer:
        words = f"nothing was changed: the receiver did not take a test: {tested.problem}. Correct what you gave"
        raise CommandError("failed", f"{words}; if all is right and it only cannot answer yet, add --untested")
    try:
        record, compares, writes = await _telling(context).seal(rule)
    except NoSecret as error:
        raise CommandError("impossible", f"its secrets cannot be kept: {error}") from error
    return record, compares, writes, tested


async def _begun_anew(context: Context, name: str) -> tuple[list[Compare], list[Write]]:
    """What happened while a rule was switched off is not told afterwards."""
    key = keys.NOTICED + name
    snapshot = await context.store.database.read(key, timeout_s=READ_TIMEOUT_S)
    entry = next((one for one in snapshot.entries if one.key == key), None)
    noted = Noticed() if entry is None else msgspec.json.decode(entry.value, type=Noticed)
    begins = msgspec.structs.replace(noted, revision=0, event="", problem="", since_s=0.0)
    return [Compare(key, entry.revision if entry is not None else 0)], [put(key, begins)]


def _settings(context: Context, values: Mapping[str, Json]) -> dict[str, Any]:
    try:
        found = assigned(SETTINGS, values, "a notice rule")
    except NotMeant as error:
        raise CommandError("usage", str(error)) from error
    for kind in found.get("kinds", ()):
        if kind not in KINDS:
            raise CommandError("usage", f'there is no kind of event "{kind}"{similar(kind, KINDS)}')
    need_groups(context, found.get("groups", ()))
    for node in found.get("nodes", ()):
        context.need_node(node)
    return found


async def _noted(context: Context) -> dict[str, Noticed]:
    snapshot = await context.store.database.read(keys.NOTICED, timeout_s=READ_TIMEOUT_S)
    return {
        one.key.removeprefix(keys.NOTICED): msgspec.json.decode(one.value, type=Noticed) for one in snapshot.entries
    }


def _row(rule: NoticeRule, noted: Noticed) -> NoticeRow:
    return NoticeRow(
        name=rule.name,
        way=rule.way.value,
        place=rule.place,
        severity=rule.severity.value,
        kinds=rule.kinds,
        groups=rule.groups,
        nodes=rule.nodes,
        per_minute=rule.per_minute,
        enabled=rule.enabled,
        parameters={**rule.parameters, **dict.fromkeys(rule.hidden, HIDDEN)},
        sent=noted.count,
        sent_at_s=noted.at_s,
        problem=noted.problem,
        problem_since_s=noted.since_s,
    )


def _telling(context: Context) -> Telling:
    if context.telling is None:
        raise CommandError("impossible", f"{context.store.me} can tell nobody anything")
    return context.telling


def _need(context: Context, name: str) -> NoticeRule:
    if name not in context.store.notices:
        raise Missing(f'there is no notice rule "{name}"{similar(name, context.store.notices)}')
    return context.store.notices[name]


COMMANDS: dict[str, Command] = {
    "notice.list": (Nothing, list_rules),
    "notice.show": (Named, show),
    "notice.add": (Add, add),
    "notice.set": (Change, change),
    "notice.delete": (Named, delete),
    "notice.test": (Named, test),
}
