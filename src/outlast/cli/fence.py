"""outlast fence: what can switch the nodes off from outside, to prove that they are dead."""

import sys
from typing import Annotated, Any

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.core.fence.fence_parameters import OURS, is_secret
from outlast.model.fence import FenceAgent, FenceParameter
from outlast.model.fence_answers import FenceAdded, FenceAgentRow, FenceDeviceRow, FenceTest

app = typer.Typer(
    name="fence", help="What can switch a node off from outside, to prove that it is dead.", no_args_is_help=True
)
AGENTS_S = 300.0
CALL_S = 330.0
"""A device may take up to 300 s."""
ASK = "-"
Node = Annotated[str, typer.Argument(metavar="NODE", help="A node of the cluster.")]
SomeNode = Annotated[str, typer.Argument(metavar="[NODE]", show_default=False, help="A node; default: all.")]
Device = Annotated[str, typer.Argument(metavar="DEVICE", help="One of its fence devices.")]
Agent = Annotated[str, typer.Argument(metavar="AGENT", help="A fence agent, such as fence_ipmilan.")]
Parameters = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", show_default=False, help="Its parameters. password=- is asked for."),
]
Level = Annotated[
    int | None,
    typer.Option("--level", show_default=False, help="1 (default) is tried first; all of a level must confirm."),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout-s", show_default=False, help="What it may take (default: 20).")
]
Delay = Annotated[
    float | None, typer.Option("--delay-s", show_default=False, help="Waited once before its first use (default: 0).")
]
Attempts = Annotated[
    int | None, typer.Option("--attempts", show_default=False, help="Before the next level is tried (default: 2).")
]
Untested = Annotated[bool, typer.Option("--untested", help="Also when it does not answer yet.")]
DEVICE_TITLES = ("node", "device", "agent", "level", "parameters", "time-out")
TEST_TITLES = ("node", "device", "level", "says")


@app.command()
def agents(context: typer.Context, as_json: options.Json = False) -> None:
    """The fence agents that are installed on this node."""
    found = client(context).call("fence.agents", type=list[FenceAgentRow], timeout_s=AGENTS_S)
    if wants_json(context):
        output.json(found)
        return
    rows = [
        output.Row((row.agent, Cell("cannot be used", "red") if row.problem else row.words), row.problem)
        for row in found
    ]
    output.table(("agent", "for"), rows, empty="there is none; install the package fence-agents")


@app.command()
def describe(context: typer.Context, agent: Agent, as_json: options.Json = False) -> None:
    """What an agent is for, and its parameters."""
    found = client(context).call("fence.describe", {"agent": agent}, type=FenceAgent, timeout_s=60.0)
    if wants_json(context):
        output.json(found)
        return
    output.line(Cell(found.name, "bold"), f": {found.words}")
    if found.description:
        output.line(found.description)
    output.heading("Parameters")
    shown = [one for one in found.parameters if not one.deprecated and one.name not in OURS]
    output.table(
        ("parameter", "takes", "default", "meaning"),
        [output.Row((one.name, _takes(one), one.default, one.words)) for one in sorted(shown, key=_needed_first)],
        empty="it takes none",
    )


@app.command()
def add(
    context: typer.Context,
    node: Node,
    agent: Agent,
    parameters: Parameters = None,
    device: Annotated[str, typer.Option("--name", show_default=False, help="Default: as its agent.")] = "",
    level: Level = None,
    timeout_s: Timeout = None,
    delay_s: Delay = None,
    attempts: Attempts = None,
    untested: Untested = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Give a node one more fence device, if that answers whether the node is on.

    Secrets do not belong in a command line, where others read them: password=- is asked for, or read from standard
    input, one line for each. From now on the node's devices are those set by command, not those in its outlast.toml.
    """
    arguments: dict[str, Any] = {"node": node, "agent": agent, "device": device}
    arguments |= {"parameters": _parameters(parameters or [])}
    arguments |= _given(level=level, timeout_s=timeout_s, delay_s=delay_s, attempts=attempts) | {"untested": untested}
    _tell_added(context, client(context).call("fence.add", arguments, type=FenceAdded, timeout_s=wait_s or CALL_S))


@app.command("set")
def change(
    context: typer.Context,
    node: Node,
    device: Device,
    parameters: Parameters = None,
    level: Level = None,
    timeout_s: Timeout = None,
    delay_s: Delay = None,
    attempts: Attempts = None,
    untested: Untested = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change a fence device. KEY= takes a parameter away. New parameters count only if it answers with them."""
    arguments: dict[str, Any] = {"node": node, "device": device, "parameters": _parameters(parameters or [])}
    arguments |= _given(level=level, timeout_s=timeout_s, delay_s=delay_s, attempts=attempts) | {"untested": untested}
    _tell_added(context, client(context).call("fence.set", arguments, type=FenceAdded, timeout_s=wait_s or CALL_S))


@app.command("list")
def list_devices(context: typer.Context, node: SomeNode = "", as_json: options.Json = False) -> None:
    """The fence devices of all nodes, in the order in which they are tried."""
    found = client(context).call("fence.list", {"node": node}, type=list[FenceDeviceRow])
    if wants_json(context):
        output.json(found)
        return
    rows = [
        output.Row(
            (row.node, row.device, row.agent, str(row.level), _told(row), times.setting(row.timeout_s)),
            f"never used: {row.no_proof}" if row.no_proof else "",
            "red",
        )
        for row in sorted(found, key=lambda row: (row.node, row.level))
    ]
    output.table(
        DEVICE_TITLES, rows, empty="there is none: no death could be proven by fencing; see: outlast fence add"
    )


@app.command()
def show(context: typer.Context, node: Node, device: Device, as_json: options.Json = False) -> None:
    """All about one fence device."""
    row = client(context).call("fence.show", {"node": node, "device": device}, type=FenceDeviceRow)
    if wants_json(context):
        output.json(row)
    else:
        _show(row)


@app.command()
def delete(
    context: typer.Context, node: Node, device: Device, wait_s: options.Wait = None, as_json: options.Json = False
) -> None:
    """Take a fence device away from a node."""
    words = client(context).call("fence.delete", {"node": node, "device": device}, type=str, timeout_s=wait_s or 60.0)
    if wants_json(context):
        output.json({"node": node, "device": device, "words": words})
    else:
        output.line(words)


@app.command("test")
def ask(context: typer.Context, node: SomeNode = "", as_json: options.Json = False) -> None:
    """Ask every fence device whether its node is on. Nothing is switched."""
    found = client(context).call("fence.test", {"node": node}, type=list[FenceTest], timeout_s=CALL_S)
    if wants_json(context):
        output.json(found)
    else:
        rows = [output.Row((row.node, row.device, str(row.level), _says(row)), row.problem, "red") for row in found]
        output.table(TEST_TITLES, rows, empty=f"{node or 'no node'} has {'no' if node else 'a'} fence device")
    amiss = [f"{row.device} of {row.node}" for row in found if row.problem]
    if amiss:
        raise ControlError("failed", f"not all fence devices would work: {', '.join(amiss)}")


def _parameters(words: list[str]) -> dict[str, str]:
    """Secrets are asked for on the terminal, or read from standard input, a line each, in order."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise ControlError("usage", f'cannot use "{word}": parameters are given as KEY=VALUE')
        if is_secret(name) and value not in ("", ASK):
            raise ControlError(
                "usage",
                f"{name} is secret and does not belong in a command line, where others can read it: write {name}=-, "
                "and it is asked for, or read from standard input",
            )
        found[name] = _asked(name) if is_secret(name) and value == ASK else value
    return found


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        value: str = typer.prompt(name, hide_input=True)
    else:
        value = sys.stdin.readline().rstrip("\n")
    if not value:
        raise ControlError("usage", f"{name} was asked for and is empty")
    return value


def _given(**values: float | None) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _tell_added(context: typer.Context, added: FenceAdded) -> None:
    test = added.test
    if wants_json(context):
        output.json(added)
        return
    _show(added.device)
    if test.problem:
        words = f"{test.device} does not work yet: {test.problem}. Once it should: outlast fence test {test.node}"
        output.line(Cell(words, "bold yellow"))
    else:
        output.line(Cell(f"{test.device} answers: {test.node} is {test.power}", "green"))
    if added.doubt:
        output.line(Cell(added.doubt, "bold yellow"))


def _show(row: FenceDeviceRow) -> None:
    output.fields(
        [
            ("node", Cell(row.node, "bold")),
            ("device", row.device),
            ("agent", row.agent),
            ("level", str(row.level)),
            *((name, value) for name, value in sorted(row.parameters.items())),
            ("time-out", times.setting(row.timeout_s)),
            ("delay", times.setting(row.delay_s) if row.delay_s else ""),
            ("attempts", str(row.attempts)),
            ("from", "outlast.toml of its node" if row.from_file else "command"),
            ("never used", Cell(row.no_proof, "red") if row.no_proof else ""),
        ]
    )


def _told(row: FenceDeviceRow) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(row.parameters.items()))


def _says(row: FenceTest) -> Cell:
    if row.problem:
        return Cell(row.power or "nothing", "red")
    return Cell(f"{row.node} is {row.power}", "green")


def _takes(one: FenceParameter) -> str:
    kinds = {"string": "text", "boolean": "1 or 0", "integer": "a number", "second": "seconds"}
    takes = " | ".join(one.choices) if one.choices else kinds.get(one.type, one.type)
    marks = [mark for mark, there in (("needed", one.required and not one.default), ("secret", one.secret)) if there]
    return f"{takes} ({', '.join(marks)})" if marks else takes


def _needed_first(one: FenceParameter) -> tuple[bool, str]:
    return not one.required, one.name
