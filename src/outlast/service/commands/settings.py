"""The settings of the whole cluster that may change while it runs.

The node time-out is none of them: the times of every node rest on it.
"""

from typing import Annotated

import msgspec

from outlast.model import keys
from outlast.model.fence import FenceAction
from outlast.model.settings import Settings
from outlast.model.watchdog import Strength
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context
from outlast.service.store import put


class Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Only what is given is set."""

    failover_threshold: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    failover_period_s: Annotated[float, msgspec.Meta(ge=1.0)] | None = None
    events_kept: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] | None = None
    vote_removal_s: Annotated[float, msgspec.Meta(ge=1.0)] | None = None
    most_voters: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    watchdog_strength: tuple[Strength, ...] | None = None
    fence_action: FenceAction | None = None
    backup_interval_s: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    backups_kept: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: Values


async def set_values(context: Context, want: Set) -> Settings:
    given = {name: value for name in Values.__struct_fields__ if (value := getattr(want.values, name)) is not None}
    if not given:
        raise CommandError("usage", f"nothing to set; there are: {', '.join(Values.__struct_fields__)}")
    words = ", ".join(f"{name} is {_told(value)}" for name, value in sorted(given.items()))

    def make() -> tuple[list[Compare], list[Write]]:
        settings = msgspec.structs.replace(context.store.settings, **given)
        event = context.journal.event("settings", f"the cluster's {words}: an administrator on {context.store.me}")
        return context.store.unchanged(keys.CLUSTER), [put(keys.CLUSTER, settings), event]

    await context.write(make)
    return context.store.settings


def _told(value: object) -> str:
    plain = msgspec.to_builtins(value)
    return ", ".join(map(str, plain)) if isinstance(plain, list | tuple) else str(plain)


COMMANDS: dict[str, Command] = {"cluster.set": (Set, set_values)}
