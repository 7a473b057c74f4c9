"""outlast cluster set: the cluster's settings that may change while it runs; and letting the storm guard go."""

import typer

from outlast.cli import options, output, setting_table
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.client.control import ControlError
from outlast.model.answers import ClusterSettings

CALL_S = 60.0


def set_cluster(
    context: typer.Context,
    settings: options.Assignments = None,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change what holds for the whole cluster: armed=no, survive_nodes=1, balance=continuous, ..."""
    values = options.assigned(settings)
    if not values:
        raise ControlError("usage", "nothing to set; docs/settings.md has all settings, as in: cluster set armed=no")
    contact = client(context)
    if what_if:
        found = contact.call("cluster.would_set", {"values": values}, type=list[str])
        if wants_json(context):
            output.json({"would": found})
        for words in () if wants_json(context) else found or ["nothing would be done at once"]:
            output.line(words)
        return
    now = contact.call("cluster.set", {"values": values}, type=ClusterSettings, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(now)
        return
    output.line(f"set for the whole cluster: {', '.join(f'{key}={value}' for key, value in sorted(values.items()))}")
    for words in now.warnings:
        output.line(Cell(f"warning: {words}", "yellow"))
    for words in now.notes:
        output.line(words)


def show_settings(context: typer.Context, as_json: options.Json = False) -> None:
    """What holds for the whole cluster: each setting, what it means, what it is, and what it is when nobody sets it."""
    setting_table.tell(context, "cluster.settings", {})


def release(context: typer.Context, wait_s: options.Wait = None, as_json: options.Json = False) -> None:
    """Let the storm guard go: it counts anew how many nodes were fenced."""
    words = client(context).call("cluster.release", type=str, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json({"words": words})
    else:
        output.line(words)
