"""outlast sign-in: by which other ways than as a user of the cluster people sign in, and what they may do then."""

from typing import Annotated

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.cli.user import password
from outlast.client.control import ControlError
from outlast.model.access_answers import GrantRow, SignInRow

app = typer.Typer(
    name="sign-in", help="How people sign in who are no users of the cluster's own.", no_args_is_help=True
)
Way = Annotated[str, typer.Argument(metavar="WAY", help="pam: users of the hosts; openid: an OpenID Connect provider.")]
Member = Annotated[str, typer.Argument(metavar="GROUP", help="A group of users, as the hosts or the provider call it.")]
CALL_S = 60.0
SECRET, ASK = "client_secret", "-"
TITLES = ("way", "group", "role", "of")


@app.command("list")
def list_ways(context: typer.Context, as_json: options.Json = False) -> None:
    """The ways, and which group of users gives which role."""
    found = client(context).call("sign_in.list", type=list[SignInRow], timeout_s=CALL_S)
    if wants_json(context):
        output.json(found)
        return
    if not found:
        output.line("only users of the cluster sign in (outlast user list); outlast sign-in set adds other ways")
    for row in found:
        _show(row)


@app.command("set")
def set_way(
    context: typer.Context, way: Way, values: options.Assignments = None, as_json: options.Json = False
) -> None:
    """Let people sign in by that way, or change it: service=outlast (pam), issuer=https://... client_id=... (openid).

    A secret does not belong in a command line, where others read it:
    client_secret=- is asked for, or read from standard input.
    """
    arguments = {"way": way, "values": _asked_for(options.assigned(values))}
    _tell(context, client(context).call("sign_in.set", arguments, type=SignInRow, timeout_s=CALL_S))


@app.command()
def grant(
    context: typer.Context,
    way: Way,
    member: Member,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="viewer, operator or administrator.")] = "viewer",
    groups: Annotated[
        str,
        typer.Option(
            "--groups", metavar="GROUPS", show_default=False, help='Of an operator: for these groups only, "web1,web2".'
        ),
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Give everybody who is in a group of users a role. Of several roles the highest counts."""
    arguments = {"way": way, "member": member, "role": role, "groups": options.node_names(groups) or []}
    _tell(context, client(context).call("sign_in.grant", arguments, type=SignInRow, timeout_s=CALL_S))


@app.command()
def revoke(context: typer.Context, way: Way, member: Member, as_json: options.Json = False) -> None:
    """Take it back. It counts at once, for those who are signed in too."""
    arguments = {"way": way, "member": member}
    _tell(context, client(context).call("sign_in.revoke", arguments, type=SignInRow, timeout_s=CALL_S))


@app.command()
def delete(context: typer.Context, way: Way, as_json: options.Json = False) -> None:
    """Let nobody sign in by that way any more, and sign out who has."""
    words = client(context).call("sign_in.delete", {"way": way}, type=str)
    output.json(words) if wants_json(context) else output.line(Cell(words, "green"))


def _asked_for(values: dict[str, str]) -> dict[str, str]:
    given = values.get(SECRET, "")
    if given not in ("", ASK):
        raise ControlError(
            "usage", f"{SECRET} does not belong in a command line: write {SECRET}=-, and it is asked for"
        )
    if given == ASK:
        return {**values, SECRET: password(False, SECRET, twice=False)}
    return values


def _tell(context: typer.Context, row: SignInRow) -> None:
    output.json(row) if wants_json(context) else _show(row)


def _show(row: SignInRow) -> None:
    settings = ", ".join(f"{name}={value}" for name, value in row.settings.items() if value)
    state = "" if row.enabled else " (off)"
    output.line(Cell(f"{row.way}{state}: {settings}", "bold" if row.enabled else "yellow"))
    for redirect in row.redirects:
        output.line(f"The provider must know this redirect URI: {redirect}")
    if row.problem:
        output.line(Cell(f"It does not work {row.problem}", "bold red"))
    empty = f"nobody has a role by it yet; as in: outlast sign-in grant {row.way} GROUP --role operator"
    output.table(TITLES, [_row(row.way, one) for one in row.grants], empty=empty)


def _row(way: str, grant: GrantRow) -> Row:
    return Row((way, grant.member, grant.role, ", ".join(grant.groups) or "all"))
