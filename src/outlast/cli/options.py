"""Options and arguments that several commands take, said once."""

import enum
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.contact import want_json
from outlast.client.control import ControlError


def _not_negative(wait_s: float | None) -> float | None:
    """Typer's own `min` would widen a column of every help, so that names of options are cut off in it."""
    if wait_s is not None and not wait_s >= 0:
        raise ControlError("usage", f"--wait cannot be {wait_s:g}: it must be 0 s or more")
    return wait_s


class Leaving(enum.StrEnum):
    """How what is moved leaves its node."""

    LIVE = "live"
    SAVE = "save"
    SHUTDOWN = "shutdown"
    TURN_OFF = "turn-off"


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
DiscardSaved = Annotated[
    bool, typer.Option("--discard-saved-state", help="Do not go on from its saved state: drop it, and start anew.")
]


class GoingOff(enum.StrEnum):
    """How a group goes offline."""

    SAVE = "save"
    SHUTDOWN = "shutdown"
    TURN_OFF = "turn-off"


HowOff = Annotated[
    GoingOff | None,
    typer.Option("--how", show_default=False, help="How it goes offline. Default: as its offline_action says."),
]
How = Annotated[
    Leaving | None,
    typer.Option(
        "--how",
        show_default=False,
        help="How it leaves its node. Default: live if that is possible, else as its offline_action says.",
    ),
]
To = Annotated[
    str, typer.Option("--to", metavar="NODE", show_default=False, help="Where to; default: the best other node.")
]
IgnoreLock = Annotated[bool, typer.Option("--ignore-lock", help="Also if it is locked.")]
Switch = Annotated[str, typer.Argument(metavar="on|off", help="Begin it, or end it.")]
PreferredOwners = Annotated[
    str | None,
    typer.Option("--preferred-owners", metavar="NODES", help='Nodes that it should run on, best first: "n1,n2".'),
]
PossibleOwners = Annotated[
    str | None,
    typer.Option("--possible-owners", metavar="NODES", help='The only nodes that it may run on: "n1,n2"; "": all.'),
]

Assignments = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", show_default=False, help="Settings; docs/settings.md has all of them."),
]


def assigned(words: Sequence[str] | None) -> dict[str, str]:
    """KEY=VALUE by key; what the values mean, the cluster service knows (`core/spelling.py`)."""
    found: dict[str, str] = {}
    for word in words or ():
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise ControlError("usage", f'cannot use "{word}": it takes KEY=VALUE')
        if key in found:
            raise ControlError("usage", f"{key} is given twice")
        found[key] = value
    return found


def is_on(switch: str) -> bool:
    if switch not in ("on", "off"):
        raise ControlError("usage", f'cannot use "{switch}": it takes on or off')
    return switch == "on"


def node_names(text: str | None) -> list[str] | None:
    """None stays None: not given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def stop_of(turn_off: bool) -> str:
    return "turn_off" if turn_off else "shutdown"


def going_off(how: GoingOff | None, turn_off: bool) -> str | None:
    """None: as its policy is."""
    if turn_off:
        if how not in (None, GoingOff.TURN_OFF):
            raise ControlError("usage", f"--turn-off and --how {how.value} contradict each other: use one of them")
        return "turn_off"
    return how.value.replace("-", "_") if how is not None else None


def leaving(how: Leaving | None, turn_off: bool) -> str | None:
    """None: as is best."""
    if turn_off:
        if how not in (None, Leaving.TURN_OFF):
            raise ControlError("usage", f"--turn-off and --how {how.value} contradict each other: use one of them")
        return Leaving.TURN_OFF.value.replace("-", "_")
    return how.value.replace("-", "_") if how is not None else None


def definition(path: str) -> str:
    """What stands in a file, or comes from stdin ("-"). Every way in which this fails is the user's to mend."""
    try:
        text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return text.decode()
    except UnicodeDecodeError:
        raise ControlError("usage", f"cannot read the definition {path}: it is not UTF-8 text") from None
    except OSError as error:
        raise ControlError("usage", f"cannot read the definition {path}: {error.strerror}") from None
