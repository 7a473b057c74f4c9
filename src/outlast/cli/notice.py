"""outlast notice: who outside of the cluster is told what happens: a webhook, people by mail, a program."""

import sys
import time
from typing import Annotated, Any

import typer

from outlast.cli import options, output, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.core.notices.notice_parameters import SECRET
from outlast.model.notice_answers import NoticeAdded, NoticeRow, NoticeTest

app = typer.Typer(name="notice", help="Who outside of the cluster is told what happens, and how.", no_args_is_help=True)
CALL_S = 60.0
ASK = "-"
SETTINGS = ("severity", "kinds", "groups", "nodes", "per_minute", "enabled")
TITLES = ("rule", "way", "to", "from severity", "about", "sent")
Name = Annotated[str, typer.Argument(metavar="RULE", help="The name of a notice rule.")]
Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE...",
        show_default=False,
        help="Parameters of its way, and settings: docs/notices.md has all. secret=- is asked for.",
    ),
]
Untested = Annotated[bool, typer.Option("--untested", help="Also when the receiver does not take a test.")]


@app.command()
def add(
    context: typer.Context,
    name: Name,
    way: Annotated[str, typer.Argument(metavar="webhook|mail|command", help="How it is told.")],
    values: Values = None,
    untested: Untested = False,
    as_json: options.Json = False,
) -> None:
    """Tell one more receiver what happens, if it takes a test.

    Secrets do not belong in a command line, where others read them:
    secret=-, password=-, bearer=- and url=- are asked for, or read from
    standard input, one line for each.
    """
    arguments: dict[str, Any] = {"name": name, "way": way, "untested": untested, **_sorted(values)}
    _tell(context, client(context).call("notice.add", arguments, type=NoticeAdded, timeout_s=CALL_S))


@app.command("set")
def change(
    context: typer.Context,
    name: Name,
    values: Values = None,
    untested: Untested = False,
    as_json: options.Json = False,
) -> None:
    """Change a rule. KEY= takes a parameter away. New parameters count only if the receiver takes a test with them."""
    arguments: dict[str, Any] = {"name": name, "untested": untested, **_sorted(values)}
    _tell(context, client(context).call("notice.set", arguments, type=NoticeAdded, timeout_s=CALL_S))


@app.command("list")
def list_rules(context: typer.Context, as_json: options.Json = False) -> None:
    """All rules, and whether their receivers take what is sent."""
    found = client(context).call("notice.list", type=list[NoticeRow])
    if wants_json(context):
        output.json(found)
        return
    output.table(TITLES, [_row(row) for row in found], empty="nobody is told anything; see: outlast notice add --help")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one rule."""
    row = client(context).call("notice.show", {"name": name}, type=NoticeRow)
    output.json(row) if wants_json(context) else _show(row)


@app.command()
def delete(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Tell a receiver nothing any more."""
    words = client(context).call("notice.delete", {"name": name}, type=str)
    output.json({"name": name, "words": words}) if wants_json(context) else output.line(words)


@app.command("test")
def ask(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Send a test from this node, and show what the receiver answers."""
    found = client(context).call("notice.test", {"name": name}, type=NoticeTest, timeout_s=CALL_S)
    output.json(found) if wants_json(context) else _tell_test(found)
    if found.problem:
        raise ControlError("failed", f"{name}: the receiver did not take the test: {found.problem}")


def _sorted(words: list[str] | None) -> dict[str, dict[str, str]]:
    given = options.assigned(words)
    values = {name: value for name, value in given.items() if name in SETTINGS}
    return {"parameters": {n: _secret(n, v) for n, v in given.items() if n not in values}, "values": values}


def _secret(name: str, value: str) -> str:
    if name not in SECRET or value == "":
        return value
    if value == ASK:
        return _asked(name)
    if name == "url":  # in most of them there is nothing secret, and it is too long to be typed
        return value
    raise ControlError(
        "usage",
        f"{name} is secret and does not belong in a command line, where others can read it: write {name}=-, and it is "
        "asked for, or read from standard input",
    )


def _asked(name: str) -> str:
    value: str = typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not value:
        raise ControlError("usage", f"{name} was asked for and is empty")
    return value


def _tell(context: typer.Context, added: NoticeAdded) -> None:
    if wants_json(context):
        output.json(added)
        return
    _show(added.rule)
    if added.test is not None:
        _tell_test(added.test)
    if added.test is not None and added.test.problem:
        words = f"It does not work yet: {added.test.problem}. Once it should: outlast notice test {added.rule.name}"
        output.line(Cell(words, "bold yellow"))


def _tell_test(test: NoticeTest) -> None:
    if not test.problem:
        output.line(Cell(f"The receiver has taken a test of {test.asked_by}: {test.answer}", "green"))


def _row(row: NoticeRow) -> output.Row:
    about = ", ".join((*row.groups, *row.nodes)) or "everything"
    kinds = f" ({', '.join(row.kinds)})" if row.kinds else ""
    name = row.name if row.enabled else Cell(f"{row.name} (off)", "dim")
    return output.Row((name, row.way, row.place, row.severity, f"{about}{kinds}", str(row.sent)), _problem(row), "red")


def _problem(row: NoticeRow) -> str:
    return f"takes none since {times.moment(row.problem_since_s)}: {row.problem}" if row.problem else ""


def _show(row: NoticeRow) -> None:
    sent = (
        f"{row.sent}, the last {times.duration(max(0.0, time.time() - row.sent_at_s))} ago" if row.sent else "none yet"
    )
    output.fields(
        [
            ("rule", Cell(row.name, "bold")),
            ("way", row.way),
            *((name, value) for name, value in sorted(row.parameters.items())),
            ("to", row.place),
            ("severity", f"{row.severity} or worse" if row.severity != "critical" else row.severity),
            ("kinds", ", ".join(row.kinds) or "all"),
            ("about", ", ".join((*row.groups, *row.nodes)) or "everything"),
            ("a minute", f"{row.per_minute} at most"),
            ("enabled", "yes" if row.enabled else Cell("no", "yellow")),
            ("sent", sent),
            ("problem", Cell(_problem(row), "bold red")),
        ]
    )
