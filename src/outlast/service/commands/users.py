"""Users: those who sign in to the console or the HTTP API, and what they may do."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from outlast.core.access.credentials import why_no_name, why_no_password
from outlast.core.access.granting import Granted, now_granted
from outlast.core.access.permissions import why_no_role
from outlast.core.spelling import Names, NotMeant, assigned, spelled
from outlast.model import keys
from outlast.model.access import Role, User, Way
from outlast.model.access_answers import UserRow
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Write
from outlast.ports.passwords import Passwords
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.store import put

SETTINGS: dict[str, Any] = {"role": Role, "groups": Names, "enabled": bool}
"""What `user.set` may change."""


class CreateUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str
    role: Role = Role.VIEWER
    groups: tuple[str, ...] = ()


class SetUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: Mapping[str, Json]


class ChangePassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str
    current: str = ""
    """Who changes their own must know it."""


async def list_users(context: Context, _: Nothing) -> list[UserRow]:
    """And those who are signed in without being one of the cluster's."""
    return [*(_row(context, user) for _, user in sorted(context.store.users.items())), *_others(context)]


async def show(context: Context, want: Named) -> UserRow:
    return _row(context, _user(context, want.name))


async def create(context: Context, want: CreateUser) -> UserRow:
    _refuse(why_no_name(want.name) or why_no_role(want.role, want.groups) or why_no_password(want.password, want.name))
    need_groups(context, want.groups)
    hashed = await passwords_of(context).hash(want.password)

    def make() -> tuple[list[Compare], list[Write]]:
        if want.name in context.store.users:
            raise CommandError("usage", f'there is a user "{want.name}" already')
        user = User(want.name, want.role, want.groups, hashed, made_at_s=context.clock.wall())
        words = f"the user {user.name} ({of_role(user.role, user.groups)}) was made: {context.by}"
        return [Compare(keys.USERS + user.name, 0)], [
            put(keys.USERS + user.name, user),
            context.journal.event("access", words),
        ]

    await context.write(make)
    return _row(context, context.store.users[want.name])


async def set_values(context: Context, want: SetUser) -> UserRow:
    try:
        given = assigned(SETTINGS, want.values, "a user")
    except NotMeant as error:
        raise CommandError("usage", str(error)) from error
    if not given:
        raise CommandError("usage", f"say what to change; a user has: {', '.join(SETTINGS)}")
    need_groups(context, given.get("groups", ()))
    told = ", ".join(f"{name} is {spelled(value)}" for name, value in sorted(given.items()))

    def change(user: User) -> User:
        changed: User = msgspec.structs.replace(user, **given)
        _refuse(why_no_role(changed.role, changed.groups))
        return changed

    ended = given.get("enabled") is False
    await _change(context, want.name, change, f"the user {want.name} was changed ({told})", sign_out=ended)
    return _row(context, context.store.users[want.name])


async def change_password(context: Context, want: ChangePassword) -> UserRow:
    user = _user(context, want.name)
    _refuse(why_no_password(want.password, want.name))
    passwords, account = passwords_of(context), context.asking.account
    own = account is not None and account.name == want.name
    if own and not await passwords.matches(user.password, want.current):
        raise CommandError("usage", "the present password is another one")
    hashed = await passwords.hash(want.password)
    await _change(
        context,
        want.name,
        lambda user: msgspec.structs.replace(user, password=hashed),
        f"the password of {want.name} was changed",
        sign_out=True,
    )
    return _row(context, context.store.users[want.name])


async def delete(context: Context, want: Named) -> str:
    def make() -> tuple[list[Compare], list[Write]]:
        _user(context, want.name)
        gone = [Delete(keys.USERS + want.name), *_sign_out(context, want.name)]
        event = context.journal.event("access", f"the user {want.name} was deleted: {context.by}")
        return context.store.unchanged(keys.USERS + want.name), [*gone, event]

    await context.write(make)
    return f"{want.name} is deleted, and signed out everywhere"


async def sign_out(context: Context, want: Named) -> str:
    """Everywhere, by whichever way it signed in; it can sign in again."""
    words = f"{want.name} was signed out everywhere: {context.by}"

    def make() -> tuple[list[Compare], list[Write]]:
        gone = [Delete(keys.SIGNED_IN + key) for key, one in context.store.signed_in.items() if one.user == want.name]
        if not gone:
            raise Missing(f"nobody is signed in as {want.name}")
        return [], [*gone, context.journal.event("access", words)]

    await context.write(make)
    return f"{want.name} is signed out everywhere"


async def _change(context: Context, name: str, change: Callable[[User], User], words: str, *, sign_out: bool) -> None:
    def make() -> tuple[list[Compare], list[Write]]:
        record = change(_user(context, name))
        event = context.journal.event("access", f"{words}: {context.by}")
        gone = _sign_out(context, name) if sign_out else []
        return context.store.unchanged(keys.USERS + name), [put(keys.USERS + name, record), *gone, event]

    await context.write(make)


def _sign_out(context: Context, name: str) -> list[Delete]:
    """Everywhere but where it is asked from."""
    return [
        Delete(keys.SIGNED_IN + key)
        for key, session in context.store.signed_in.items()
        if session.user == name and key != context.asking.session
    ]


def _user(context: Context, name: str) -> User:
    with contextlib.suppress(KeyError):
        return context.store.users[name]
    raise Missing(f'there is no user "{name}"{similar(name, context.store.users)}')


def _others(context: Context) -> list[UserRow]:
    store, now = context.store, context.clock.wall()
    found: dict[tuple[str, Way], list[Granted]] = {}
    for session in store.signed_in.values():
        granted = now_granted(session, store.users, store.sign_in)
        if session.way is not Way.LOCAL and session.until_s > now and granted is not None:
            found.setdefault((session.user, session.way), []).append(granted)
    ordered = sorted(found.items(), key=lambda entry: (entry[0][0], entry[0][1].value))
    return [
        UserRow(name, of[-1].role.value, of[-1].groups, True, 0.0, len(of), way.value) for (name, way), of in ordered
    ]


def _row(context: Context, user: User) -> UserRow:
    signed_in = sum(
        session.user == user.name and session.way is Way.LOCAL for session in context.store.signed_in.values()
    )
    return UserRow(user.name, user.role.value, user.groups, user.enabled, user.made_at_s, signed_in)


def of_role(role: Role, groups: tuple[str, ...]) -> str:
    return f"{role.value} of {', '.join(groups)}" if groups else role.value


def need_groups(context: Context, groups: tuple[str, ...]) -> None:
    for name in groups:
        if name not in context.store.groups:
            raise CommandError("usage", f'there is no group "{name}"{similar(name, context.store.groups)}')


def passwords_of(context: Context) -> Passwords:
    if context.passwords is None:
        raise CommandError("impossible", f"{context.store.me} cannot keep passwords")
    return context.passwords


def _refuse(why: str) -> None:
    if why:
        raise CommandError("usage", why)


COMMANDS: dict[str, Command] = {
    "user.list": (Nothing, list_users),
    "user.show": (Named, show),
    "user.create": (CreateUser, create),
    "user.set": (SetUser, set_values),
    "user.passwd": (ChangePassword, change_password),
    "user.delete": (Named, delete),
    "user.sign_out": (Named, sign_out),
}
