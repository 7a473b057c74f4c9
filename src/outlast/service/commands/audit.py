"""The audit log: who asked for which change, from where, and how that ended."""

import enum
from typing import Annotated

import msgspec

from outlast.model import keys
from outlast.model.access import DONE, Audit
from outlast.service.commands.context import Command, Context
from outlast.service.store import READ_TIMEOUT_S


class Ended(enum.Enum):
    """Which entries, by how it ended."""

    ANY = "any"
    DONE = "done"
    NOT_DONE = "not done"


class WantAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    who: str = ""
    verb: str = ""
    """Or what it begins with: "user."."""
    ended: Ended = Ended.ANY
    before: str = ""
    """The id of an entry: only older ones."""


async def list_audit(context: Context, want: WantAudit) -> list[Audit]:
    """The last ones, oldest first."""
    snapshot = await context.store.database.read(keys.AUDIT, timeout_s=READ_TIMEOUT_S)
    ordered = sorted(snapshot.entries, key=lambda entry: entry.revision)
    found = [msgspec.json.decode(entry.value, type=Audit) for entry in ordered]
    if want.before:
        found = _older(found, want.before)
    return [one for one in found if _fits(one, want)][-want.limit :]


def _older(found: list[Audit], id: str) -> list[Audit]:
    """Nothing when that entry is kept no longer: what was older went before it."""
    return found[: next((index for index, one in enumerate(found) if one.id == id), 0)]


def _fits(one: Audit, want: WantAudit) -> bool:
    ended = want.ended is Ended.ANY or (one.result == DONE) is (want.ended is Ended.DONE)
    return ended and want.who in ("", one.who) and one.verb.startswith(want.verb)


COMMANDS: dict[str, Command] = {"audit.list": (WantAudit, list_audit)}
