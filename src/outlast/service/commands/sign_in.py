"""By which other ways than as a local user people sign in, and which of their groups gives which role."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from outlast.core.access import granting
from outlast.core.access.openid import PAGE, USUAL_PORT, why_no_origin, why_no_url
from outlast.core.access.permissions import why_no_role
from outlast.core.spelling import Names, NotMeant, assigned, spelled
from outlast.model import keys
from outlast.model.access import Grant, OpenIdSignIn, PamSignIn, Role, SignInSettings, Way
from outlast.model.access_answers import GrantRow, SignInRow
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Write
from outlast.ports.secrets import NoSecret
from outlast.service.access.openid import ByProvider, NotSignedIn
from outlast.service.commands.context import Command, CommandError, Context, Missing, Nothing
from outlast.service.commands.users import need_groups, of_role
from outlast.service.store import put

SECRET = "client_secret"
SETTINGS: dict[Way, dict[str, Any]] = {
    Way.PAM: {"service": str, "enabled": bool},
    Way.OPENID: {
        "issuer": str,
        "client_id": str,
        SECRET: str,
        "label": str,
        "scopes": Names,
        "name_claim": str,
        "groups_claim": str,
        "authority": str,
        "origins": Names,
        "enabled": bool,
    },
}
"""What `sign_in.set` may change."""
NEW: dict[Way, SignInSettings] = {Way.PAM: PamSignIn(), Way.OPENID: OpenIdSignIn()}
LONGEST = 256
HIDDEN = "***"
MOST_AT_ONCE = 100
"""Of sessions that are deleted along. The rest is over too: their way is not there any more."""
Change = Callable[[SignInSettings], SignInSettings]


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
    shown = {name: HIDDEN if name == SECRET else spelled(value) or "none" for name, value in sorted(given.items())}
    told = ", ".join(f"{name} is {value}" for name, value in shown.items())
    more: tuple[list[Compare], list[Write]] = ([], [])
    if SECRET in given:
        given["sealed"], compares, writes = await _sealed(context, given.pop(SECRET))
        more = (compares, writes)

    def change(settings: SignInSettings) -> SignInSettings:
        changed: SignInSettings = msgspec.structs.replace(settings, **given)
        _refuse(why_not(changed))
        return changed

    await _change(context, way, change, f"set ({told})" if told else "set up", new=NEW[way], more=more)
    return await _row(context, way)


async def grant(context: Context, want: WantGrant) -> SignInRow:
    way = _way(want.way)
    _refuse(_why_no_text("a group", want.member) or why_no_role(want.role, want.groups))
    need_groups(context, want.groups)

    def change(settings: SignInSettings) -> SignInSettings:
        rest = tuple(one for one in settings.grants if one.member != want.member)
        if len(rest) >= granting.MOST_GRANTS:
            raise CommandError("impossible", f"{len(rest)} groups are granted a role already, which is the most")
        return _with(settings, (*rest, Grant(want.member, want.role, want.groups)))

    await _change(context, way, change, f"who is in {want.member} is {of_role(want.role, want.groups)}")
    return await _row(context, way)


async def revoke(context: Context, want: Revoke) -> SignInRow:
    """Counts at once, for those who are signed in too."""
    way = _way(want.way)

    def change(settings: SignInSettings) -> SignInSettings:
        rest = tuple(one for one in settings.grants if one.member != want.member)
        if len(rest) == len(settings.grants):
            raise Missing(f"{want.member} is granted nothing by way of {granting.NAMES[way]}")
        return _with(settings, rest)

    await _change(context, way, change, f"who is in {want.member} is granted nothing any more")
    return await _row(context, way)


async def delete(context: Context, want: OfWay) -> str:
    way, key = _way(want.way), keys.SIGN_IN + want.way
    name = granting.NAMES[way]

    def make() -> tuple[list[Compare], list[Write]]:
        settings = _need(context, way)
        gone = [word for word, session in context.store.signed_in.items() if session.way is way][:MOST_AT_ONCE]
        words = f"signing in by way of {name} was deleted: {context.by}"
        writes = [Delete(key), *(Delete(keys.SIGNED_IN + word) for word in gone), *_secret_gone(settings, "")]
        return context.store.unchanged(key), [*writes, context.journal.event("access", words)]

    await context.write(make)
    return f"nobody signs in by way of {name} any more, and who had is signed out"


async def _change(
    context: Context,
    way: Way,
    change: Change,
    words: str,
    new: SignInSettings | None = None,
    more: tuple[list[Compare], list[Write]] = ([], []),
) -> None:
    key = keys.SIGN_IN + way.value

    def make() -> tuple[list[Compare], list[Write]]:
        before = _need(context, way, new)
        record = change(before)
        event = context.journal.event("access", f"signing in by way of {granting.NAMES[way]}: {words}: {context.by}")
        gone = _secret_gone(before, getattr(record, "sealed", ""))
        return [*context.store.unchanged(key), *more[0]], [put(key, record), *more[1], *gone, event]

    await context.write(make)


def _need(context: Context, way: Way, new: SignInSettings | None = None) -> SignInSettings:
    found = context.store.sign_in.get(way.value, new)
    if found is None:
        begin = f"begin with: outlast sign-in set {way.value}"
        raise Missing(f"nobody signs in by way of {granting.NAMES[way]} yet; {begin}")
    return found


async def _sealed(context: Context, secret: str) -> tuple[str, list[Compare], list[Write]]:
    if not secret:
        return "", [], []
    try:
        return await _by_provider(context).seal(secret)
    except (NoSecret, NotSignedIn) as error:
        raise CommandError("impossible", f"the client's secret cannot be kept: {error}") from error


def _secret_gone(before: SignInSettings, now: str) -> list[Write]:
    old = before.sealed if isinstance(before, OpenIdSignIn) else ""
    return [Delete(keys.OPENID_SECRETS + old)] if old not in ("", now) else []


async def _row(context: Context, way: Way) -> SignInRow:
    settings = _need(context, way)
    here = await _why_not_here(context, settings)
    values = {name: spelled(getattr(settings, name)) for name in SETTINGS[way] if name not in (SECRET, "enabled")}
    if isinstance(settings, OpenIdSignIn) and settings.sealed:
        values[SECRET] = HIDDEN
    return SignInRow(
        way.value,
        settings.enabled,
        values,
        [GrantRow(one.member, one.role.value, one.groups) for one in settings.grants],
        f"on {context.store.me}: {here}" if here else "",
        _redirects(context, settings),
    )


async def _why_not_here(context: Context, settings: SignInSettings) -> str:
    if isinstance(settings, OpenIdSignIn):
        return await _by_provider(context).why_not(settings)
    return await context.pam.why_not(settings.service) if context.pam is not None else "it cannot ask PAM"


def _redirects(context: Context, settings: SignInSettings) -> tuple[str, ...]:
    if not isinstance(settings, OpenIdSignIn):
        return ()
    nodes = (f"https://{name}:{USUAL_PORT}" for name in sorted(context.store.nodes))
    return tuple(origin + PAGE for origin in settings.origins or nodes)


def why_not(settings: SignInSettings) -> str:
    """Why there cannot be such settings; "" when there can."""
    if isinstance(settings, PamSignIn):
        allowed = settings.service.replace("-", "").replace("_", "")
        good = allowed.isascii() and allowed.isalnum() and len(allowed) <= 64  # it becomes the name of a file
        return "" if good else "service takes the name of a file in /etc/pam.d: letters, digits, - and _"
    for name in ("client_id", "name_claim", "groups_claim"):
        if why := _why_no_text(name, getattr(settings, name)):
            return why
    if settings.label and (why := _why_no_text("label", settings.label)):
        return why
    if settings.authority and not settings.authority.startswith("/"):
        return "authority takes the path of a file that is on every node"
    if why := why_no_url(settings.issuer):
        return f'issuer cannot be "{settings.issuer}": {why}'
    return next(filter(None, map(why_no_origin, settings.origins)), "")


def _why_no_text(what: str, text: str) -> str:
    if 0 < len(text) <= LONGEST and text.isprintable() and text == text.strip():
        return ""
    return f"{what} takes 1 to {LONGEST} characters, without a space around them"


def _with(settings: SignInSettings, grants: tuple[Grant, ...]) -> SignInSettings:
    changed: SignInSettings = msgspec.structs.replace(settings, grants=grants)
    return changed


def _by_provider(context: Context) -> ByProvider:
    if context.by_provider is None:
        raise CommandError("impossible", f"{context.store.me} can ask no OpenID Connect provider")
    return context.by_provider


def _way(name: str) -> Way:
    found = next((way for way in SETTINGS if way.value == name), None)
    if found is None:
        there = ", ".join(way.value for way in SETTINGS)
        raise CommandError("usage", f'there is no way to sign in that is called "{name}"; there are: {there}')
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
