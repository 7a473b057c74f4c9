"""Backups of the cluster database, and who owns what after one was restored."""

from collections.abc import Mapping

import msgspec

from outlast.core.backup import UNFINISHED, Damaged, owned, ownership
from outlast.model import keys
from outlast.model.backup import BackupHeader, BackupRow, Kept, OwnershipReport, RestoreReport
from outlast.model.health import Found
from outlast.model.settings import Settings
from outlast.ports.database import Compare, Refused, Unavailable, Write
from outlast.service.backup import Backing, CannotRestore
from outlast.service.commands.context import Command, CommandError, Context, Nothing
from outlast.service.hosting.surveys import DISCOVER
from outlast.service.store import put

GROUPS_AT_ONCE = 100


class WantBackup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str = ""
    """A whole path; empty: in the answering node's own place for backups."""


class WantRestore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    what_if: bool = False
    force: bool = False
    """Also over groups that are there."""


class WantOwnership(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what_if: bool = False
    without: tuple[str, ...] = ()
    """Nodes that cannot be asked, and run nothing by an administrator's word."""


def _backing(context: Context) -> Backing:
    if context.backing is None:
        raise CommandError("impossible", f"{context.store.me} has no place for backups")
    return context.backing


async def backup(context: Context, want: WantBackup) -> BackupRow:
    try:
        return await _backing(context).take(want.file)
    except Unavailable as error:
        raise CommandError(
            "impossible",
            f"no backup can be taken while the cluster database does not answer: {error}. `outlast quorum show` tells "
            "what it lacks, `outlast cluster backup list` what was taken before",
        ) from error
    except OSError as error:
        raise CommandError("failed", f"the backup cannot be written: {error.strerror or error}") from error


async def backups(context: Context, _: Nothing) -> list[BackupRow]:
    try:
        return await _backing(context).rows()
    except OSError as error:
        raise CommandError("failed", f"the backups of {context.store.me} cannot be looked at: {error}") from error


async def restore(context: Context, want: WantRestore) -> RestoreReport:
    header, kept = await _read(context, want.file)
    if want.what_if:
        return await _backing(context).what_if(header, kept)
    if context.store.groups and not want.force:
        raise CommandError(
            "impossible",
            f"this database is not empty: {', '.join(sorted(context.store.groups)[:5])} are there, and would become as "
            "they were then, or be forgotten (--what-if tells). If that is what you want, add --force",
        )
    try:
        return await _backing(context).restore(header, kept)
    except CannotRestore as error:
        raise CommandError("failed", f"{want.file} was not restored: {error}") from error


async def _read(context: Context, file: str) -> tuple[BackupHeader, tuple[Kept, ...]]:
    try:
        return await _backing(context).read(file)
    except Damaged as error:
        raise CommandError("usage", f"{file} cannot be restored: {error}") from error
    except OSError as error:
        raise CommandError("usage", f"{file} cannot be read: {error.strerror or error}") from error


async def confirm_ownership(context: Context, want: WantOwnership) -> OwnershipReport:
    """What runs is taken as it is; what runs nowhere may be started again. The hold is lifted last."""
    hold = context.store.settings.hold
    if not hold:
        raise CommandError("impossible", "there is nothing to confirm: no restored database waits for it")
    if context.store.held_here:
        raise CommandError(
            "impossible",
            f"only {context.store.me} knows yet that nothing may be started or stopped, since {hold}; do it again when "
            "that stands in the cluster database, in a moment",
        )
    if hold.startswith(UNFINISHED):
        raise CommandError("impossible", f"{hold}, and that has not ended: do `outlast cluster restore` again first")
    store, settings = context.store, context.store.settings
    # What changes from here on was not asked about: a resource that joins a group may run anywhere.
    seen = {name: store.revision_of(keys.GROUPS + name) for name in store.groups}
    found = await _discover(context, _asked(context, want.without))
    there = [store.groups[name] for name in seen if name in store.groups]
    report, problems = ownership(there, store.resources, found)
    if problems:
        raise CommandError("impossible", f"it is not clear who owns what: {'; '.join(problems)}")
    if want.what_if:
        return report
    names = sorted(seen)
    for start in range(0, len(names), GROUPS_AT_ONCE):
        await _write_owners(context, {name: seen[name] for name in names[start : start + GROUPS_AT_ONCE]}, report)
    await _lift(context, settings, want.without)
    return report


def _asked(context: Context, without: tuple[str, ...]) -> list[str]:
    """Every node must be asked what runs there, or be known to run nothing."""
    view = context.view()
    for name in without:
        context.need_node(name)
        if name in view.sessions and name not in view.silences and name not in view.observed.silent_s:
            raise CommandError("impossible", f"{name} is a living member: it is asked what runs there")
    dead = {name for name, silence in view.silences.items() if silence.proof is not None}
    members = [name for name in sorted(view.sessions) if name in view.nodes and name not in view.silences]
    unknown = [name for name in sorted(view.nodes) if name not in {*members, *dead, *without}]
    if unknown:
        raise CommandError(
            "impossible",
            f"nobody can say what runs on {', '.join(unknown)}: start the cluster service there; or make sure that "
            f"nothing runs there, and add --without {','.join(unknown)}",
        )
    return members


async def _discover(context: Context, nodes: list[str]) -> dict[str, set[tuple[str, str]]]:
    running: dict[str, set[tuple[str, str]]] = {node: set() for node in nodes}
    for type_name in sorted({resource.type for resource in context.store.resources.values()}):
        answers = await context.surveys.ask(nodes, type_name, DISCOVER, {})
        for node, answer in answers.items():
            if answer.problem:
                raise CommandError(
                    "impossible", f"it cannot be told what of {type_name} runs on {node}: {answer.problem}; mend that"
                )
            things = msgspec.convert(answer.result, list[Found])
            running[node] |= {(type_name, thing.identity) for thing in things if thing.running}
            _refuse_uncertain(context, node, {(type_name, identity) for identity in answer.under_way} - running[node])
    return running


def _refuse_uncertain(context: Context, node: str, uncertain: set[tuple[str, str]]) -> None:
    """With the hold no node begins a start any more. One that was begun before may still end with what runs."""
    known = context.store.resources.values()
    names = sorted(resource.name for resource in known if (resource.type, resource.identity) in uncertain)
    if names:
        raise CommandError(
            "impossible",
            f"{', '.join(names)} may be running on {node} in a moment: a start or a stop was under way there when the "
            "hold began, and it has not ended. Do it again then",
        )


async def _write_owners(context: Context, seen: Mapping[str, int], report: OwnershipReport) -> None:
    """`seen`: the revision of each group's record before anybody was asked."""
    store, by = context.store, f"{context.by}, who confirmed what runs where"
    compares = [Compare(keys.GROUPS + name, revision) for name, revision in seen.items()]
    there = [store.groups[name] for name in seen if name in store.groups]
    writes: list[Write] = [
        put(keys.GROUPS + one.name, owned(one, report.running.get(one.name, ""), by)) for one in there
    ]
    if isinstance(await store.transact(compares, writes), Refused):
        raise CommandError("impossible", "a group changed while ownership was confirmed; do it again")


async def _lift(context: Context, confirmed: Settings, without: tuple[str, ...]) -> None:
    """That hold, and no other that has begun since."""
    store = context.store
    asked = f"; by their word, nothing runs on {', '.join(without)}" if without else ""
    words = f"{context.by} confirmed what runs where{asked}: groups are started again"

    def make() -> tuple[list[Compare], list[Write]]:
        present = store.settings
        if (present.hold, present.generation) != (confirmed.hold, confirmed.generation):
            raise CommandError(
                "impossible", f"something else holds everything by now: {present.hold or 'nothing'}; do it again"
            )
        record = msgspec.structs.replace(store.settings, hold="")
        return store.unchanged(keys.CLUSTER), [put(keys.CLUSTER, record), context.journal.event("backup", words)]

    await context.write(make)


COMMANDS: dict[str, Command] = {
    "cluster.backup": (WantBackup, backup),
    "cluster.backups": (Nothing, backups),
    "cluster.restore": (WantRestore, restore),
    "cluster.confirm_ownership": (WantOwnership, confirm_ownership),
}
