"""The settings of the whole cluster that may change while it runs.

The node time-out is none of them: the times of every node rest on it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from outlast.core.coordinator import arming, marks, movable
from outlast.core.foresight.foreseen import foreseen
from outlast.core.network import migration
from outlast.core.placement.admission import broken_promise
from outlast.core.placement.placed import Placed
from outlast.core.spelling import DAY_S, Count, NotMeant, Seconds, assigned, spelled
from outlast.model import keys
from outlast.model.answers import ClusterSettings
from outlast.model.fence import FenceAction
from outlast.model.health import Json
from outlast.model.node import Node
from outlast.model.policy import BalanceMode, Reserve
from outlast.model.settings import Settings
from outlast.model.view import ClusterView
from outlast.model.watchdog import Strength
from outlast.ports.database import Compare, Write
from outlast.service.commands.context import Command, CommandError, Context, Nothing
from outlast.service.store import put

LOOKED_S = 10.0
"""Signing a certificate takes a busy node a moment."""
Period = Annotated[float, msgspec.Meta(ge=1, le=365 * DAY_S)]
Limit = Annotated[int, msgspec.Meta(ge=-1, le=1_000_000)]
SETTINGS: dict[str, Any] = {
    "armed": bool,
    "failover_threshold": Limit,
    "failover_period_s": Period,
    "survive_nodes": Count,
    "reserve": Reserve,
    "balance": BalanceMode,
    "parallel_moves": Annotated[int, msgspec.Meta(ge=1, le=1000)],
    "parallel_moves_in_all": Annotated[int, msgspec.Meta(ge=0, le=10_000)],
    "parallel_starts": Annotated[int, msgspec.Meta(ge=0, le=1000)],
    "migration_network": str,
    "migration_mib_s": Annotated[int, msgspec.Meta(ge=0, le=1_000_000)],
    "shutdown_drain_s": Seconds,
    "network_delay_s": Annotated[float, msgspec.Meta(ge=0, le=3600)],
    "quarantine_threshold": Annotated[int, msgspec.Meta(ge=0, le=marks.MOST)],
    "quarantine_period_s": Period,
    "quarantine_s": Period,
    "most_fenced": Limit,
    "fence_period_s": Period,
    "fence_action": FenceAction,
    "watchdog_strength": tuple[Strength, ...],
    "vote_removal_s": Period,
    "most_voters": Annotated[int, msgspec.Meta(ge=1, le=9)],
    "events_kept": Annotated[int, msgspec.Meta(ge=100, le=1_000_000)],
    "backup_interval_s": Seconds,
    "backups_kept": Annotated[int, msgspec.Meta(ge=1, le=1000)],
}
"""What `cluster.set` may change, and what each takes."""


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: Mapping[str, Json]


async def set_values(context: Context, want: Set) -> ClusterSettings:
    given = _given(want)
    words = ", ".join(f"{name} is {spelled(value) or 'none'}" for name, value in sorted(given.items()))

    def make() -> tuple[list[Compare], list[Write]]:
        settings = msgspec.structs.replace(context.store.written_settings, **given)
        events = [context.journal.event("settings", f"the cluster's {words}: {context.by}")]
        if settings.armed is not context.store.settings.armed:
            events.append(context.journal.event("armed", f"{_armed(settings)}: {context.by}"))
        return context.store.unchanged(keys.CLUSTER), [put(keys.CLUSTER, settings), *events]

    await context.write(make)
    if given.get("migration_network"):
        await _all_have_looked(context, given["migration_network"])
    now = context.store.settings
    values = {name: getattr(now, name) for name in now.__struct_fields__}
    view = _set(context.view(), given)
    warnings = (*_warnings(view, given), *_outside(view, given))
    return ClusterSettings(**values, warnings=warnings, notes=_notes(view, given))


def _set(view: ClusterView, given: Mapping[str, Any]) -> ClusterView:
    """Our own picture may be older than what was just written."""
    return msgspec.structs.replace(view, settings=msgspec.structs.replace(view.settings, **given))


def _warnings(view: ClusterView, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Who promises what does not hold is told so, and not only when he looks at the status."""
    words = broken_promise(Placed(view)) if "survive_nodes" in given or "reserve" in given else ""
    return (words,) if words else ()


def _outside(view: ClusterView, given: Mapping[str, Any]) -> tuple[str, ...]:
    left_out = migration.outside(view) if "migration_network" in given else {}
    return tuple(f"{node} is not in the migration network: {why}" for node, why in left_out.items())


async def _all_have_looked(context: Context, network: str) -> None:
    """Each node that is up looks for its address there as soon as it hears of the network."""

    def all_have() -> bool:
        told = (session.in_migration_network for session in context.store.sessions.values() if session.migration)
        return all(own is not None and own.network == network for own in told)

    changes = context.store.subscribe(keys.SESSIONS)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOKED_S):
                while not all_have():
                    await changes.wait()
    finally:
        context.store.unsubscribe(changes)


def _notes(view: ClusterView, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Who has the load balanced hears how much of it that is about."""
    balances = "balance" in given and view.settings.balance is not BalanceMode.OFF
    return (movable.words(view),) if balances else ()


def _armed(settings: Settings) -> str:
    return "the cluster is armed again" if settings.armed else f"the cluster is not armed any more: {arming.MEANS}"


async def would(context: Context, want: Set) -> list[str]:
    """What the cluster would do at once if that were set, and what would be said of it."""
    given, view = _given(want), context.view()
    then = _set(view, given)
    unseen = ["which nodes have an address there is known when it is set"] if given.get("migration_network") else []
    return [*foreseen(view, then), *_warnings(then, given), *_notes(then, given), *unseen]


def _given(want: Set) -> dict[str, Any]:
    if not want.values:
        raise CommandError("usage", f"nothing to set; there are: {', '.join(SETTINGS)}")
    try:
        given = assigned(SETTINGS, want.values, "the cluster")
    except NotMeant as refusal:
        raise CommandError("usage", str(refusal)) from refusal
    try:
        if "migration_network" in given:
            given["migration_network"] = migration.network_of(given["migration_network"])
    except ValueError as error:
        raise CommandError("usage", f'migration_network takes a network, as 10.1.0.0/24, or "none": {error}') from error
    return given


async def release(context: Context, _: Nothing) -> str:
    """The storm guard lets go: nobody counts as fenced any more."""
    view = context.view()
    fenced = [node.name for node in view.nodes.values() if node.fenced or node.spared]
    if not fenced:
        return "no node was fenced of late: the storm guard holds nothing back"

    def make() -> tuple[list[Compare], list[Write]]:
        records = [_released(context.store.nodes[name]) for name in fenced if name in context.store.nodes]
        words = f"the storm guard was told to let go: {context.by}"
        writes = [put(keys.NODES + record.name, record) for record in records]
        compares = context.store.unchanged(*(keys.NODES + record.name for record in records))
        return compares, [*writes, context.journal.event("node-changed", words)]

    await context.write(make)
    return "the storm guard counts anew: nodes whose death is to be proven are fenced"


def _released(node: Node) -> Node:
    return msgspec.structs.replace(node, fenced=(), spared="")


COMMANDS: dict[str, Command] = {
    "cluster.set": (Set, set_values),
    "cluster.would_set": (Set, would),
    "cluster.release": (Nothing, release),
}
