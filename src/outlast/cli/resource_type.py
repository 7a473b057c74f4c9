"""outlast resource-type: the plugins, node by node."""

from typing import Annotated

import typer

from outlast.cli import options, output, rows
from outlast.cli.contact import client, wants_json
from outlast.client.control import ControlError
from outlast.model.answers import TypeOffer

app = typer.Typer(
    name="resource-type", help="The plugins that know how to run things, node by node.", no_args_is_help=True
)


@app.command("list")
def list_types(context: typer.Context, as_json: options.Json = False) -> None:
    """Which node has which plugin, and can it run?"""
    _show(context, client(context).call("type.list", type=list[TypeOffer]))


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
