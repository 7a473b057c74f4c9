"""outlast cluster: how machines become a cluster, and what it is as a whole."""

import math
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from outlast.cli import backup, options, output, times
from outlast.cli.cluster_set import release, set_cluster, show_settings
from outlast.cli.cluster_token import token, token_state
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell
from outlast.cli.quorum import force_quorum
from outlast.client.control import Client, ControlError
from outlast.model.answers import ClusterRow, MachineRow

app = typer.Typer(name="cluster", help="Machines become a cluster.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Option("--address", metavar="ADDRESS", show_default=False, help="How other nodes reach this machine."),
]
NodeName = Annotated[
    str, typer.Option("--node", metavar="NAME", show_default=False, help="This node's name; default: the host's.")
]
More = Annotated[
    Path | None,
    typer.Option(
        "--settings", metavar="FILE", show_default=False, help="More for outlast.toml: watchdog, fence devices, ..."
    ),
]
T = TypeVar("T")
LOOK_S = 0.5
DAY_S = 24 * 3600.0


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", metavar="CLUSTER", help="The new cluster's name.")],
    node: NodeName = "",
    address: Address = "",
    node_timeout_s: Annotated[float, typer.Option("--node-timeout-s", help="For how long a node may be silent.")] = 5.0,
    settings: More = None,
    etcd_endpoints: Annotated[
        str,
        typer.Option(
            "--etcd-endpoints", metavar="URLS", show_default=False, help="Use an etcd that is there: https://a:2379,..."
        ),
    ] = "",
    etcd_prefix: Annotated[
        str, typer.Option("--etcd-prefix", metavar="TEXT", help="Before all keys in that etcd.")
    ] = "outlast/",
    etcd_ca: Annotated[
        Path | None, typer.Option("--etcd-ca", metavar="FILE", show_default=False, help="That etcd's authority.")
    ] = None,
    etcd_cert: Annotated[
        Path | None,
        typer.Option("--etcd-cert", metavar="FILE", show_default=False, help="A client certificate for that etcd."),
    ] = None,
    etcd_key: Annotated[
        Path | None, typer.Option("--etcd-key", metavar="FILE", show_default=False, help="The certificate's key.")
    ] = None,
    etcd_user: Annotated[
        str, typer.Option("--etcd-user", metavar="NAME", show_default=False, help="A user of that etcd.")
    ] = "",
    etcd_password_file: Annotated[
        Path | None,
        typer.Option(
            "--etcd-password-file", metavar="FILE", show_default=False, help="That user's password, in its first line."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make this machine the first node of a new cluster."""
    from outlast.setup import create as creating
    from outlast.setup.machine import Machine

    def work(tell: Callable[[str], None]) -> Coroutine[Any, Any, creating.Created]:
        foreign = None
        if etcd_endpoints:
            urls = creating.endpoints(etcd_endpoints)
            foreign = creating.Foreign(urls, etcd_prefix, etcd_ca, etcd_cert, etcd_key, etcd_user, etcd_password_file)
        wanted = creating.Wanted(name, node, address, node_timeout_s, settings, foreign)
        return creating.create(wanted, Machine(), tell)

    began = time.monotonic()
    created = _carried_out(context, work)
    if wants_json(context):
        output.json(created)
        return
    after = times.duration(time.monotonic() - began)
    output.line(
        Cell(f"The cluster {output.named(created.cluster)} is there, with this machine as its node ", "bold"),
        Cell(created.node, "bold"),
        f" ({created.address}), after {after}.",
    )
    for words in created.warnings:
        output.line(Cell(words, "yellow"))
    _tell_who_cannot_be_fenced(created.unprovable)
    output.line("On each machine that shall belong to it too (the token is good for one, for an hour):")
    output.line(Cell(f"  outlast cluster join {created.address} --token {created.token}", "bold"))
    output.line("Another token: outlast cluster token")


@app.command()
def join(
    context: typer.Context,
    token: Annotated[
        str,
        typer.Option("--token", metavar="TOKEN", help="As `outlast cluster token` printed it; -: from standard input."),
    ],
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="A node of the cluster; default: the one that gave the token out.")
    ] = "",
    node: NodeName = "",
    address: Address = "",
    witness: Annotated[bool, typer.Option("--witness", help="As a witness: it votes and runs nothing.")] = False,
    settings: More = None,
    as_json: options.Json = False,
) -> None:
    """Make this machine a node of a cluster that is there."""
    from outlast.model.member import Part
    from outlast.setup import join as joining
    from outlast.setup.machine import Machine

    if token == "-":
        token = sys.stdin.readline().strip()
    wanted = joining.Wanted(token, host, node, address, Part.WITNESS if witness else Part.NODE, settings)
    began = time.monotonic()
    joined = _carried_out(context, lambda tell: joining.join(wanted, Machine(), tell))
    if wants_json(context):
        output.json(joined)
        return
    after = times.duration(time.monotonic() - began)
    what = "the witness" if witness else "a node"
    output.line(
        Cell(f"This machine is {joined.node}, {what} of the cluster {output.named(joined.cluster)}", "bold"),
        f", after {after}: {joined.words}.",
    )
    _tell_who_cannot_be_fenced(tuple(name for name in joined.unprovable if name == joined.node))


app.command("token")(token)


@app.command("add-witness")
def add_witness(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="The machine that shall be the witness.")],
    ssh: Annotated[bool, typer.Option("--ssh", help="Run the command there too, by ssh, as root.")] = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Give a cluster of few nodes one more vote, on a small machine that runs nothing else."""
    contact, quiet = client(context), wants_json(context)
    before = {row.name for row in contact.call("cluster.show", type=ClusterRow).machines}
    word = contact.call("cluster.token", {"witness": True}, type=str)
    command = "outlast cluster join --witness --token"
    if ssh:
        _run_there(host, f"{command} -", word)
    elif not quiet:
        output.line(f"Install Outlast and etcd-server on {host}, and say there, as root (it is good for an hour):")
        output.line(Cell(f"  {command} {word}", "bold"))
    if wait_s == 0:
        if quiet:
            output.json({"token": word, "witness": None})
        return
    row = _wait_for_witness(contact, before, wait_s, quiet=quiet)
    if quiet:
        output.json({"token": word, "witness": row})
    else:
        votes = (
            "votes"
            if row.vote == "votes"
            else "will vote while the number of voting nodes is even, which it is not now"
        )
        output.line(Cell(f"{row.name} ({row.address}) is a witness of the cluster, and {votes}", "bold"))


def _run_there(host: str, command: str, token: str) -> None:
    """The token goes over standard input: on a command line, everybody on both machines could read it."""
    import subprocess

    done = subprocess.run(["ssh", host, command], input=token + "\n", text=True, check=False)
    if done.returncode:
        raise ControlError("failed", f"the command on {host} failed (exit code {done.returncode})")


def _wait_for_witness(contact: Client, before: set[str], wait_s: float | None, *, quiet: bool) -> MachineRow:
    deadline = time.monotonic() + (math.inf if wait_s is None else wait_s)
    with output.progress("waiting for the witness", quiet=quiet) as tell:
        while time.monotonic() < deadline:
            machines = contact.call("cluster.show", type=ClusterRow).machines
            nodes = sum(row.part == "node" and row.vote == "votes" for row in machines)
            for row in machines:
                if row.name not in before and row.part == "witness":
                    # With an odd number of voting nodes it is there, and not needed.
                    if row.vote == "votes" or nodes % 2:
                        return row
                    tell(f"the member of {row.name} {row.vote}")
            time.sleep(LOOK_S)
    raise ControlError("impossible", "there is no witness that votes yet; the token is good for an hour, all the same")


@app.command()
def show(context: typer.Context, as_json: options.Json = False) -> None:
    """The cluster, its machines, and tokens that are not used up."""
    found = client(context).call("cluster.show", type=ClusterRow)
    if wants_json(context):
        output.json(found)
        return
    output.fields(
        [
            ("cluster", Cell(found.name, "bold")),
            ("id", found.id),
            ("node time-out", times.setting(found.node_timeout_s)),
            ("web authority", found.web_fingerprint and f"SHA-256 {found.web_fingerprint}"),
        ]
    )
    output.heading("Machines")
    output.table(("name", "part", "address", "database"), [_machine(row) for row in found.machines])
    for row in found.tokens:
        output.line(f"token {row.id} for a {row.part}: {token_state(row)}")


@app.command()
def leave(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Only here: the cluster is gone, or has evicted this machine already.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make this machine no node any more. It must own nothing."""
    from outlast.setup import leave as leaving
    from outlast.setup.machine import Machine

    if not yes:
        if not sys.stdin.isatty():
            raise ControlError(
                "usage", "cannot ask you whether this machine shall leave: there is no terminal; add --yes"
            )
        typer.confirm("Shall this machine be no node of its cluster any more?", abort=True)
    words = _carried_out(context, lambda tell: leaving.leave(Machine(), tell, force=force))
    if wants_json(context):
        output.json({"words": words})
    else:
        output.line(words)


# Here, so that `--help` begins with what a newcomer looks for.
app.command("set")(set_cluster)
app.command("settings")(show_settings)
app.command()(release)
backup.add_to(app)
app.command("force-quorum")(force_quorum)


def _carried_out(context: typer.Context, work: Callable[[Callable[[str], None]], Coroutine[Any, Any, T]]) -> T:
    import asyncio
    import logging

    from outlast.service.entry import log_to_stderr
    from outlast.setup.machine import SetupError

    quiet = wants_json(context)
    # What a part of ours warns of is no part of the answer, and for scripts stderr is one document, too.
    log_to_stderr(logging.CRITICAL if quiet else logging.NOTSET)

    def tell(words: str) -> None:
        if not quiet:
            output.line(Cell(f"{words} ...", "dim"))
            sys.stdout.flush()

    try:
        return asyncio.run(work(tell))
    except SetupError as error:
        raise ControlError(error.kind, str(error)) from error
    except KeyboardInterrupt:
        raise typer.Abort from None


def _tell_who_cannot_be_fenced(names: tuple[str, ...]) -> None:
    if names:
        which = ", ".join(names)
        output.line(
            Cell(f"Nothing can prove the death of {which}: ", "yellow"),
            "no fence device, no watchdog. If it dies, what it ran waits for your word (outlast node confirm-down). "
            "How to mend that: docs/fencing.md",
        )


def _certificate(found: ClusterRow) -> str:
    if found.certificate_left_s is None:
        return ""
    return f"of {found.answered_by}: good for {found.certificate_left_s / DAY_S:.0f} days"


def _machine(row: MachineRow) -> output.Row:
    style = {"votes": "green", "learns": "yellow"}.get(row.vote, "dim")
    return output.Row((row.name, row.part, row.address, Cell(row.vote or "none here", style)))
