"""Does Outlast keep its word in a lab? Shown (demo), looked after (check), and tried with random faults (soak)."""

from typing import Annotated

import typer

from outlast.cli.lab.opened import Json, Name, opened, print_json, wants_json


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up in the end, to go on by hand.")] = False,
    name: Name = "lab",
) -> None:
    """See what Outlast is for: VMs and nodes fail in every way, and all goes on. It takes a minute."""
    from outlast.cli.lab.demo import play

    with opened(name):
        play.run(name, keep=keep)


def check(
    context: typer.Context,
    seconds: Annotated[float, typer.Option("--seconds", help="Watch the processes for so long first.")] = 0.0,
    name: Name = "lab",
    as_json: Json = False,
) -> None:
    """Did two copies of a guest ever run at once? Ask the beacons' disks and the processes, not Outlast."""
    import dataclasses
    import time

    with opened(name) as lab:
        with lab.watcher() as watcher:
            time.sleep(max(seconds, 0.1))
        findings = [*watcher.findings, *lab.check_disks()]
    if wants_json(context, as_json):
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.guest}: {finding.words}")
        if not findings:
            typer.echo("no guest ever ran twice at once")
    if findings:
        raise typer.Exit(1)


def soak(
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.0, help="For how long; the last round is finished.")
    ] = 15.0,
    seed: Annotated[
        int | None, typer.Option("--seed", show_default=False, help="To have the same faults again.")
    ] = None,
    nodes: Annotated[int, typer.Option(help="How many nodes.")] = 3,
    witness: Annotated[bool, typer.Option("--witness", help="With a witness, w1.")] = False,
    database: Annotated[str, typer.Option("--database", metavar="DATABASE", help="etcd or sqlite.")] = "etcd",
    guests: Annotated[int, typer.Option("--guests", min=1, help="How many beacons.")] = 4,
    node_timeout_s: Annotated[float, typer.Option("--node-timeout-s", help="The cluster's time-out.")] = 5.0,
    first_round: Annotated[int, typer.Option("--round", min=1, help="Begin with this round of the seed.")] = 1,
    logs: Annotated[str, typer.Option("--logs", metavar="DIR", help="Where the logs of a failure go.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up in the end.")] = False,
    name: Name = "soak",
) -> None:
    """Random faults on a lab of its own, and did ever two copies of a guest run? Did everything come back?"""
    from pathlib import Path

    from outlast.cli.lab import soaking

    place = Path(logs or f"/var/tmp/outlast-soak-{name}")
    with opened(name):
        code = soaking.run(
            name=name,
            minutes=minutes,
            seed=seed,
            nodes=nodes,
            witness=witness,
            database=database,
            guests=guests,
            node_timeout_s=node_timeout_s,
            first_round=first_round,
            keep=keep,
            logs=place,
        )
    raise typer.Exit(code)
