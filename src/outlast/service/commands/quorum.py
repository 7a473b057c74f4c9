"""Who votes in the database, what can still be lost, and an administrator's way out when too much is."""

import asyncio

import msgspec

from outlast.core.fence.agents import proving
from outlast.core.quorum.force_quorum import Alone, Confirm, ForceView, Outcome, Refused, WaitNoLonger, force_quorum
from outlast.core.quorum.voter_rows import voter_row
from outlast.core.quorum.voting import VoteView
from outlast.model import keys
from outlast.model.answers import ForceRow, QuorumRow
from outlast.model.group import Wanted
from outlast.model.settings import Settings
from outlast.ports.database import Unavailable
from outlast.service.commands.context import Command, CommandError, Context, Named, Nothing
from outlast.service.commands.nodes import confirm_down
from outlast.service.quorum.member_keeper import MAJORITY, MemberKeeper
from outlast.service.quorum.members import Quorum

FRESH_S = 1.0
SLOW_ANSWER_S = 0.2
"""A database that takes longer than this is asked why."""
LEADER_WITHIN_S = 60.0
SILENT_WITHIN_S = 60.0
"""A node is silent `node_timeout` after this one reaches the database again; then the word about it can be written."""
RETRY_S = 0.5


class Forecast(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    others_lost: bool = False
    """The administrator says that the others will never come back with the data that they had."""


class Force(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    confirmed: tuple[str, ...] = ()
    """Machines that the administrator says are off."""
    others_lost: bool = False


async def show(context: Context, _: Nothing) -> QuorumRow:
    quorum = _quorum(context)
    voters = context.voters
    try:
        view = await quorum.look(FRESH_S)
    except Unavailable as error:
        waits = _waits(context, agreed=False)
        if voters.keeper is None or not waits:
            raise
        nobody = f"nobody knows the members now: {error}"
        return QuorumRow(context.store.me, False, "", (), (), -1, nobody, waits, voters.keeper.noted.generation)
    assert quorum.margin is not None
    slow = not quorum.agreed or context.membership.answer_s > SLOW_ANSWER_S
    disks_s = await quorum.disks_s(view) if slow else {}
    leader = next((status.leader for status in view.statuses.values() if status.leader), "")
    rows = {member.id: voter_row(member, view, leader, disks_s.get(member.id, 0.0)) for member in view.members}
    return QuorumRow(
        answered_by=context.store.me,
        quorum=quorum.agreed,
        leader=next((member.name for member in view.members if member.id == leader), "") if quorum.agreed else "",
        voters=tuple(rows[member.id] for member in view.members if member.name and not member.learner),
        others=tuple(rows[member.id] for member in view.members if not member.name or member.learner),
        margin=quorum.margin.margin,
        words=quorum.margin.words,
        waits=_waits(context, agreed=quorum.agreed, other=_only_other(context.store.me, view)),
        generation=context.store.settings.generation,
    )


def _only_other(me: str, view: VoteView) -> str:
    """Who votes besides this node, if it is one alone; else ""."""
    voters = {member.name for member in view.members if not member.learner}
    return next(iter(voters - {me})) if me in voters and len(voters) == 2 else ""


def _waits(context: Context, *, agreed: bool, other: str = "") -> tuple[str, ...]:
    """Each thing once: without a majority its keeper and who might go on alone wait for the same."""
    voters = context.voters
    found = list(voters.voting.words) if voters.voting is not None and agreed else []
    keeper = voters.keeper.why if voters.keeper is not None else ""
    alone = voters.last_one.words if voters.last_one is not None else ""
    if agreed and other and not alone and voters.last_one is not None:
        alone = voters.last_one.not_yet(other)
    if keeper and not (alone and keeper == MAJORITY):
        found.append(f"the member of {context.store.me} waits for {keeper}")
    if alone and not (keeper and voters.keeper is not None and voters.keeper.look() is None):
        found.append(alone)
    return tuple(found)


# --- force ------------------------------------------------------------------------------------------------------------


async def forecast(context: Context, want: Forecast) -> ForceRow:
    """What it would mean; changes nothing."""
    keeper = _keeper(context)
    outcome = await _outcome(context, keeper, frozenset(), want.others_lost)
    out = outcome.machines if isinstance(outcome, Confirm) else ()
    alone = isinstance(outcome, Alone) or (isinstance(outcome, Confirm) and outcome.alone)
    vms = {name: owned for name in out if (owned := _owned(context, name))}
    return ForceRow(
        refused=outcome.why if isinstance(outcome, Refused) else "",
        alone=alone,
        must_be_off=out,
        fenced=tuple(name for name in out if _has_fence(context, name)),
        vms=vms,
        consequences=tuple(_consequences(context, keeper, alone, out)),
    )


async def force(context: Context, want: Force) -> str:
    """Fences what can be fenced, and goes on when all that must be off are confirmed off.

    Also who is off by the administrator's word is fenced, where that is possible: he may be wrong."""
    keeper = _keeper(context)
    outcome = await _outcome(context, keeper, frozenset(), want.others_lost)
    fenced: list[str] = []
    if isinstance(outcome, Confirm):
        fenced = await _fence(context, outcome.machines)
        outcome = await _outcome(context, keeper, frozenset({*want.confirmed, *fenced}), want.others_lost)
    match outcome:
        case Refused(why):
            raise CommandError("impossible", f"the quorum cannot be forced on {context.store.me}: {why}")
        case Confirm(machines):
            names = ", ".join(machines)
            raise CommandError(
                "impossible",
                f"the quorum is not forced: nothing has confirmed that {names} is off. Make sure of it, and say so",
            )
        case WaitNoLonger(off):
            keeper.confirmed_off.update(off)
            await _leader(keeper)
            words = f"the database of {context.store.me} goes on without {', '.join(off)}; nothing is lost"
        case Alone(left_behind, others):
            keeper.story.append(
                f"an administrator forced the quorum on {context.store.me}: it goes on alone, without "
                f"{', '.join(others)}, in generation {keeper.noted.generation + 1}"
            )
            # Before the database is there: what was lost may say who owns what, and it may run there.
            hold = f"the quorum was forced on {context.store.me}, and what was written last may be lost"
            without = {*want.confirmed, *fenced}
            failed = await keeper.go_alone(left_behind, hold=hold, hold_without=without)
            if failed:
                raise CommandError("failed", f"the quorum could not be forced: {failed}{_may_be(context, keeper)}")
            words = f"{context.store.me} goes on alone; {', '.join(others)} will join it again when they are back"
            if await _is_held(context, keeper):
                words += ". Other nodes may run VMs of which it knows nothing, so nothing is started or stopped "
                words += "before it is said what runs where: outlast cluster confirm-ownership"
    await _write_down(context, tuple(name for name in want.confirmed if name not in fenced))
    return words


async def _outcome(context: Context, keeper: MemberKeeper, off: frozenset[str], others_lost: bool) -> Outcome:
    await keeper.calls.ask_all()
    heard = {name: answer.mine for name, answer in keeper.calls.answers().items()}
    look = keeper.look()
    noted = keeper.noted
    if look is not None and look.voters and not noted.alone_from:
        noted = msgspec.structs.replace(noted, voters=look.voters)
    return force_quorum(ForceView(context.store.me, keeper.stage, noted, heard, off, keeper.same_life(), others_lost))


async def _fence(context: Context, machines: tuple[str, ...]) -> list[str]:
    """Which of them their fence devices have confirmed off."""

    async def prove(name: str) -> bool:
        fencing, node, session = context.fencing, context.store.nodes.get(name), context.store.sessions.get(name)
        if fencing is None or node is None or not proving(node.fence):
            return False
        report = await fencing.prove_off(node, session.incarnation if session else "", allowed=_always)
        return bool(report.confirmed)

    proven = await asyncio.gather(*(prove(name) for name in machines))
    return [name for name, is_off in zip(machines, proven, strict=True) if is_off]


async def _always(node: str, incarnation: str) -> bool:
    return True


def _may_be(context: Context, keeper: MemberKeeper) -> str:
    """Once it was tried nobody can say that it will not happen."""
    if not keeper.noted.hold:
        return ""
    return (
        f". It is tried again, and may still come to it; until that is known nothing is started or stopped on "
        f"{context.store.me} (outlast quorum show)"
    )


async def _is_held(context: Context, keeper: MemberKeeper) -> bool:
    """Returns when that stands in the database; False: it need not, for all other nodes are off, and nothing runs of
    which this one does not know (`service/quorum/holding.py`)."""
    try:
        async with asyncio.timeout(SILENT_WITHIN_S):
            while True:
                try:
                    if not keeper.noted.hold:
                        found = await context.store.database.read(keys.CLUSTER, timeout_s=RETRY_S)
                        settings = next(entry for entry in found.entries if entry.key == keys.CLUSTER)
                        return bool(msgspec.json.decode(settings.value, type=Settings).hold)
                except Unavailable:
                    pass
                await asyncio.sleep(RETRY_S / 5)
    except TimeoutError:
        raise CommandError(
            "failed", "the quorum is forced, but it could not be written yet that nothing may be started or stopped: "
            f"that counts on {context.store.me} only until it is"
        ) from None  # fmt: skip


async def _leader(keeper: MemberKeeper) -> None:
    if not await keeper.leader_within(LEADER_WITHIN_S):
        raise CommandError(
            "failed", f"the members that are here have no leader after {LEADER_WITHIN_S:g} s: {keeper.why}"
        )


async def _write_down(context: Context, confirmed: tuple[str, ...]) -> None:
    """The administrator's word counts for the groups of those machines as well, as soon as it can be written."""
    try:
        async with asyncio.timeout(SILENT_WITHIN_S):
            await context.store.ready.wait()
            left = [name for name in confirmed if name in context.store.sessions]
            while left:
                try:
                    await confirm_down(context, Named(left[0]))
                    left.pop(0)
                except (CommandError, Unavailable):
                    await asyncio.sleep(RETRY_S)
    except TimeoutError:
        raise CommandError(
            "failed", f"the quorum is forced, but it was not written that {', '.join(confirmed)} is off; say so again "
            "with: outlast node confirm-down"
        ) from None  # fmt: skip


def _consequences(context: Context, keeper: MemberKeeper, alone: bool, out: tuple[str, ...]) -> list[str]:
    me, names = context.store.me, ", ".join(out)
    found = []
    if out:
        found.append(f"{names} must be off; who has fence devices is fenced. If one of them still runs, VMs run twice")
    if not alone:
        found.append("the voters that are here go on; nothing that was written is lost")
        return found
    found.append(f"{me} goes on with what is on its own disk; what was written without it in its last moments is lost")
    found.append("all other members are left behind: when they are back, their data is thrown away and they join again")
    found.append(f"until they have, or are evicted, the member of {me} does not start by itself after a boot")
    if alive := sorted(set(context.store.nodes) - {me, *out}):
        found.append(
            f"{', '.join(alive)} need not be off, and may run what was moved there last: nothing is started or stopped "
            "before you have said what runs where (outlast cluster confirm-ownership)"
        )
    if not context.store.ready.is_set():
        found.append(f"{me} has not read the cluster database since it started, so it cannot name the VMs")
    return found


def _owned(context: Context, node: str) -> tuple[str, ...]:
    groups = context.store.groups.values()
    return tuple(sorted(group.name for group in groups if group.owner == node and group.wanted is Wanted.ONLINE))


def _has_fence(context: Context, name: str) -> bool:
    node = context.store.nodes.get(name)
    return node is not None and bool(proving(node.fence))


def _keeper(context: Context) -> MemberKeeper:
    if context.voters.keeper is None:
        raise CommandError(
            "impossible", f"{context.store.me} carries no member of the database; ask on a node that does"
        )
    return context.voters.keeper


def _quorum(context: Context) -> Quorum:
    if context.voters.quorum is None:
        raise CommandError("impossible", "nobody votes here: the cluster database is a file on this machine")
    return context.voters.quorum


COMMANDS: dict[str, Command] = {
    "quorum.show": (Nothing, show),
    "quorum.forecast": (Forecast, forecast),
    "quorum.force": (Force, force),
}
WITHOUT_DATABASE = frozenset(COMMANDS)
"""Verbs that are of use just when the database does not answer."""
