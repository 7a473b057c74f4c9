"""How does a verb of `outlast lab` get its lab, and how does it answer? Also the options that most verbs take."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from outlast.lab.lab import Lab

Name = Annotated[str, typer.Option("--name", help="Which lab, if there are several.", metavar="LAB")]
Node = Annotated[str, typer.Argument(metavar="NODE", help="A node, such as n1.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@contextmanager
def opened(name: str) -> "Iterator[Lab]":
    from outlast.lab.errors import LabError
    from outlast.lab.lab import Lab

    try:
        yield Lab(name)
    except LabError as error:
        refuse(error.exit_code, str(error))
    except PermissionError as error:
        refuse(3, f"cannot do this: {error.strerror} ({error.filename}); a lab takes root, try: sudo outlast lab ...")


def refuse(code: int, words: str) -> None:
    typer.echo(f"outlast: {words}", err=True)
    raise typer.Exit(code)


def wants_json(context: typer.Context, asked: bool) -> bool:
    settings = context.obj if isinstance(context.obj, dict) else {}
    return asked or bool(settings.get("json"))


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
