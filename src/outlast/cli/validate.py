"""outlast validate: what of this cluster would not work when it is needed?"""

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
        for finding in found:
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
