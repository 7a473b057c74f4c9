"""outlast top: the cluster as it is now, on a whole screen, kept up to date until `q`."""

import os
import sys
from typing import Annotated

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, shows_notices, wants_json
from outlast.client.control import ControlError

app = typer.Typer()


@app.command()
def top(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print it once, all of it, and end.")] = False,
    as_json: options.Json = False,
) -> None:
    """The whole cluster live on the screen: nodes, groups and VMs, what is under way, what happened last; q ends.

    s sorts, / filters, w leaves out what is well, arrows choose a row, ? tells all keys. With --json: once, as JSON.
    """
    from outlast.cli.top.following import look
    from outlast.cli.top.picture import everything

    shows_notices(context)  # they are among the alarms
    contact = client(context)
    if wants_json(context):
        output.json(look(contact).document())
    elif once:
        output.parts(everything(look(contact)))
    elif not sys.stdin.isatty() or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        raise ControlError("usage", "there is no terminal to show it on; `outlast top --once` prints it")
    else:
        from outlast.cli.top.screen import show

        show(contact)
