"""By which other ways than as a local user people sign in, and which of their groups gives which role."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from outlast.core.access import granting
from outlast.core.access.permissions import why_no_role
from outlast.core.spelling import NotMeant, assigned, spelled
from outlast.model import keys
from outlast.model.access import Grant, PamSignIn, Role, Way
from outlast.model.access_answers import GrantRow, SignInRow
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Write
from outlast.service.commands.context import Command, CommandError, Context, Missing, Nothing
from outlast.service.commands.users import need_groups, of_role
from outlast.service.store import put

SETTINGS: dict[Way, dict[str, Any]] = {Way.PAM: {"service": str, "enabled": bool}}
"""What `sign_in.set` may change."""
LONGEST_NAME = 256


class SetSignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    way: str
    values: Mapping[str, Json] = msgspec.field(default_factory=dict)


class WantGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    way: str
    member: str
    role: Role = Role.VIEWER
    groups: tuple[str, ...] = ()


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    way: str
    member: str


class OfWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    way: str


async def list_ways(context: Context, _: Nothing) -> list[SignInRow]:
    return [await _row(context, way) for way in SETTINGS if way.value in context.store.sign_in]


async def set_values(context: Context, want: SetSignIn) -> SignInRow:
    """The way is there from now on, if it was not."""
    way = _way(want.way)
    try:
        given = assigned(SETTINGS[way], want.values, granting.NAMES[way])
    except NotMeant as error:
        raise CommandError("usage", str(error)) from error
    told = ", ".join(f"{name} is {spelled(value)}" for name, value in sorted(given.items()))

    def change(settings: PamSignIn) -> PamSignIn:
        changed: PamSignIn = msgspec.structs.replace(settings, **given)
        _refuse(why_no_service(changed.service))
        return changed

    await _change(context, way, change, f"set ({told})" if told else "set up", new=PamSignIn())
    return await _row(context, way)


async def grant(context: Context, want: WantGrant) -> SignInRow:
    way = _way(want.way)
    _refuse(_why_no_member(want.member) or why_no_role(want.role, want.groups))
    need_groups(context, want.groups)

    def change(settings: PamSignIn) -> PamSignIn:
        rest = tuple(one for one in settings.grants if one.member != want.member)
        if len(rest) >= granting.MOST_GRANTS:
            raise CommandError("impossible", f"{len(rest)} groups are granted a role already, which is the most")
        return msgspec.structs.replace(settings, grants=(*rest, Grant(want.member, want.role, want.groups)))

    await _change(context, way, change, f"who is in {want.member} is {of_role(want.role, want.groups)}")
    return await _row(context, way)


async def revoke(context: Context, want: Revoke) -> SignInRow:
    """Counts at once, for those who are signed in too."""
    way = _way(want.way)

    def change(settings: PamSignIn) -> PamSignIn:
        rest = tuple(one for one in settings.grants if one.member != want.member)
        if len(rest) == len(settings.grants):
            raise Missing(f"{want.member} is granted nothing by way of {granting.NAMES[way]}")
        return msgspec.structs.replace(settings, grants=rest)

    await _change(context, way, change, f"who is in {want.member} is granted nothing any more")
    return await _row(context, way)


async def delete(context: Context, want: OfWay) -> str:
    way, key = _way(want.way), keys.SIGN_IN + want.way
    name = granting.NAMES[way]

    def make() -> tuple[list[Compare], list[Write]]:
        _need(context, way)
        gone = [
            Delete(keys.SIGNED_IN + word) for word, session in context.store.signed_in.items() if session.way is way
        ]
        words = f"signing in by way of {name} was deleted: {context.by}"
        return context.store.unchanged(key), [Delete(key), *gone[:MOST_AT_ONCE], context.journal.event("access", words)]

    await context.write(make)
    return f"nobody signs in by way of {name} any more, and who had is signed out"


MOST_AT_ONCE = 100
"""Of sessions that are deleted along. The rest is over too: their way is not there any more."""


async def _change(
    context: Context,
    way: Way,
    change: Callable[[PamSignIn], PamSignIn],
    words: str,
    new: PamSignIn | None = None,
) -> None:
    key = keys.SIGN_IN + way.value

    def make() -> tuple[list[Compare], list[Write]]:
        record = change(_need(context, way, new))
        event = context.journal.event("access", f"signing in by way of {granting.NAMES[way]}: {words}: {context.by}")
        return context.store.unchanged(key), [put(key, record), event]

    await context.write(make)


def _need(context: Context, way: Way, new: PamSignIn | None = None) -> PamSignIn:
    found: PamSignIn | None = context.store.sign_in.get(way.value, new)
    if found is None:
        raise Missing(
            f"nobody signs in by way of {granting.NAMES[way]} yet; begin with: outlast sign-in set {way.value}"
        )
    return found


async def _row(context: Context, way: Way) -> SignInRow:
    settings = _need(context, way)
    here = await context.pam.why_not(settings.service) if context.pam is not None else "it cannot ask PAM"
    return SignInRow(
        way.value,
        settings.enabled,
        {"service": settings.service},
        [GrantRow(one.member, one.role.value, one.groups) for one in settings.grants],
        f"on {context.store.me}: {here}" if here else "",
    )


def why_no_service(service: str) -> str:
    """It becomes the name of a file."""
    allowed = service.replace("-", "").replace("_", "")
    if service and allowed.isascii() and allowed.isalnum():
        return ""
    return "service takes the name of a file in /etc/pam.d: letters, digits, - and _"


def _why_no_member(member: str) -> str:
    if 0 < len(member) <= LONGEST_NAME and member.isprintable() and member == member.strip():
        return ""
    return f"a group has a name of at most {LONGEST_NAME} characters, without a space around it"


def _way(name: str) -> Way:
    found = next((way for way in SETTINGS if way.value == name), None)
    if found is None:
        there = ", ".join(way.value for way in SETTINGS)
        raise CommandError("usage", f'there is no way to sign in that is called "{name}"; there is: {there}')
    return found


def _refuse(why: str) -> None:
    if why:
        raise CommandError("usage", why)


COMMANDS: dict[str, Command] = {
    "sign_in.list": (Nothing, list_ways),
    "sign_in.set": (SetSignIn, set_values),
    "sign_in.grant": (WantGrant, grant),
    "sign_in.revoke": (Revoke, revoke),
    "sign_in.delete": (OfWay, delete),
}
