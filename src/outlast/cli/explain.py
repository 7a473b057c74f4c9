"""outlast explain: why is something as it is? The present with its reasons, then the story that led to it."""

from typing import Annotated, Any

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.events import KIND_WIDTH, kind
from outlast.cli.output import Cell
from outlast.cli.story import Block, blocks
from outlast.model.answers import Explanation
from outlast.model.event import Event

app = typer.Typer(name="explain", help="Why something is as it is.", no_args_is_help=True)
Last = Annotated[int, typer.Option("--last", "-n", metavar="NUMBER", min=1, help="How much of the story: chapters.")]


@app.command()
def vm(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="VM", help="A VM that the cluster protects.")],
    last: Last = 5,
    as_json: options.Json = False,
) -> None:
    """Why a VM runs where it runs, why it moved, or what it waits for."""
    _explain(context, "explain.vm", name, last)


@app.command()
def group(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GROUP", help="A group.")],
    last: Last = 5,
    as_json: options.Json = False,
) -> None:
    """Why a group is where and how it is."""
    _explain(context, "explain.group", name, last)


@app.command()
def node(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NODE", help="A node.")],
    last: Last = 5,
    as_json: options.Json = False,
) -> None:
    """Why a node is as it is."""
    _explain(context, "explain.node", name, last)


@app.command()
def decision(
    context: typer.Context,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The id of a decision, from outlast --json events.")],
    as_json: options.Json = False,
) -> None:
    """Decide again from what was known then, with this version of Outlast."""
    answer = client(context).call("explain.replay", {"event": event}, type=dict[str, Any])
    if wants_json(context):
        output.json(answer)
        return
    output.line(Cell("decided then: ", "dim"), str(answer.get("decided", "")))
    again = answer.get("again") or ()
    for action in again:
        reasons = "; ".join(action.get("reasons", ()))
        words = f"{action.get('group', '')} goes to {action.get('owner', '')}: {action.get('why', '')}"
        output.line(Cell("decides now:  ", "dim"), words, Cell(f" ({reasons})" if reasons else "", "dim"))
    if not again:
        output.line(Cell("decides now:  ", "dim"), Cell("nothing about this group", "yellow"))


def _explain(context: typer.Context, verb: str, name: str, last: int) -> None:
    answer = client(context).call(verb, {"name": name}, type=Explanation)
    if wants_json(context):
        output.json(answer)
        return
    output.line(Cell(answer.about, "bold"))
    for sentence in answer.now:
        output.line("  ", sentence)
    told = blocks(answer.story)
    shown = told[-last:]
    if len(shown) < len(told):
        output.line()
        older = len(told) - len(shown)
        chapters = "chapter" if older == 1 else "chapters"
        output.line(Cell(f"({older} older {chapters}: add --last {len(told)})", "dim"))
    for block in shown:
        _tell(block, with_outcome=verb != "explain.node")


def _tell(block: Block, *, with_outcome: bool) -> None:
    """One failover, one block: when it began, and how long after that each step came.

    `with_outcome`: it is the story of one group; in a node's story the beginning and the end may be of different ones.
    """
    output.heading(times.moment(block.began_s))
    for event in block.told:
        after = f"+{block.after_s(event):.3f} s"
        output.line(Cell(f"{after:>13}", "dim"), "  ", kind(event, KIND_WIDTH), "  ", event.words)
        for reason in event.reasons:
            output.line(" " * (13 + 2 + KIND_WIDTH + 2), Cell(reason, "dim"))
    end, took_s = block.outcome, block.took_s
    if with_outcome and end is not None and took_s is not None:
        output.line(" " * 15, Cell(_ended(block, end, took_s), "green" if end.kind == "online" else "dim"))


def _ended(block: Block, end: Event, took_s: float) -> str:
    if end.kind == "not-moved":
        return f"given up after {times.duration(took_s)}"
    if block.between_s is None:
        return f"{end.kind} after {times.duration(took_s)}"
    went_on = f"it went on {block.between_s * 1000:.0f} ms after it had left, by the clocks of both nodes"
    return f"moved as it ran in {times.duration(took_s)}; {went_on}"
