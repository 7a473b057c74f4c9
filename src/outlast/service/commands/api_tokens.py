"""API tokens: with which scripts, and the command line from elsewhere, ask the HTTP API."""

import secrets
from typing import Annotated

import msgspec

from outlast.core.access import credentials
from outlast.core.access.permissions import why_no_role
from outlast.model import keys
from outlast.model.access import ApiToken, Role
from outlast.model.access_answers import ApiTokenMade, ApiTokenRow
from outlast.ports.database import Compare, Delete, Unavailable, Write
from outlast.ports.secrets import NoSecret
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.commands.users import need_groups, of_role
from outlast.service.store import put


class CreateToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    role: Role = Role.VIEWER
    groups: tuple[str, ...] = ()
    lifetime_s: Annotated[float, msgspec.Meta(ge=0, le=100 * 365 * 86400.0)] = 0.0
    """0: until it is deleted."""


async def list_tokens(context: Context, _: Nothing) -> list[ApiTokenRow]:
    return sorted((_row(token) for token in context.store.api_tokens.values()), key=lambda row: row.name)


async def create(context: Context, want: CreateToken) -> ApiTokenMade:
    why = credentials.why_no_name(want.name) or why_no_role(want.role, want.groups)
    if why:
        raise CommandError("usage", why)
    need_groups(context, want.groups)
    word = credentials.word(credentials.TOKEN, secrets.token_bytes(credentials.SECRET_BYTES))
    key, now = keys.API_TOKENS + credentials.key_of(word), context.clock.wall()
    until_s = now + want.lifetime_s if want.lifetime_s else 0.0
    token = ApiToken(want.name, want.role, want.groups, context.by, now, until_s)

    def make() -> tuple[list[Compare], list[Write]]:
        if want.name in {other.name for other in context.store.api_tokens.values()}:
            raise CommandError("usage", f'there is an API token "{want.name}" already')
        words = f"the API token {want.name} ({of_role(want.role, want.groups)}) was made: {context.by}"
        return [Compare(key, 0)], [put(key, token), context.journal.event("access", words)]

    await context.write(make)
    return ApiTokenMade(word, _row(token), await _fingerprint(context))


async def _fingerprint(context: Context) -> str:
    """Not worth failing for."""
    if context.web_certificates is None:
        return ""
    try:
        return await context.web_certificates.fingerprint()
    except (NoSecret, Unavailable):
        return ""


async def delete(context: Context, want: Named) -> str:
    def make() -> tuple[list[Compare], list[Write]]:
        found = {token.name: key for key, token in context.store.api_tokens.items()}
        if want.name not in found:
            raise Missing(f'there is no API token "{want.name}"{similar(want.name, found)}')
        key = keys.API_TOKENS + found[want.name]
        event = context.journal.event("access", f"the API token {want.name} was deleted: {context.by}")
        return context.store.unchanged(key), [Delete(key), event]

    await context.write(make)
    return f"{want.name} is deleted: nobody gets in by it any more"


def _row(token: ApiToken) -> ApiTokenRow:
    return ApiTokenRow(token.name, token.role.value, token.groups, token.made_by, token.made_at_s, token.until_s)


COMMANDS: dict[str, Command] = {
    "token.list": (Nothing, list_tokens),
    "token.create": (CreateToken, create),
    "token.delete": (Named, delete),
}
