"""outlast rule: which groups run together or apart, and on which nodes."""

from typing import Annotated, Any

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.client.control import ControlError
from outlast.model.foresight import RuleChanged, RuleRow

app = typer.Typer(name="rule", help="Which groups run together or apart, and on which nodes.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="RULE", help="A rule's name.")]
CALL_S = 60.0
TITLES = ("rule", "kind", "groups", "nodes", "how", "state")
KINDS = {"same": "same", "different": "different", "on": "on", "not-on": "not on"}


@app.command("list")
def list_rules(context: typer.Context, as_json: options.Json = False) -> None:
    """All rules, and which of them are broken now."""
    found = client(context).call("rule.list", type=list[RuleRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(row) for row in found], empty="there is no rule yet")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one rule."""
    row = client(context).call("rule.show", {"name": name}, type=RuleRow)
    if wants_json(context):
        output.json(row)
        return
    output.fields(
        [
            ("rule", Cell(row.name, "bold")),
            ("kind", _kind(row)),
            ("groups", ", ".join(row.groups)),
            ("nodes", ", ".join(row.nodes)),
            ("how", _how(row)),
            ("state", _state(row)),
            ("broken by", Cell("\n".join(row.broken), "yellow")),
        ]
    )


@app.command()
def add(
    context: typer.Context,
    name: Name,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="same: all together; different: each elsewhere; on, not-on: on these nodes, or on none of them.",
        ),
    ],
    groups: Annotated[list[str], typer.Argument(metavar="GROUP...", help="Groups; a VM's has the VM's name.")],
    nodes: Annotated[
        str, typer.Option("--nodes", metavar="NODES", show_default=False, help='Of "on" and "not-on": "n1,n2".')
    ] = "",
    domain: Annotated[
        str, typer.Option("--domain", metavar="DOMAIN", help="node, rack or site: what is the same or different.")
    ] = "node",
    hard: Annotated[
        bool, typer.Option("--hard", help="Never broken: who cannot keep it waits. Default: kept if possible.")
    ] = False,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Only written down; `rule enable` makes it count.")
    ] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Add a rule. A hard one that could never be kept beside the others is refused."""
    if kind not in KINDS:
        raise ControlError("usage", f'there is no kind of rule "{kind}"; there are: {", ".join(KINDS)}')
    if domain not in ("node", "rack", "site"):
        raise ControlError("usage", f'cannot use --domain {domain}: it is "node", "rack" or "site"')
    arguments: dict[str, Any] = {
        "name": name,
        "kind": KINDS[kind],
        "groups": groups,
        "nodes": options.node_names(nodes) if nodes else [],
        "domain": domain,
        "hard": hard,
        "enabled": not disabled,
        "what_if": what_if,
    }
    _change(context, "rule.add", arguments, "added", wait_s)


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Delete a rule. Nothing moves because of that."""
    _change(context, "rule.delete", {"name": name, "what_if": what_if}, "deleted", wait_s)


@app.command()
def enable(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Make a rule count again."""
    _change(context, "rule.enable", {"name": name, "what_if": what_if}, "enabled", wait_s)


@app.command()
def disable(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Keep a rule, and do not mind it for now."""
    _change(context, "rule.disable", {"name": name, "what_if": what_if}, "disabled", wait_s)


def _change(context: typer.Context, verb: str, arguments: dict[str, Any], done: str, wait_s: float | None) -> None:
    """It counts as soon as it is written down; what has to move because of it moves afterwards."""
    changed = client(context).call(verb, arguments, type=RuleChanged, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(changed)
        return
    row = changed.rule
    words = f"rule {row.name} {'is' if changed.done else 'would be'} {done}"
    output.line(Cell(words, "green") if changed.done else words, f": {told(row)}")
    for warning in changed.warnings:
        output.line(Cell(warning, "yellow"))


def told(row: RuleRow) -> str:
    """What it asks for, in words."""
    groups = ", ".join(row.groups)
    words = {
        "same": f"{groups} together on one {row.domain}",
        "different": f"{groups} each on another {row.domain}",
        "on": f"{groups} on {' or '.join(row.nodes)}",
        "not on": f"{groups} not on {', '.join(row.nodes)}",
    }[row.kind]
    return f"{words}, {_how(row)}"


def _row(row: RuleRow) -> Row:
    cells = (row.name, _kind(row), ", ".join(row.groups), ", ".join(row.nodes), _how(row), _state(row))
    return Row(cells, why="; ".join(row.broken))


def _kind(row: RuleRow) -> str:
    return row.kind if row.domain == "node" else f"{row.kind} {row.domain}"


def _how(row: RuleRow) -> str:
    return "always" if row.hard else "if possible"


def _state(row: RuleRow) -> Cell:
    if not row.enabled:
        return Cell("disabled", "dim")
    return Cell("broken", "bold red" if row.hard else "yellow") if row.broken else Cell("kept", "green")
