"""VMs: looking at them, and taking them under the cluster's protection or letting them go.

A VM is one resource of type `vm` in a group of its own of the same name. Everything that could make protection an empty
word is checked on every node before anything changes.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial

import msgspec

from outlast.core.coordinator import handing_over
from outlast.core.foresight.protection import Level
from outlast.core.group.deletion import why_needed
from outlast.core.placement import placement
from outlast.core.placement.sight import learned
from outlast.model import keys
from outlast.model.answers import ProtectReport, VmDetail, VmRow
from outlast.model.group import Definition, Group, Resource, Wanted
from outlast.model.health import Json
from outlast.model.status import State
from outlast.ports.database import Compare, Delete, Write
from outlast.service.commands import disks, vm_into_group
from outlast.service.commands.admitting import admitted, promised, without_room
from outlast.service.commands.context import Command, CommandError, Context, Missing, similar
from outlast.service.commands.context import Named as VmName
from outlast.service.commands.resource_settings import changed
from outlast.service.commands.rows import VM, Rows
from outlast.service.hosting.looking import Sightings
from outlast.service.store import READ_TIMEOUT_S, put

SESSION_SOON_S = 10.0


class WantList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    all: bool = False


class Protect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    """An existing VM of this node's libvirt."""
    definition: str = ""
    """Or a domain XML."""
    preferred_owners: tuple[str, ...] = ()
    possible_owners: tuple[str, ...] = ()
    is_alive_interval_s: float = 5.0
    offline_timeout_s: float = 120.0
    failover_threshold: int | None = None
    start: bool | None = None
    """None: as it is now; a definition is started."""
    group: str = ""
    """A group that is there, which it joins; empty: one of its own."""
    depends_on: str = ""
    """Of that group: what must be online before it."""
    what_if: bool = False


class Unprotect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    what_if: bool = False


class Parsed(msgspec.Struct, frozen=True):
    """What the plugin says of a VM (verbs `inspect` and `parse`)."""

    definition: str
    identity: str
    name: str
    running: bool = False
    disks: tuple[Mapping[str, Json], ...] = ()
    memory_mib: int = 0
    vcpus: int = 0
    networks: tuple[str, ...] = ()
    cpu: str = ""
    host_devices: tuple[str, ...] = ()


async def list_vms(context: Context, want: WantList) -> list[VmRow]:
    rows = list(Rows(context.view()).vms())
    if want.all:
        rows += await _unmanaged(context)
    return rows


async def _unmanaged(context: Context) -> list[VmRow]:
    """VMs of every node that the cluster does not know."""
    known = {resource.identity for resource in context.store.resources.values()}
    members = sorted(placement.members(context.view()))
    found = []
    for node, answer in (await context.surveys.ask(members, VM, "list", {})).items():
        for vm in answer.result or []:
            if vm["uuid"] not in known:
                reason = f"the cluster does not manage it: `outlast vm protect {vm['name']}` on {node}"
                state = "online" if vm.get("running") else "offline"
                row = VmRow(vm["name"], state, "", node, "", False, (reason,), vm["uuid"], 0, 0, "")
                found.append(msgspec.structs.replace(row, protection=Level.NOT_PROTECTED.value))
    return found


async def show(context: Context, want: VmName) -> VmDetail:
    resource = need(context, want.name)
    view = context.view()
    rows, group = Rows(view), context.group(resource.group)
    fits = {name: placement.why_not(group, name, rows.placed, here=group.owner) for name in sorted(view.nodes)}
    runs = rows.group_status(group).state is State.ONLINE
    others = [name for name in fits if runs and name != group.owner]
    live = {name: handing_over.why_not_live(group, name, view) for name in others}
    return VmDetail(rows.vm(resource), rows.group(group), rows.resource(resource), fits, live)


async def group_of(context: Context, want: VmName) -> str:
    return need(context, want.name).group


async def protect(context: Context, want: Protect) -> ProtectReport:
    if bool(want.name) == bool(want.definition):
        both = "say either the name of a VM of this node, or a definition (--xml FILE), not both"
        raise CommandError("usage", both if want.name else "the definition is empty")
    changed({"is_alive_interval_s": want.is_alive_interval_s, "offline_timeout_s": want.offline_timeout_s}, VM)
    for node in (*want.preferred_owners, *want.possible_owners):
        context.need_node(node)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SESSION_SOON_S):  # its service may have just started
            await context.membership.opened.wait()
    _need_session(context)
    _refuse_protected(context, want.name)
    vm_into_group.refuse_contradictions(context, want.group, want.depends_on, of_a_group=_of_a_group(want))
    vm = await _parse(context, want)
    _refuse_duplicates(context, vm)
    await _refuse_disk_of_another(context, vm)
    found = await _check_everywhere(context, vm)
    nodes = {node: tuple(problems) for node, problems in found.problems.items()}
    paths = tuple(str(disk.get("path", "")) for disk in vm.disks)
    running = vm.running
    wanted = _wanted(want, running)
    owner = context.store.me if want.name else ""
    owners = context.group(want.group).possible_owners if want.group else want.possible_owners
    possible = {node: problems for node, problems in nodes.items() if node in (owners or nodes)}
    if not any(not problems for problems in possible.values()) or _hidden_disk(possible):
        raise CommandError("impossible", _refusal(vm.name, possible))
    resource = learned(_resource(vm, want, wanted), found.answers, context.store.nodes)
    if want.group:
        group, warning = vm_into_group.admit(context, resource, runs_here=running)
        wanted = wanted if group.wanted is Wanted.ONLINE else Wanted.OFFLINE
    else:
        group, warning = _alone(context, _group(context, vm, want, owner, wanted), resource, runs_here=running)
    warning = "; ".join(filter(None, (warning, *disks.doubts(found))))
    where = owner if running else ""
    report = ProtectReport(
        vm.name, vm.identity, where, wanted.value, False, nodes, paths, warning, group.owner if want.group else ""
    )
    if want.what_if:
        return report
    if want.group:
        again = partial(_refuse_again, context, vm)
        await vm_into_group.join(context, resource, vm.definition, again, runs_here=running)
    else:
        await _create(context, vm, group, resource)
    return msgspec.structs.replace(report, done=True)


async def unprotect(context: Context, want: Unprotect) -> str:
    resource = need(context, want.name)
    group = context.group(resource.group)
    _refuse_needed(context, resource, group)
    _refuse_doubtful_owner(context, group)
    where = _as_it_is(context, group)
    if want.what_if:
        return f"{want.name} would no longer be protected; {where}. Nothing was changed."

    def make() -> tuple[list[Compare], list[Write]]:
        present = context.group(resource.group)
        _refuse_needed(context, resource, present)
        _refuse_doubtful_owner(context, present)
        event = context.journal.event(
            "group-changed", f"{resource.name} is no longer protected, {where}", group=present.name
        )
        names = [keys.GROUPS + present.name, keys.RESOURCES + resource.name, keys.STATUS + present.name]
        deletes: list[Write] = [Delete(key) for key in [*names, keys.DEFINITIONS + resource.name]]
        return context.store.unchanged(keys.GROUPS + present.name), [*deletes, event]

    await context.write(make)
    return f"{want.name} is no longer protected; {where}"


def _refuse_needed(context: Context, resource: Resource, group: Group) -> None:
    """Its group goes with it, so it must be the last that is in there, and nothing may name it."""
    others = [name for name in group.resources if name != resource.name]
    problem = why_needed(group, context.view())
    if others:
        problem = f"{group.name} has {', '.join(others)} as well; first: `outlast resource delete {others[0]}`"
    if problem:
        raise CommandError("impossible", f"cannot unprotect {resource.name}: {problem}")


def _as_it_is(context: Context, group: Group) -> str:
    """What becomes of a VM that is let go. Who let it go in the middle of its shutdown must not take it for off."""
    state = Rows(context.view()).group_status(group).state
    if state is State.ONLINE:
        return f"it keeps running on {group.owner}"
    if state is State.OFFLINE or not group.owner:
        saved = [one.saved for name in group.resources if (one := context.store.resources.get(name)) and one.saved]
        rest = f"; its state stays in {saved[0].path}, and `virsh restore` goes on from it" if saved else ""
        return f"it stays off{rest}"
    return f"nobody looks after it now on {group.owner}, where it is {state.value}"


def _refuse_doubtful_owner(context: Context, group: Group) -> None:
    """Else it could be protected anew, and be started beside the one that a silent node still runs."""
    view, owner = context.view(), group.owner
    silence = view.silences.get(owner)
    doubtful = silence.proof is None if silence is not None else owner in view.observed.silent_s
    if doubtful:
        raise CommandError(
            "impossible",
            f"cannot unprotect {group.name} now: {owner}, which owns it, is silent and may still run it. Wait until "
            f"its death is proven, or make sure that it is off, then `outlast node confirm-down {owner}`",
        )


def need(context: Context, name: str) -> Resource:
    found = context.store.resources.get(name)
    if found is None or found.type != VM:
        vms = [resource.name for resource in context.store.resources.values() if resource.type == VM]
        raise Missing(f'there is no protected VM "{name}"{similar(name, vms)}')
    return found


async def _parse(context: Context, want: Protect) -> Parsed:
    if not want.name:
        return await parse_definition(context, want.definition)
    return msgspec.convert(await disks.ask_here(context, "inspect", {"name": want.name}), Parsed)


async def parse_definition(context: Context, definition: str) -> Parsed:
    """What this node's plugin reads in it."""
    return msgspec.convert(await disks.ask_here(context, "parse", {"definition": definition}), Parsed)


def _need_session(context: Context) -> None:
    """A group whose owner has no session would be brought online elsewhere, beside what runs here."""
    if not context.membership.opened.is_set():
        raise CommandError("impossible", f"{context.store.me} has no session: {context.membership.why_not}")


def _refuse_protected(context: Context, name: str) -> None:
    if name in context.store.resources:
        raise CommandError("usage", f'"{name}" is protected already; see `outlast vm show {name}`')


def _refuse_duplicates(context: Context, vm: Parsed) -> None:
    _refuse_protected(context, vm.name)
    for resource in context.store.resources.values():
        if resource.identity == vm.identity:
            raise CommandError(
                "usage", f'the UUID {vm.identity} is that of "{resource.name}", which is protected already'
            )
    if vm.name in context.store.groups:
        raise CommandError("usage", f'there is a group "{vm.name}" already; rename the VM')


async def _refuse_disk_of_another(context: Context, vm: Parsed) -> None:
    """Two VMs that write to one disk destroy it, just as the same VM running twice does."""
    mine, only_mine = _disks(vm), _disks(vm, shared=False)
    if not mine:
        return
    snapshot = await context.store.database.read(keys.DEFINITIONS, timeout_s=READ_TIMEOUT_S)
    for entry in snapshot.entries:
        definition = msgspec.json.decode(entry.value, type=Definition)
        resource = context.store.resources.get(definition.resource)
        if resource is None or resource.type != VM:
            continue
        other = await parse_definition(context, definition.text)
        for path in sorted(only_mine & _disks(other) | mine & _disks(other, shared=False)):
            words = (
                f'cannot protect "{vm.name}": its disk {path} is also that of "{other.name}", which is protected; two '
                "VMs that write to one disk destroy it. If they are meant to share it, mark it <shareable/> in both"
            )
            raise CommandError("usage", words)


def _disks(vm: Parsed, *, shared: bool = True) -> set[str]:
    """Paths of its disks; without those that others may have too, if so asked."""
    kinds, devices = ("file", "block"), ("disk", "lun")
    disks = [disk for disk in vm.disks if disk.get("kind") in kinds and disk.get("device") in devices]
    return {str(disk["path"]) for disk in disks if disk.get("path") and (shared or not disk.get("shared"))}


async def _check_everywhere(context: Context, vm: Parsed) -> Sightings:
    """What keeps each member from running this VM."""
    members = sorted(placement.members(context.view()))
    await _refuse_running_elsewhere(context, vm, members)
    return await disks.sightings(context, vm.definition, members, context.store.me)


async def _refuse_running_elsewhere(context: Context, vm: Parsed, members: list[str]) -> None:
    """Beside a VM that runs past the cluster, a second one must not be started."""
    for node, answer in (await context.surveys.ask(members, VM, "list", {})).items():
        stays_here = vm.running and node == context.store.me
        if not stays_here and any(one["uuid"] == vm.identity and one.get("running") for one in answer.result or ()):
            words = f'cannot protect "{vm.name}": it runs on {node} now. Protect it there by its name, or switch it off'
            raise CommandError("impossible", words)


def _hidden_disk(nodes: Mapping[str, tuple[str, ...]]) -> bool:
    """Some node cannot run it: then say so now, and not when that node is needed."""
    return any(nodes.values())


def _refusal(name: str, nodes: Mapping[str, tuple[str, ...]]) -> str:
    problems = "; ".join(f"{node}: {', '.join(found)}" for node, found in sorted(nodes.items()) if found)
    able = [node for node, found in sorted(nodes.items()) if not found]
    hint = (
        f"Mend that, or name the nodes that can run it: --possible-owners {','.join(able)}"
        if able
        else "No node can run it; nothing was changed"
    )
    return f'cannot protect "{name}": {problems}. {hint}'


def _wanted(want: Protect, running: bool) -> Wanted:
    start = (running if want.name else True) if want.start is None else want.start
    return Wanted.ONLINE if start or running else Wanted.OFFLINE


def _group(context: Context, vm: Parsed, want: Protect, owner: str, wanted: Wanted) -> Group:
    return Group(
        name=vm.name,
        resources=(vm.name,),
        wanted=wanted,
        wanted_by=context.by,
        owner=owner,
        epoch=1 if owner else 0,
        preferred_owners=want.preferred_owners,
        possible_owners=want.possible_owners,
        failover_threshold=want.failover_threshold,
    )


def _alone(context: Context, group: Group, resource: Resource, *, runs_here: bool) -> tuple[Group, str]:
    """Its group as it begins, and what is to be said of the promise to survive lost nodes."""
    if group.wanted is Wanted.OFFLINE:
        return group, ""
    warning = promised(context, group, [resource]) if runs_here else admitted(context, group, [resource])
    if group.owner and not runs_here and without_room(context, group, [resource]):
        group = msgspec.structs.replace(group, owner="", epoch=0)  # it is off: any node may start it
    return group, warning


def _of_a_group(want: Protect) -> bool:
    """Is anything asked for that belongs to a group, and not to what is in it?"""
    return bool(want.preferred_owners or want.possible_owners or want.failover_threshold is not None)


def _refuse_again(context: Context, vm: Parsed) -> None:
    _need_session(context)
    _refuse_duplicates(context, vm)


def _resource(vm: Parsed, want: Protect, wanted: Wanted) -> Resource:
    return Resource(
        name=vm.name,
        type=VM,
        group=want.group or vm.name,
        wanted=wanted if want.group else Wanted.ONLINE,
        depends_on=want.depends_on,
        identity=vm.identity,
        is_alive_interval_s=want.is_alive_interval_s,
        offline_timeout_s=want.offline_timeout_s,
        memory_mib=vm.memory_mib,
        vcpus=vm.vcpus,
        networks=vm.networks,
        cpu=vm.cpu,
        host_devices=vm.host_devices,
        disks=tuple(sorted({str(disk["path"]) for disk in vm.disks if disk.get("path")})),
    )


async def _create(context: Context, vm: Parsed, group: Group, resource: Resource) -> None:
    where = f"it is on {group.owner}" if group.owner else "the coordinator places it"
    event = context.journal.event("group-changed", f"{vm.name} is protected by {context.by}; {where}", group=vm.name)
    writes: list[Write] = [
        put(keys.DEFINITIONS + vm.name, Definition(vm.name, vm.definition)),
        put(keys.RESOURCES + vm.name, resource),
        put(keys.GROUPS + vm.name, group),
        event,
    ]
    absent = [Compare(keys.GROUPS + vm.name, 0), Compare(keys.RESOURCES + vm.name, 0)]

    def make() -> tuple[list[Compare], list[Write]]:
        _refuse_again(context, vm)
        return absent, writes

    await context.write(make)


COMMANDS: dict[str, Command] = {
    "vm.list": (WantList, list_vms),
    "vm.show": (VmName, show),
    "vm.group": (VmName, group_of),
    "vm.protect": (Protect, protect),
    "vm.unprotect": (Unprotect, unprotect),
}
