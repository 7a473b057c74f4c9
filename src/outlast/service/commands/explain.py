"""Why is something as it is? The present state with its reasons, and the story that led to it."""

import msgspec

from outlast.core.fence.fencing import called, in_levels
from outlast.core.placement import placement
from outlast.core.spelling import spelled
from outlast.model import keys
from outlast.model.answers import Explanation, GroupRow, NodeRow, ResourceRow
from outlast.model.event import Event, Inputs
from outlast.model.group import Group
from outlast.model.health import Json
from outlast.model.node import Node
from outlast.ports.database import Unavailable
from outlast.service.commands import vms
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named
from outlast.service.commands.queries import read_events
from outlast.service.commands.rows import Rows
from outlast.service.recording import replay, unpack
from outlast.service.store import READ_TIMEOUT_S

STORY_LENGTH = 200


class WantReplay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: str


async def explain_group(context: Context, want: Named) -> Explanation:
    group = context.group(want.name)
    now = _sentences(context, group)
    everything, problem = await _events(context)
    now += problem
    # What happened to the nodes it was on is part of its story.
    nodes = {event.about for event in everything if event.group == group.name and event.about} | {group.owner}
    story = [
        event
        for event in everything
        if event.group == group.name or (not event.group and event.about in nodes and _tells(event))
    ]
    return Explanation(group.name, tuple(now), tuple(sorted(story, key=lambda event: event.id)[-STORY_LENGTH:]))


async def explain_vm(context: Context, want: Named) -> Explanation:
    return await explain_group(context, Named(vms.need(context, want.name).group))


async def explain_node(context: Context, want: Named) -> Explanation:
    context.need_node(want.name)
    view = context.view()
    rows = Rows(view, no_session=context.membership.why_not)
    row = rows.node(want.name, context.observation.last_record_s().get(want.name, -1.0))
    now = [f"{row.name} is {row.state}" + (f": {row.why}" if row.why else "")]
    if row.coordinator:
        now.append("it coordinates the cluster")
    owned = sorted(group.name for group in view.groups.values() if group.owner == want.name)
    now.append(f"it owns {', '.join(owned)}" if owned else "it owns no group")
    if row.watchdog_problem:
        now.append(f"its watchdog does not count: {row.watchdog_problem}")
    now.append(_proof_of_death(view.nodes[want.name], row))
    everything, problem = await _events(context)
    story = [event for event in everything if want.name in (event.about, event.node)]
    return Explanation(want.name, (*now, *problem), tuple(story[-STORY_LENGTH:]))


async def explain_replay(context: Context, want: WantReplay) -> Json:
    """Decide again, with this version of the code, from the inputs that were stored with a decision."""
    event = next((event for event in await read_events(context) if event.id == want.event), None)
    if event is None or not event.inputs:
        raise Missing(f'there is no decision with the id "{want.event}" in the event log')
    snapshot = await context.store.database.read(keys.INPUTS + event.inputs, timeout_s=READ_TIMEOUT_S)
    if not snapshot.entries:
        raise CommandError("impossible", "the inputs of that decision were pruned from the log")
    packed = msgspec.json.decode(snapshot.entries[0].value, type=Inputs).view
    again = [msgspec.to_builtins(action) for action in replay(packed)]
    return {
        "decided": event.words,
        "again": [action for action in again if action.get("group") == event.group],
        "inputs": msgspec.to_builtins(unpack(packed)),
    }


async def _events(context: Context) -> tuple[list[Event], list[str]]:
    """Without the database there is no story to tell; what is so now is known all the same."""
    try:
        return await read_events(context), []
    except Unavailable as error:
        outage = context.observation.runs_on
        return [], [*([outage] if outage else []), f"its story cannot be read: {error}"]


def _proof_of_death(node: Node, row: NodeRow) -> str:
    ways = [" and ".join(called(device) for device in level) for level in in_levels(node.fence)]
    if row.watchdog_proves:
        ways.append(f"its watchdog ({row.watchdog_s:g} s)")
    if not ways:
        return (
            "its death could not be proven without an administrator: it has no fence device, and no watchdog that "
            f"counts as proof; `outlast fence add {node.name} AGENT ...` gives it a fence device"
        )
    return f"its death would be proven by {', else by '.join(ways)}"


def _tells(event: Event) -> bool:
    return event.kind in ("node-silent", "node-dead", "node-joined", "node-left", "outage", "type")


def _sentences(context: Context, group: Group) -> list[str]:
    view = context.view()
    rows = Rows(view)
    row = rows.group_with_members(group)
    place = f" on {row.owner}" if row.owner else ""
    now = [f"{group.name} is {row.state}{place}" + (f": {row.why}" if row.why else "")]
    by = f" by {group.wanted_by}" if group.wanted_by else ""
    now.append(f"it is wanted {row.wanted}{by}")
    now += _of_its_resources(row) if len(row.members) > 1 else []
    now += [words for member in row.members for words in _of_its_guest(member)]
    now += _set_by_administrators(row)
    for failure in group.failures:
        now.append(f"it failed on {failure.node}: {failure.why} (counts towards its limit of {row.failover_threshold})")
    if row.protected:
        possible = [name for name in placement.candidates(group, rows.placed).nodes if name != group.owner]
        where = f", it could go to {', '.join(sorted(possible))}" if possible else ""
        now.append(f"it is {row.protection}: if {group.owner or 'its node'} died now{where or ', it would run again'}")
    now.extend(f"not protected: {reason}" for reason in row.not_protected_because)
    now.extend(f"at risk: {risk}" for risk in row.at_risk_because)
    return now


def _of_its_resources(row: GroupRow) -> list[str]:
    return [
        f"{member.name} is {member.state}"
        + (f": {member.why}" if member.why else "")
        + (f", in maintenance: {member.maintenance}" if member.maintenance else "")
        + (f"; it needs {member.depends_on}" if member.depends_on else "")
        for member in row.members
    ]


def _of_its_guest(row: ResourceRow) -> list[str]:
    care, status = row.guest, row.guest_status
    if care is None or status is None:
        return []
    reset = f", reset {status.resets} of {care.resets} times" if status.resets else ""
    now = [f"the guest of {row.name}: {status.heartbeat}{reset} (on_hang is {care.on_hang.value})"]
    for name, probe in status.probes.items():
        now.append(f"its probe {name} is {probe.state}" + (f": {probe.why}" if probe.why else ""))
    return now


def _set_by_administrators(row: GroupRow) -> list[str]:
    """What keeps it where it is, or brings it elsewhere."""
    now = []
    if row.start_after:
        now.append(f"it starts after {spelled(row.start_after)}")
    if row.locked:
        now.append(f"it is locked, so that nothing moves it on purpose: {row.locked}")
    if row.maintenance:
        now.append(f"it is in maintenance: {row.maintenance}")
    if row.return_to:
        now.append(f"it is to return to {row.return_to} (failback: {row.failback})")
    return now


COMMANDS: dict[str, Command] = {
    "explain.group": (Named, explain_group),
    "explain.vm": (Named, explain_vm),
    "explain.node": (Named, explain_node),
    "explain.replay": (WantReplay, explain_replay),
}
