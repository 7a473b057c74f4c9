"""outlast version: which Outlast is this?"""

import platform

import typer

import outlast
from outlast.cli import options, output
from outlast.cli.contact import wants_json

app = typer.Typer()


@app.command()
def version(context: typer.Context, as_json: options.Json = False) -> None:
    """Which Outlast this is."""
    if wants_json(context):
        output.json({"outlast": outlast.__version__, "python": platform.python_version()})
    else:
        output.line(f"outlast {outlast.__version__} (Python {platform.python_version()})")
