"""outlast cluster set: the cluster's settings that may change while it runs."""

from typing import Annotated, Any

import typer

from outlast.cli import options, output
from outlast.cli.contact import client, wants_json
from outlast.client.control import ControlError
from outlast.model.settings import Settings

CALL_S = 60.0


def set_cluster(
    context: typer.Context,
    vote_removal_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="After so long a node that is proven dead votes no more.")
    ] = None,
    most_voters: Annotated[
        int | None, typer.Option(metavar="N", help="At most so many members of the database vote.")
    ] = None,
    failover_threshold: Annotated[
        int | None,
        typer.Option(metavar="N", help="Failovers of a group before it stays failed; -1: one per other node."),
    ] = None,
    failover_period_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Within this time failovers are counted.")
    ] = None,
    events_kept: Annotated[int | None, typer.Option(metavar="N", help="Length of the event log.")] = None,
    watchdog_strength: Annotated[
        str | None, typer.Option(metavar="KINDS", help='Watchdogs whose time is proof of death: "hardware,kernel".')
    ] = None,
    fence_action: Annotated[
        str | None, typer.Option(metavar="ACTION", help='A fenced node stays "off", or is switched on again: "reboot".')
    ] = None,
    backup_interval_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How often each node takes a backup; 0: never.")
    ] = None,
    backups_kept: Annotated[
        int | None, typer.Option(metavar="N", help="How many of its own backups a node keeps.")
    ] = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change what holds for the whole cluster."""
    given: dict[str, Any] = {
        "vote_removal_s": vote_removal_s,
        "most_voters": most_voters,
        "failover_threshold": failover_threshold,
        "failover_period_s": failover_period_s,
        "events_kept": events_kept,
        "watchdog_strength": options.node_names(watchdog_strength),
        "fence_action": fence_action,
        "backup_interval_s": backup_interval_s,
        "backups_kept": backups_kept,
    }
    values = {key: value for key, value in given.items() if value is not None}
    if not values:
        raise ControlError("usage", "nothing to set; see: outlast cluster set --help")
    settings = client(context).call("cluster.set", {"values": values}, type=Settings, timeout_s=wait_s or CALL_S)
    if wants_json(context):
        output.json(settings)
    else:
        output.line(f"set for the whole cluster: {', '.join(f'{key} = {values[key]}' for key in sorted(values))}")
