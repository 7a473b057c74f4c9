"""How does the demo end? With what it measured, and how to go on by hand."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from outlast.cli import output
from outlast.cli.lab.demo.times import Failover, Other, tables
from outlast.cli.output import Cell


def sum_up(failovers: Sequence[Failover], others: Sequence[Other], name: str, *, kept: bool) -> None:
    """`name`: of the lab; `kept`: it is still up."""
    output.parts(["", *tables(failovers, others, output.console().width), ""])
    option = "" if name == "lab" else f" --name {name}"
    lab = f"{program()} lab"
    if not kept:
        output.line("The lab is gone without a trace. ", Cell("make demo KEEP=1", "bold"), " leaves it up;")
        more = f"{lab} --help"
        output.line(
            Cell(f"{lab} up", "bold"), " brings up an empty one, ", Cell(more, "bold"), " tells what it can do."
        )
        return
    inside = f"{lab} exec{option} n1 outlast"
    hints = {
        f"{inside} status": "how the cluster is",
        f"{inside} explain vm web": "why web runs where it runs",
        f"{inside} events --follow": "watch it, in a second terminal",
        f"{lab} kill{option} n1 --process qemu:db": "break something",
        f"{lab} power off{option} n3": "break more",
        f"{inside} vm move shop": "or move it in order",
        f"{lab} down{option}": "end it; nothing stays behind",
    }
    output.line(Cell("The lab is still up. Go on by hand:", "bold"))
    wide = max(map(len, hints))
    for command, words in hints.items():
        output.line(f"  {command:<{wide}}  ", Cell(words, "dim"))


def program() -> str:
    """As this program can be called from here."""
    called = Path(sys.argv[0])
    found = shutil.which("outlast")
    if found and Path(found).resolve() == called.resolve():
        return "outlast"
    absolute = called.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
