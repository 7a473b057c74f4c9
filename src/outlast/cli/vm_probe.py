"""outlast vm probe, outlast vm set: how a VM's guest is looked after."""

from typing import Annotated

import typer

from outlast.cli import options, output, resource_settings, times
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.model.guest import OnRed
from outlast.model.guest_answers import ProbeRow

app = typer.Typer(name="probe", help="What is asked about a VM's guest again and again.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="VM", help="A VM that the cluster protects.")]
ProbeName = Annotated[str, typer.Argument(metavar="PROBE", help="How the probe is called.")]
_COLOURS = {"green": "green", "red": "red"}


def add_to(vm: typer.Typer) -> None:
    vm.command("set")(set_vm)
    vm.add_typer(app)


def set_vm(
    context: typer.Context,
    name: Name,
    settings: options.Assignments = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Change how a VM is watched, and what is done when it fails, or when its guest hangs, panics or ails."""
    resource_settings.set_resource(context, name, settings, None, wait_s, as_json)


@app.command()
def add(
    context: typer.Context,
    name: Name,
    probe: ProbeName,
    asks: Annotated[str, typer.Argument(metavar="command|unit|tcp", help="What is asked.")],
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="The command, run in the guest; the unit of its systemd; or ADDRESS:PORT."),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...",
            show_default=False,
            help="interval_s, timeout_s, threshold, on_red=report or on_red=restart.",
        ),
    ] = None,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Add a probe, or change the one of that name."""
    arguments = {"name": name, "probe": probe, "asks": asks, "what": what, "values": options.assigned(settings)}
    _show(context, client(context).call("vm.probe_add", arguments, type=list[ProbeRow], timeout_s=wait_s or 60.0))


@app.command()
def delete(
    context: typer.Context, name: Name, probe: ProbeName, wait_s: options.Wait = None, as_json: options.Json = False
) -> None:
    """Delete a probe."""
    arguments = {"name": name, "probe": probe}
    _show(context, client(context).call("vm.probe_delete", arguments, type=list[ProbeRow], timeout_s=wait_s or 60.0))


@app.command("list")
def list_probes(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="VM", help="Default: of all VMs.", show_default=False)] = "",
    as_json: options.Json = False,
) -> None:
    """All probes and what they found."""
    _show(context, client(context).call("vm.probe_list", {"name": name}, type=list[ProbeRow]))


def _show(context: typer.Context, found: list[ProbeRow]) -> None:
    if wants_json(context):
        output.json(found)
        return
    titles = ("VM", "probe", "asks", "state", "every", "when red")
    empty = "no probes; outlast vm probe add VM PROBE command|unit|tcp WHAT adds one"
    output.table(titles, [_row(row) for row in found], empty=empty)


def _row(row: ProbeRow) -> Row:
    probe = row.probe
    cells = (
        row.vm,
        probe.name,
        f"{probe.asks.value} {probe.what}",
        Cell(row.state, _COLOURS.get(row.state, "")),
        times.setting(probe.interval_s),
        "it is told" if probe.on_red is OnRed.REPORT else "the VM is restarted",
    )
    return Row(cells, why=row.why)
