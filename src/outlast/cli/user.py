"""outlast user: who may sign in to the HTTP API and the console, and what they may do."""

import sys
from typing import Annotated

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.client.control import Client, ControlError
from outlast.model.access_answers import UserRow

app = typer.Typer(name="user", help="Who may sign in to the HTTP API and the console.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="USER", help="A user's name.")]
Role = Annotated[str, typer.Option("--role", metavar="ROLE", help="viewer, operator or administrator.")]
Groups = Annotated[
    str,
    typer.Option(
        "--groups", metavar="GROUPS", show_default=False, help='Of an operator: for these groups only, "web1,web2".'
    ),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the standard input instead of asking for it.")
]
WAYS = {"pam": "PAM", "openid": "OpenID Connect"}
"""By which they sign in who are no users of the cluster's."""
TITLES = ("user", "role", "groups", "state", "made")


@app.command("list")
def list_users(context: typer.Context, as_json: options.Json = False) -> None:
    """All users, and who else is signed in, with what they may do."""
    found = client(context).call("user.list", type=list[UserRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(row) for row in found], empty="there is no user yet; outlast user create makes one")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """One user, and what it may do."""
    row = _call(client(context), "user.show", {"name": name})
    if wants_json(context):
        output.json(row)
    else:
        output.table(TITLES, [_row(row)])


@app.command()
def create(
    context: typer.Context,
    name: Name,
    role: Role = "viewer",
    groups: Groups = "",
    password_stdin: PasswordStdin = False,
    as_json: options.Json = False,
) -> None:
    """Make a user. A viewer sees everything; an operator starts, stops and moves; an administrator may do all."""
    contact = client(context)
    arguments = {"name": name, "role": role, "groups": options.node_names(groups) or []}
    row = _call(contact, "user.create", {**arguments, "password": password(password_stdin, f"Password for {name}")})
    _tell(context, row, f"{name} may sign in as {_role(row)}")


@app.command("set")
def set_user(
    context: typer.Context, name: Name, values: options.Assignments = None, as_json: options.Json = False
) -> None:
    """Change what a user may do: role=operator, groups=web1,web2 (empty: all), enabled=no."""
    row = _call(client(context), "user.set", {"name": name, "values": options.assigned(values)})
    _tell(context, row, f"{name} is {_role(row)}{'' if row.enabled else ', and cannot sign in'}")


@app.command()
def passwd(
    context: typer.Context, name: Name, password_stdin: PasswordStdin = False, as_json: options.Json = False
) -> None:
    """Give a user another password. Whoever is signed in as that user is signed out."""
    word = password(password_stdin, f"New password for {name}")
    row = _call(client(context), "user.passwd", {"name": name, "password": word})
    _tell(context, row, f"{name} has another password")


@app.command()
def delete(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Delete a user, and sign it out everywhere."""
    words = client(context).call("user.delete", {"name": name}, type=str)
    if wants_json(context):
        output.json(words)
    else:
        output.line(Cell(words, "green"))


@app.command("sign-out")
def sign_out(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Sign a user out everywhere, by whichever way it signed in."""
    words = client(context).call("user.sign_out", {"name": name}, type=str)
    output.json(words) if wants_json(context) else output.line(Cell(words, "green"))


def password(from_stdin: bool, words: str, *, twice: bool = True) -> str:
    """Never as an argument: everybody on the machine could read it there."""
    if from_stdin or not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise ControlError("usage", f"{words}: there is nothing on the standard input")
        return line.rstrip("\n")
    import getpass

    first = getpass.getpass(f"{words}: ")
    if twice and getpass.getpass("Once more: ") != first:
        raise ControlError("usage", "the two passwords are different; nothing was changed")
    return first


def _call(contact: Client, verb: str, arguments: dict[str, object]) -> UserRow:
    return contact.call(verb, arguments, type=UserRow, timeout_s=30)


def _tell(context: typer.Context, row: UserRow, words: str) -> None:
    if wants_json(context):
        output.json(row)
    else:
        output.line(Cell(words, "green"))


def _role(row: UserRow) -> str:
    article = "a" if row.role == "viewer" else "an"
    return f"{article} {row.role}" + (f" of {', '.join(row.groups)}" if row.groups else "")


def _row(row: UserRow) -> Row:
    signed_in = f"signed in {row.signed_in} times" if row.signed_in > 1 else "signed in" if row.signed_in else "enabled"
    if row.way in WAYS:
        times_signed_in = f" {row.signed_in} times" if row.signed_in > 1 else ""
        words = f"signed in{times_signed_in} by {WAYS[row.way]}"
        return Row((row.name, row.role, ", ".join(row.groups) or "all", words, ""))
    state = signed_in if row.enabled else Cell("disabled", "yellow")
    return Row((row.name, row.role, ", ".join(row.groups) or "all", state, times.day(row.made_at_s)))
