"""Tokens for machines that shall join: giving them out, looking at them, and taking them back."""

import msgspec

from outlast.core.joining import tokens
from outlast.model.answers import Revoked, TokenRow
from outlast.model.member import Join, Part
from outlast.service.commands.context import Command, CommandError, Context, Nothing
from outlast.service.joining.enrolment import LONGEST_LIFETIME_S, TOKEN_LIFETIME_S, Enrolment
from outlast.service.store import Store

ALL = "all"


class WantedToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    witness: bool = False
    lifetime_s: float = TOKEN_LIFETIME_S


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str
    """The beginning of an id, a whole token, or "all"."""


async def give_out(context: Context, want: WantedToken) -> str:
    enrolment = _enrolment(context)
    if not 1.0 <= want.lifetime_s <= LONGEST_LIFETIME_S:
        raise CommandError("usage", f"a token can be good for 1 s to {LONGEST_LIFETIME_S:g} s (a week)")
    return await enrolment.give_out(Part.WITNESS if want.witness else Part.NODE, want.lifetime_s)


async def list_tokens(context: Context, _: Nothing) -> list[TokenRow]:
    return token_rows(context.store)


def token_rows(store: Store) -> list[TokenRow]:
    """Those that are not used up, the oldest first."""
    found = sorted(store.joins.items(), key=lambda entry: (entry[1].given_at_s, entry[0]))
    return [_row(hashed, join) for hashed, join in found]


async def revoke(context: Context, want: Revoke) -> Revoked:
    """All: those that nobody uses. A machine that is just joining is thrown out only when its token is named."""
    enrolment, joins = _enrolment(context), dict(context.store.joins)
    chosen = [hashed for hashed, join in joins.items() if not join.name] if want.token == ALL else [_named(want, joins)]
    for hashed in chosen:
        why = await enrolment.revoke(hashed)
        if why:
            raise CommandError("impossible", f"the token {tokens.id_of(hashed)} is not taken back: {why}")
    kept = [_row(hashed, joins[hashed]) for hashed in joins if hashed not in chosen]
    return Revoked([_row(hashed, joins[hashed]) for hashed in chosen], kept if want.token == ALL else [])


def _named(want: Revoke, joins: dict[str, Join]) -> str:
    try:
        found = tokens.named_by(want.token, joins)
    except tokens.WrongToken as error:
        raise CommandError("usage", f"that token cannot be taken back: {error}") from error
    if len(found) > 1:
        ids = ", ".join(map(tokens.id_of, found))
        raise CommandError("usage", f'"{want.token}" could be any of {ids}; write more of it')
    if not found:
        there = ", ".join(map(tokens.id_of, joins))
        raise CommandError(
            "usage",
            "there is no such token: it was used, has expired, or was taken back; there "
            + (f"are: {there}" if there else "are none"),
        )
    return found[0]


def _row(hashed: str, join: Join) -> TokenRow:
    return TokenRow(tokens.id_of(hashed), join.part.value, join.name, join.given_at_s + join.lifetime_s)


def _enrolment(context: Context) -> Enrolment:
    if context.enrolment is None:
        raise CommandError("impossible", "nobody can join this cluster: its database is a file on this machine")
    return context.enrolment


COMMANDS: dict[str, Command] = {
    "cluster.token": (WantedToken, give_out),
    "cluster.tokens": (Nothing, list_tokens),
    "cluster.revoke": (Revoke, revoke),
}
