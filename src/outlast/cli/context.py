"""outlast context: clusters that are asked from elsewhere."""

import os
import sys
from typing import Annotated

import msgspec
import typer

from outlast.cli import options, output
from outlast.cli.contact import wants_json
from outlast.cli.output import Cell, Row
from outlast.cli.user import password
from outlast.client.contexts import Contexts, Known, read, write
from outlast.client.control import DEFAULT_CONFIG, ControlError

app = typer.Typer(name="context", help="Clusters that are asked from elsewhere.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="CONTEXT", help="What you call the cluster.")]
TITLES = ("context", "nodes", "believed", "state")
HERE = "here"


@app.command("list")
def list_contexts(context: typer.Context, as_json: options.Json = False) -> None:
    """The clusters that you can ask from here."""
    contexts = read()
    if wants_json(context):
        known = [{**msgspec.to_builtins(one), "current": one.name == contexts.current} for one in contexts.known]
        output.json([{name: value for name, value in one.items() if name != "token"} for one in known])
    else:
        rows = [_row(one, contexts) for one in contexts.known]
        output.table(TITLES, rows, empty="there is none yet; outlast context add makes one")


@app.command()
def add(
    context: typer.Context,
    name: Name,
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Of its nodes: https://n1:9443.")],
    fingerprint: Annotated[
        str,
        typer.Option("--fingerprint", metavar="SHA256", show_default=False, help="Of the cluster's authority for it."),
    ] = "",
    system: Annotated[
        bool,
        typer.Option("--system-authorities", help="Believe whom this machine believes."),
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the API token from the standard input instead of asking for it.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Add a cluster, or change it: where it is, whom to believe, and an API token, which is asked for.

    `outlast api-token create`, on a node of the cluster, makes the token and tells the fingerprint.
    """
    from outlast.client.remote import RemoteClient, place
    from outlast.model.access_answers import SessionRow

    if name == HERE:
        raise ControlError("usage", f'"{HERE}" is the cluster of this machine: call it something else')
    for url in urls:
        place(url)
    authority = "" if system else _authority(urls, fingerprint)
    token = password(token_stdin, "API token", twice=False)
    known = Known(name, tuple(url.rstrip("/") for url in urls), token, authority)
    row = RemoteClient(known).call("session.show", type=SessionRow)
    contexts = read().with_one(known)
    # On a node, what is asked is that node's cluster until somebody says otherwise.
    at_once = not contexts.current and not os.path.exists(DEFAULT_CONFIG)
    write(msgspec.structs.replace(contexts, current=name) if at_once else contexts)
    if wants_json(context):
        output.json(row)
    else:
        output.line(Cell(f"{name} is known: you are {row.user}, {row.role} there", "green"))


@app.command()
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar=f"CONTEXT|{HERE}", help="Which cluster is asked from now on.")],
    as_json: options.Json = False,
) -> None:
    """Ask this cluster whenever nothing else is said; "here": the one of this machine."""
    contexts = read()
    if name != HERE:
        _need(contexts, name)
    write(msgspec.structs.replace(contexts, current="" if name == HERE else name))
    which = "the cluster of this machine" if name == HERE else name
    _done(context, f"{which} is asked from now on")


@app.command()
def delete(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Forget a cluster, and the token for it. The token itself goes on to be good: outlast api-token delete."""
    contexts = read()
    _need(contexts, name)
    write(contexts.without(name))
    _done(context, f"{name} is forgotten")


def _authority(urls: list[str], given: str) -> str:
    from outlast.client import remote

    text = remote.authority(urls[0])
    if not text:
        raise ControlError(
            "usage", f"{urls[0]} has a certificate of its administrator's: say --system-authorities to believe it"
        )
    found = remote.fingerprint(text)
    if given:
        if given.replace(":", "").lower() != found:
            raise ControlError(
                "impossible",
                f"{urls[0]} shows another authority, with the fingerprint {found}: somebody may be between",
            )
        return text
    if not sys.stdin.isatty():
        raise ControlError("usage", f"say whom to believe: {urls[0]} shows --fingerprint {found}")
    sys.stderr.write(f"The authority that {urls[0]} shows has the fingerprint\n  {found}\n")
    if input("Is that the one that `outlast api-token create` told on a node? (yes/no) ").strip().lower() != "yes":
        raise ControlError("usage", "nothing was changed")
    return text


def _need(contexts: Contexts, name: str) -> None:
    if contexts.named(name) is None:
        there = ", ".join(one.name for one in contexts.known) or "none yet"
        raise ControlError("usage", f'there is no context "{name}"; there are: {there}')


def _done(context: typer.Context, words: str) -> None:
    if wants_json(context):
        output.json(words)
    else:
        output.line(Cell(words, "green"))


def _row(one: Known, contexts: Contexts) -> Row:
    from outlast.client.remote import fingerprint

    believed = fingerprint(one.authority)[:16] if one.authority else "as this machine does"
    asked = Cell("is asked", "green") if one.name == contexts.current else ""
    return Row((one.name, ", ".join(one.urls), believed, asked))
