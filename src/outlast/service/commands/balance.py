"""What has each node to do, what would balancing move and why, what stays and why; and having it done once.

What the cluster does by itself is the setting `balance` (`core/coordinator/balance.py`).
"""

from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from outlast.core.coordinator import handing_over, intake
from outlast.core.coordinator.balance import Loads, Move, arrived, busy, moves, next_moves, why_it_stays
from outlast.core.coordinator.round import Round
from outlast.core.placement.placed import Placed
from outlast.model.balance_answers import BalanceRow, LoadRow, MoveRow
from outlast.model.group import Group, Wanted
from outlast.model.view import ClusterView
from outlast.service.commands.context import Command, CommandError, Context, Nothing, Stream

LOOK_AGAIN_S = 1.0


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timeout_s: float = 300.0
    """0: the first moves are begun, and nothing is waited for."""


class _Changed(Exception):
    """The group is no longer as it was when the move was found."""


async def look(context: Context, _: Nothing) -> BalanceRow:
    view = context.view()
    return _row(view, moves(view))


async def run(context: Context, want: Run) -> AsyncIterator[BalanceRow]:
    """What is left to be moved, on each change, until that is nothing or the time is up."""
    why_not = busy(Round(context.view()))
    if why_not:
        raise CommandError("impossible", f"nothing is moved for the sake of balance now: {why_not}")
    changes = context.store.subscribe()
    deadline = context.clock.now() + want.timeout_s
    before: BalanceRow | None = None
    try:
        while True:
            view = context.view()
            under_way = busy(Round(view))
            batch = [] if under_way else next_moves(view)
            for move in batch:
                with suppress(_Changed):
                    await _begin(context, move)
            view = context.view()
            row = _row(view, moves(view))
            if row != before:
                yield row
            before = row
            if (not batch and not under_way) or context.clock.now() >= deadline:
                return
            await changes.wait(LOOK_AGAIN_S)
    finally:
        context.store.unsubscribe(changes)


async def _begin(context: Context, move: Move) -> None:
    def change(group: Group) -> Group:
        if group.move_to or (group.owner, group.wanted) != (move.source, Wanted.ONLINE):
            raise _Changed
        how = handing_over.how(group, move.target, context.view())
        return msgspec.structs.replace(group, move_to=move.target, queued=False, moves=group.moves + 1, stop=how)

    by = context.by
    words = f"{move.group} is to move from {move.source} to {move.target} {move.why}: {by}"
    if move.group in context.store.groups:
        await context.change_group(move.group, change, words)


def _row(view: ClusterView, found: list[Move]) -> BalanceRow:
    decision = Round(arrived(view))
    loads = Loads(decision.placed, tuple(sorted(decision.placed.members)))
    return BalanceRow(
        mode=view.settings.balance.value,
        weighed=loads.weighed,
        nodes=tuple(_load(name, view, decision.placed, loads) for name in loads.of),
        moves=tuple(MoveRow(move.group, move.source, move.target, move.why) for move in found),
        stay=_stay(view, loads),
        waits=busy(Round(view)),
    )


def _load(name: str, view: ClusterView, placed: Placed, loads: Loads) -> LoadRow:
    used = placed.used(name)
    return LoadRow(
        name=name,
        load=round(loads.of[name], 3),
        groups=used.groups,
        memory_mib=used.memory_mib,
        has_mib=used.has_mib,
        cpus=used.cpus,
        has_cpus=used.has_cpus,
        refuses=intake.refuses(view.nodes[name], view.sessions[name]),
    )


def _stay(view: ClusterView, loads: Loads) -> dict[str, tuple[str, ...]]:
    """Why what is on the busier nodes is not moved, and of which groups that is true."""
    busier = {name for name in loads.of if any(loads.far_apart(name, other) for other in loads.of)}
    found: dict[str, list[str]] = {}
    for group in view.groups.values():
        if group.owner in busier and group.wanted is Wanted.ONLINE and not group.move_to:
            why = why_it_stays(group, view)
            if why:
                found.setdefault(why, []).append(group.name)
    return {why: tuple(sorted(names)) for why, names in found.items()}


COMMANDS: dict[str, Command] = {"balance.look": (Nothing, look)}
STREAMS: dict[str, Stream] = {"balance.run": (Run, run)}
