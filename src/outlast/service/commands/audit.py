"""The audit log: who asked for which change, from where, and how that ended."""

from typing import Annotated

import msgspec

from outlast.model import keys
from outlast.model.access import Audit
from outlast.service.commands.context import Command, Context
from outlast.service.store import READ_TIMEOUT_S


class WantAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    who: str = ""
    verb: str = ""
    """Or what it begins with: "user."."""


async def list_audit(context: Context, want: WantAudit) -> list[Audit]:
    """The last ones, oldest first."""
    snapshot = await context.store.database.read(keys.AUDIT, timeout_s=READ_TIMEOUT_S)
    ordered = sorted(snapshot.entries, key=lambda entry: entry.revision)
    found = (msgspec.json.decode(entry.value, type=Audit) for entry in ordered)
    chosen = [one for one in found if want.who in ("", one.who) and one.verb.startswith(want.verb)]
    return chosen[-want.limit :]


COMMANDS: dict[str, Command] = {"audit.list": (WantAudit, list_audit)}
