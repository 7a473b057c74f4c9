"""How does a command reach the cluster, and does the user want JSON?

The root command leaves both in the context's `obj`, a dict: `json` and `socket`.
"""

from typing import Any

import typer

from outlast.client.control import Client


def client(context: typer.Context) -> Client:
    return Client(str(_settings(context).get("socket", "")))


def wants_json(context: typer.Context) -> bool:
    return bool(_settings(context).get("json"))


def want_json(context: typer.Context, asked: bool) -> bool:
    """`--json` after the verb means the same as before the noun."""
    if asked:
        context.ensure_object(dict)["json"] = True
    return asked


def _settings(context: typer.Context) -> dict[str, Any]:
    return context.obj if isinstance(context.obj, dict) else {}
