"""outlast validate: what of this cluster would not work when it is needed?"""

import re
from collections.abc import Iterable

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.answers import Finding

app = typer.Typer()
CALL_S = 330.0


@app.command()
def validate(context: typer.Context, as_json: options.Json = False) -> None:
    """Look for what would not work when it is needed: nodes that cannot be fenced, devices or links that fail.

    Switches nothing. Exit code 1 when something grave was found.
    """
    found = client(context).call("validate", type=list[Finding], timeout_s=CALL_S)
    if wants_json(context):
        output.json(found)
    else:
        for finding in grouped(found):
            output.line(Cell(finding.about, "bold red" if finding.grave else "bold yellow"), f": {finding.problem}")
            output.line(f"    It means: {finding.means}")
            output.line(f"    What helps: {finding.advice}")
        if not found:
            output.line(
                Cell(
                    "Nothing was found: every node's death can be proven; every fence device, every link and every "
                    "member of the database answers",
                    "green",
                )
            )
    grave = [finding.about for finding in found if finding.grave]
    if grave:
        raise ControlError("failed", f"this would not work when it is needed: {', '.join(dict.fromkeys(grave))}")


def grouped(found: Iterable[Finding]) -> list[Finding]:
    """For people: what is said of several in the same words is said once, of all of them."""
    same: dict[tuple[bool, str, str, str], list[Finding]] = {}
    for finding in found:
        words = [_of_anybody(text, finding.about) for text in (finding.problem, finding.means, finding.advice)]
        same.setdefault((finding.grave, words[0], words[1], words[2]), []).append(finding)
    return [
        alike[0] if len(alike) == 1 else Finding(", ".join(one.about for one in alike), *words)
        for words, alike in same.items()
    ]


def _of_anybody(text: str, about: str) -> str:
    return re.sub(rf"\b{re.escape(about)}\b", "NODE", text)
