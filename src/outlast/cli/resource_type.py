"""outlast resource-type: the plugins, node by node."""

from typing import Annotated

import typer

from outlast.cli import options, output, rows
from outlast.cli.contact import client, wants_json
from outlast.client.control import ControlError
from outlast.model.type_answers import TypeDetail, TypeOffer

app = typer.Typer(
    name="resource-type", help="The plugins that know how to run things, node by node.", no_args_is_help=True
)


@app.command("list")
def list_types(context: typer.Context, as_json: options.Json = False) -> None:
    """Which node has which plugin, and can it run?"""
    _show(context, client(context).call("type.list", type=list[TypeOffer]))


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TYPE", help="A resource type.")],
    as_json: options.Json = False,
) -> None:
    """All about one type: what its plugins can do, on which nodes, and which resources are of it."""
    found = client(context).call("type.show", {"type": name}, type=TypeDetail)
    if wants_json(context):
        output.json(found)
        return
    output.fields(
        [
            ("type", output.Cell(found.type, "bold")),
            ("functions", ", ".join(found.functions)),
            ("resources", ", ".join(found.resources) or "none"),
        ]
    )
    output.heading("Nodes")
    _show(context, list(found.offers))
    if found.calls:
        output.heading("Calls, since the cluster service of each node started")
        output.table(rows.CALL_TITLES, [rows.call_time(one) for one in found.calls], empty="none")


@app.command()
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TYPE", help="Only this type.", show_default=False)] = "",
    as_json: options.Json = False,
) -> None:
    """Let every node look at its plugins again, now. Fails when one of them cannot run."""
    arguments = {"type": name} if name else {}
    found = client(context).call("type.verify", arguments, type=list[TypeOffer])
    _show(context, found)
    broken = [f"{offer.type} on {offer.node}" for offer in found if offer.problem]
    if broken:
        raise ControlError("failed", f"not every plugin can run: {', '.join(broken)}")


@app.command()
def restart(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TYPE", help="A resource type.")],
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="NODE", help="Only on this node; can be given again.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Load its plugin anew, in new resource hosts; what was held back is no longer. Nothing that runs is touched."""
    found = client(context).call("type.restart", {"type": name, "nodes": node or []}, type=list[TypeOffer])
    _show(context, found)
    broken = [f"{offer.node}: {offer.problem}" for offer in found if offer.problem]
    if broken:
        raise ControlError("failed", f"{name} cannot run everywhere: {'; '.join(broken)}")


def _show(context: typer.Context, found: list[TypeOffer]) -> None:
    if wants_json(context):
        output.json(found)
        return
    output.table(rows.TYPE_TITLES, [rows.type_offer(offer) for offer in found], empty="no node offers any type")
    digests: dict[str, set[str]] = {}
    for offer in found:
        if offer.digest:
            digests.setdefault(offer.type, set()).add(offer.digest)
    for name, different in sorted(digests.items()):
        if len(different) > 1:
            output.line(
                output.Cell(f"{name}: the nodes have {len(different)} different plugins (see digest)", "yellow")
            )
