"""Fence devices: which agents there are, what a node's devices are, whether they answer."""

from collections.abc import Callable, Mapping

import msgspec

from outlast.core.fence.agents import agent_no_proof, doubt, no_proof
from outlast.core.fence.fence_parameters import named, translated
from outlast.core.fence.fencing import called
from outlast.model import keys
from outlast.model.fence import FENCE_SECONDS, FenceAgent, FenceDevice
from outlast.model.fence_answers import FenceAdded, FenceAgentRow, FenceDeviceRow, FenceTest
from outlast.model.node import Node
from outlast.ports.database import Compare, Delete, Write
from outlast.ports.fence import FenceFailed
from outlast.ports.secrets import NoSecret
from outlast.service.commands.context import Command, CommandError, Context, Missing, Nothing, similar
from outlast.service.fence.devices import FenceDevices, WrongDevice
from outlast.service.fence.tests import FenceTests
from outlast.service.store import put

HIDDEN = "***"
Edit = Callable[[tuple[FenceDevice, ...]], tuple[FenceDevice, ...]]


class WantAgent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    agent: str


class WantNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str = ""
    """Empty: all."""


class WantDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str
    device: str


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str
    agent: str
    parameters: Mapping[str, str]
    device: str = ""
    level: int = 1
    timeout_s: float = FENCE_SECONDS
    delay_s: float = 0.0
    attempts: int = 2
    untested: bool = False
    """Also when it does not answer."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str
    device: str
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Those to be changed; an empty value takes one away."""
    level: int | None = None
    timeout_s: float | None = None
    delay_s: float | None = None
    attempts: int | None = None
    untested: bool = False


async def agents(context: Context, _: Nothing) -> list[FenceAgentRow]:
    known = await _devices(context).agents()
    return [
        FenceAgentRow(name, found.words, agent_no_proof(name, found))
        if isinstance(found, FenceAgent)
        else FenceAgentRow(name, "", found)
        for name, found in known.items()
    ]


async def describe(context: Context, want: WantAgent) -> FenceAgent:
    try:
        return await _devices(context).describe(want.agent)
    except FenceFailed as error:
        raise CommandError("usage", str(error)) from error


async def list_devices(context: Context, want: WantNode) -> list[FenceDeviceRow]:
    return [row(node, device) for node in _nodes(context, want.node) for device in node.fence]


async def show(context: Context, want: WantDevice) -> FenceDeviceRow:
    device = _need(context, want.node, want.device)
    return row(context.store.nodes[want.node], device)


async def add(context: Context, want: Add) -> FenceAdded:
    context.need_node(want.node)
    others = context.store.nodes[want.node].fence
    asked = FenceDevice(
        agent=want.agent,
        parameters=want.parameters,
        name=want.device,
        level=want.level,
        timeout_s=want.timeout_s,
        delay_s=want.delay_s,
        attempts=want.attempts,
    )
    device = asked if asked.name else named([*others, asked])[-1]
    words = f"{want.node} got the fence device {device.name} ({want.agent}, level {want.level})"

    def one_more(record: FenceDevice) -> Edit:
        return lambda before: (*before, record)

    return await _put(context, want.node, device, others, words, one_more, must_answer=not want.untested)


async def change(context: Context, want: Change) -> FenceAdded:
    old = _need(context, want.node, want.device)
    given = {"level": want.level, "timeout_s": want.timeout_s, "delay_s": want.delay_s, "attempts": want.attempts}
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        opened = await _devices(context).opened(old)
        changed = translated(want.parameters, await _devices(context).describe(old.agent))
    except FenceFailed as error:
        raise CommandError("impossible", str(error)) from error
    parameters = {name: value for name, value in {**opened.parameters, **changed}.items() if value}
    device = msgspec.structs.replace(opened, parameters=parameters, hidden=(), sealed="", **changes)
    others = tuple(other for other in context.store.nodes[want.node].fence if other is not old)
    told = ", ".join([*changes, *want.parameters])
    words = f"the fence device {want.device} of {want.node} was changed ({told})"

    def replaced(record: FenceDevice) -> Edit:
        return lambda before: tuple(record if called(other) == want.device else other for other in before)

    must_answer = bool(want.parameters) and not want.untested
    return await _put(context, want.node, device, others, words, replaced, must_answer=must_answer)


async def delete(context: Context, want: WantDevice) -> str:
    _need(context, want.node, want.device)
    words = f"the fence device {want.device} of {want.node} was taken away"

    def without(before: tuple[FenceDevice, ...]) -> tuple[FenceDevice, ...]:
        return tuple(device for device in before if called(device) != want.device)

    await _edit(context, want.node, without, words, [], [])
    return words


async def test(context: Context, want: WantNode) -> list[FenceTest]:
    """All devices beside each other; nothing is switched."""
    return await fence_tests(context).here(_nodes(context, want.node))


def fence_tests(context: Context) -> FenceTests:
    return FenceTests(context.store, context.observation, _devices(context))


def row(node: Node, device: FenceDevice) -> FenceDeviceRow:
    return FenceDeviceRow(
        node=node.name,
        device=called(device),
        agent=device.agent,
        level=device.level,
        parameters={**device.parameters, **dict.fromkeys(device.hidden, HIDDEN)},
        timeout_s=device.timeout_s,
        delay_s=device.delay_s,
        attempts=device.attempts,
        from_file=not node.fence_by_command,
        no_proof=no_proof(device),
    )


async def _put(
    context: Context,
    node: str,
    device: FenceDevice,
    others: tuple[FenceDevice, ...],
    words: str,
    edit: Callable[[FenceDevice], Edit],
    *,
    must_answer: bool,
) -> FenceAdded:
    """It is asked before anything is written: what does not work replaces nothing that does, and blocks no level."""
    devices = _devices(context)
    try:
        checked = await devices.checked(device, others)
        tested = await fence_tests(context).one(node, checked)
        if tested.dangerous or (tested.problem and must_answer):
            raise CommandError("failed", _refusal(tested))
        record, compares, writes = await devices.seal(checked)
    except WrongDevice as error:
        raise CommandError("usage", f"the fence device cannot be like that: {error}") from error
    except FenceFailed as error:
        raise CommandError("usage", str(error)) from error
    except NoSecret as error:
        raise CommandError("impossible", f"its password cannot be kept: {error}") from error
    await _edit(context, node, edit(record), words, compares, writes)
    return FenceAdded(row(context.store.nodes[node], record), tested, doubt(record.agent))


def _refusal(test: FenceTest) -> str:
    words = f"nothing was changed: {test.device} of {test.node} would not work: {test.problem}. Correct what you gave"
    return words if test.dangerous else f"{words}; if all is right and it only cannot answer yet, add --untested"


async def _edit(
    context: Context, node: str, edit: Edit, words: str, compares: list[Compare], writes: list[Write]
) -> None:
    def make() -> tuple[list[Compare], list[Write]]:
        before = context.store.nodes[node]
        record = msgspec.structs.replace(before, fence=edit(before.fence), fence_by_command=True)
        kept = {device.sealed for device in record.fence}
        gone = [Delete(keys.FENCE_SECRETS + one.sealed) for one in before.fence if one.sealed not in {"", *kept}]
        event = context.journal.event("node-changed", words, about=node)
        mine = context.store.unchanged(keys.NODES + node)
        return [*mine, *compares], [put(keys.NODES + node, record), event, *writes, *gone]

    await context.write(make)


def _devices(context: Context) -> FenceDevices:
    assert context.fence_devices is not None
    return context.fence_devices


def _nodes(context: Context, name: str) -> list[Node]:
    if name:
        context.need_node(name)
        return [context.store.nodes[name]]
    return [node for _, node in sorted(context.store.nodes.items())]


def _need(context: Context, node: str, name: str) -> FenceDevice:
    context.need_node(node)
    devices = {called(device): device for device in context.store.nodes[node].fence}
    if name not in devices:
        raise Missing(f'{node} has no fence device "{name}"{similar(name, devices)}')
    return devices[name]


COMMANDS: dict[str, Command] = {
    "fence.agents": (Nothing, agents),
    "fence.describe": (WantAgent, describe),
    "fence.list": (WantNode, list_devices),
    "fence.show": (WantDevice, show),
    "fence.add": (Add, add),
    "fence.set": (Change, change),
    "fence.delete": (WantDevice, delete),
    "fence.test": (WantNode, test),
}
