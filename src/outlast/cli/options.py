"""Options and arguments that several commands take, said once."""

from typing import Annotated

import typer

from outlast.cli.contact import want_json
from outlast.client.control import ControlError


def _not_negative(wait_s: float | None) -> float | None:
    """Typer's own `min` would widen a column of every help, so that names of options are cut off in it."""
    if wait_s is not None and not wait_s >= 0:
        raise ControlError("usage", f"--wait cannot be {wait_s:g}: it must be 0 s or more")
    return wait_s


Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.", callback=want_json)]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        callback=_not_negative,
        show_default=False,
        help="How long to wait until it is done; 0: not at all. Default: until it is done.",
    ),
]
WhatIf = Annotated[bool, typer.Option("--what-if", help="Tell what would happen, and change nothing.")]
TurnOff = Annotated[bool, typer.Option("--turn-off", help="At once, as if its power were cut, instead of in order.")]
To = Annotated[
    str, typer.Option("--to", metavar="NODE", show_default=False, help="Where to; default: the best other node.")
]
PreferredOwners = Annotated[
    str | None,
    typer.Option("--preferred-owners", metavar="NODES", help='Nodes that it should run on, best first: "n1,n2".'),
]
PossibleOwners = Annotated[
    str | None,
    typer.Option("--possible-owners", metavar="NODES", help='The only nodes that it may run on: "n1,n2"; "": all.'),
]


def node_names(text: str | None) -> list[str] | None:
    """None stays None: not given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def stop_of(turn_off: bool) -> str:
    return "turn_off" if turn_off else "shutdown"


def number_or_default(option: str, text: str | None) -> float | None:
    """For settings of which "default" means the cluster's."""
    if text is None or text == "default":
        return None
    try:
        return float(text)
    except ValueError:
        raise ControlError("usage", f'cannot use {option} "{text}": it takes a number or "default"') from None
