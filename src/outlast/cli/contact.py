"""How does a command reach the cluster, and does the user want JSON?

The root command leaves both in the context's `obj`, a dict: `json`, `socket` and `cluster`.
"""

import sys
from typing import Any

import typer

from outlast.cli import elsewhere
from outlast.client.control import Client


def client(context: typer.Context) -> Client:
    """The cluster service of this node; or of another cluster, where the user has said which."""

    def tell(words: str) -> None:
        _tell_once(context, words)

    socket, cluster = (str(_settings(context).get(name, "")) for name in ("socket", "cluster"))
    if not socket and not _settings(context).get("local") and (cluster or elsewhere.may_be()):
        from outlast.client.remote import RemoteClient

        if known := elsewhere.chosen(cluster):
            return RemoteClient(known, tell)
    return Client(socket, tell)


def shows_notices(context: typer.Context) -> None:
    """The command shows by itself what everybody must be told, to people."""
    context.ensure_object(dict)["told"] = True


def _tell_once(context: typer.Context, words: str) -> None:
    """Whatever was asked for; beside the answer, so that nothing that reads it is disturbed. Also beside JSON: who runs
    a script reads what it says on standard error."""
    in_json, settings = wants_json(context), context.ensure_object(dict)
    if settings.get("told_beside_json" if in_json else "told"):
        return
    from outlast.cli.output import printable

    if in_json:
        settings["told_beside_json"] = True
        sys.stderr.write(f"! {printable(words)}\n")  # without rich: scripts do not wait for it
        return
    from outlast.cli.output import Cell, console, joined

    shows_notices(context)
    console(stderr=True).print(joined(Cell(f"! {words}", "bold red")), soft_wrap=True)


def wants_json(context: typer.Context) -> bool:
    return bool(_settings(context).get("json"))


def want_json(context: typer.Context, asked: bool) -> bool:
    """`--json` after the verb means the same as before the noun."""
    if asked:
        context.ensure_object(dict)["json"] = True
    return asked


def _settings(context: typer.Context) -> dict[str, Any]:
    return context.obj if isinstance(context.obj, dict) else {}
