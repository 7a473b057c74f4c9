"""outlast lab: several hosts on one machine, to try things out and to test.

What is imported at the top is paid for by every `outlast` command, so it is next to nothing.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from outlast.lab.lab import Lab

app = typer.Typer(
    name="lab",
    help="Several hosts on this machine, as Linux namespaces: to try Outlast, to break things on purpose, to test.",
    no_args_is_help=True,
)
guest = typer.Typer(help="Guests for the lab.", no_args_is_help=True)
app.add_typer(guest, name="guest")
power = typer.Typer(help="Power of a node: on, off, reset.", no_args_is_help=True)
app.add_typer(power, name="power")

Name = Annotated[str, typer.Option("--name", help="Which lab, if there are several.", metavar="LAB")]
Node = Annotated[str, typer.Argument(metavar="NODE", help="A node, such as n1.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Process = Annotated[
    str,
    typer.Option(
        "--process",
        help="One process only: outlastd, outlast-rhs[:WORD], libvirtd, etcd or qemu:VM.",
        metavar="PROCESS",
    ),
]


@app.command()
def up(
    nodes: Annotated[int, typer.Option(help="How many nodes.")] = 3,
    name: Name = "lab",
    node_timeout_s: Annotated[
        float, typer.Option("--node-timeout-s", help="For how long a node may be silent (new cluster only).")
    ] = 5.0,
    service: Annotated[
        bool, typer.Option("--service/--no-service", help="Run the cluster service in the nodes.")
    ] = True,
    watchdog: Annotated[bool, typer.Option("--watchdog/--no-watchdog", help="Give the nodes a watchdog.")] = True,
    kvm: Annotated[bool, typer.Option("--kvm/--no-kvm", help="Let the nodes see /dev/kvm.")] = False,
    database: Annotated[
        str, typer.Option("--database", metavar="DATABASE", help="sqlite (one file) or etcd (a member on each node).")
    ] = "sqlite",
    witness: Annotated[bool, typer.Option("--witness", help="With a witness, w1; needs etcd.")] = False,
) -> None:
    """Build a lab and power its nodes on."""
    import time

    began = time.monotonic()
    with _lab(name) as lab, _progress(f"lab {name}") as tell:
        lab.up(
            nodes,
            node_timeout_s=node_timeout_s,
            service=service,
            watchdog=watchdog,
            kvm=kvm,
            database=database,
            witness=witness,
            tell=tell,
        )
    which = f"{nodes} nodes are up: n1 to n{nodes}" if nodes > 1 else "one node is up: n1"
    typer.echo(f"{which}, after {time.monotonic() - began:.1f} s")
    option = "" if name == "lab" else f" --name {name}"
    example = "outlast status" if service else "virsh list --all"
    typer.echo(
        f"Look: outlast lab show{option}   Go in: outlast lab exec{option} n1 {example}   End: outlast lab down{option}"
    )


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up in the end, to go on by hand.")] = False,
    name: Name = "lab",
) -> None:
    """See what Outlast is for: VMs and nodes fail in every way, and all goes on. It takes a minute."""
    from outlast.cli import demo as show

    with _lab(name):
        show.run(name, keep=keep)


@app.command()
def down(name: Name = "lab") -> None:
    """End a lab and leave nothing behind: its nodes, their disks and guests are gone."""
    with _lab(name) as lab:
        there = lab.down()
    typer.echo(f'lab "{name}" is down' if there else f'there is no lab "{name}": nothing to do')


@app.command()
def show(context: typer.Context, name: Name = "lab", as_json: Json = False) -> None:
    """The nodes, what runs on them, and how they are cut."""
    import dataclasses

    with _lab(name) as lab:
        reports = lab.show()
        state = lab.state()
    if _wants_json(context, as_json):
        nodes = [dataclasses.asdict(report) for report in reports]
        _print_json({"name": name, "directory": str(lab.paths.root), "watchdog": state.watchdog, "nodes": nodes})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "node", "address", "power", "services", "guests", "cut from", "BMC", "why", box=None, header_style="bold"
    )
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut off, however narrow the terminal is
    colours = {"on": "green", "off": "red", "frozen": "blue"}
    for report in reports:
        table.add_row(
            report.name,
            report.address,
            f"[{colours[report.power]}]{report.power}[/]",
            ", ".join(report.services),
            ", ".join(report.guests),
            ", ".join(report.cut_from),
            report.bmc,
            report.why,
        )
    Console().print(table)


@power.command("on")
def power_on(node: Node, name: Name = "lab") -> None:
    """Power a node on."""
    with _lab(name) as lab:
        lab.power_on(node)
    typer.echo(f"{node} is on")


@power.command("off")
def power_off(node: Node, name: Name = "lab") -> None:
    """Cut a node's power: everything on it dies at once."""
    with _lab(name) as lab:
        lab.power_off(node)
    typer.echo(f"{node} is off")


@power.command("reset")
def power_reset(node: Node, name: Name = "lab") -> None:
    """Cut a node's power and power it on again."""
    with _lab(name) as lab:
        lab.reset(node)
    typer.echo(f"{node} was off and is on again")


@app.command()
def cut(
    a: Annotated[str, typer.Argument(metavar="A", help="A node.")],
    b: Annotated[str, typer.Argument(metavar="[B]", help="Another one; without it, A is cut from all.")] = "",
    one_way: Annotated[bool, typer.Option("--one-way", help="Only what A says is lost; A still hears.")] = False,
    plane: Annotated[
        str,
        typer.Option(
            "--plane", metavar="PLANE", show_default=False, help="Only these links: database or service; default: all."
        ),
    ] = "",
    name: Name = "lab",
) -> None:
    """Cut the network of a node, or between two nodes."""
    with _lab(name) as lab:
        lab.cut(a, b, one_way=one_way, plane=plane)
        state = lab.state()
    other, links = b or "the others", f" on the {plane}'s links" if plane else ""
    words = f"nothing from {a} reaches {other}" if one_way else f"{a} and {other} do not reach each other"
    typer.echo(words + links)
    if state.database == "sqlite":
        typer.echo(
            "Note: this lab's cluster database is a file (SQLite), which a network cut does not touch: "
            "the cluster service still reaches it.",
            err=True,
        )


@app.command()
def heal(
    a: Annotated[str, typer.Argument(metavar="[A]", help="A node; without it, everything is healed.")] = "",
    b: Annotated[str, typer.Argument(metavar="[B]", help="Only between A and this one.")] = "",
    name: Name = "lab",
) -> None:
    """Undo cuts."""
    with _lab(name) as lab:
        lab.heal(a, b)
    typer.echo("healed")


@app.command()
def freeze(node: Node, process: Process = "", name: Name = "lab") -> None:
    """Stop a node, or one process of it, without ending it."""
    with _lab(name) as lab:
        lab.freeze(node, process)
    typer.echo(f"{process + ' on ' if process else ''}{node} is frozen")


@app.command()
def thaw(node: Node, process: Process = "", name: Name = "lab") -> None:
    """Let a frozen node, or one process of it, go on."""
    with _lab(name) as lab:
        lab.thaw(node, process)
    typer.echo(f"{process + ' on ' if process else ''}{node} goes on")


@app.command()
def kill(
    node: Node,
    process: Annotated[
        str, typer.Option("--process", help="outlastd, outlast-rhs[:WORD], libvirtd or qemu:VM.", metavar="PROCESS")
    ],
    name: Name = "lab",
) -> None:
    """Kill a process of a node (SIGKILL)."""
    with _lab(name) as lab:
        lab.kill(node, process)
    typer.echo(f"{process} on {node} was killed")


@app.command()
def bmc(
    node: Node,
    fail: Annotated[bool, typer.Option("--fail", help="It answers with an error.")] = False,
    hang: Annotated[bool, typer.Option("--hang", help="It never answers.")] = False,
    lie: Annotated[bool, typer.Option("--lie", help='It says "off" and cuts nothing.')] = False,
    dead: Annotated[bool, typer.Option("--dead", help="It cannot be reached.")] = False,
    ok: Annotated[bool, typer.Option("--ok", help="It does its work again.")] = False,
    name: Name = "lab",
) -> None:
    """Let a node's BMC misbehave: what the fence agent meets when it switches this node."""
    from outlast.lab.bmc import Fault

    switches = {"fail": fail, "hang": hang, "lie": lie, "dead": dead, "ok": ok}
    chosen = [word for word, on in switches.items() if on]
    if len(chosen) != 1:
        _fail(2, "say what the BMC shall do, with one of --fail, --hang, --lie, --dead, --ok")
    with _lab(name) as lab:
        lab.set_bmc_fault(node, Fault(chosen[0]))
    typer.echo(f"the BMC of {node} is set to: {chosen[0]}")


@app.command(
    "exec",
    # All behind NODE is the command's own, its options too.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)
def execute(context: typer.Context, node: Node, name: Name = "lab") -> None:
    """Run a command in a node: outlast lab exec n1 virsh list."""
    command = context.args[1:] if context.args[:1] == ["--"] else context.args
    if not command:
        _fail(2, f"no command was given; for example: outlast lab exec {node} virsh list")
    with _lab(name) as lab:
        lab.become(node, command)


@app.command()
def shell(node: Node, name: Name = "lab") -> None:
    """A shell in a node."""
    with _lab(name) as lab:
        lab.become(node, ["/bin/bash", "-i"])


@app.command()
def logs(
    node: Node,
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="outlastd, libvirtd or boot.")] = "outlastd",
    name: Name = "lab",
) -> None:
    """Print a service's log."""
    with _lab(name) as lab:
        sys.stdout.write(lab.log(node, service))


@app.command()
def check(
    context: typer.Context,
    seconds: Annotated[float, typer.Option("--seconds", help="Watch the processes for so long first.")] = 0.0,
    name: Name = "lab",
    as_json: Json = False,
) -> None:
    """Did two copies of a guest ever run at once? Ask the beacons' disks and the processes, not Outlast."""
    import dataclasses
    import time

    with _lab(name) as lab:
        with lab.watcher() as watcher:
            time.sleep(max(seconds, 0.1))
        findings = [*watcher.findings, *lab.check_disks()]
    if _wants_json(context, as_json):
        _print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.guest}: {finding.words}")
        if not findings:
            typer.echo("no guest ever ran twice at once")
    if findings:
        raise typer.Exit(1)


@app.command()
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

    from outlast.cli import soak as soaking

    place = Path(logs or f"/var/tmp/outlast-soak-{name}")
    with _lab(name):
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


GuestName = Annotated[str, typer.Argument(metavar="NAME", help="The VM's name.")]
ImageLock = Annotated[bool, typer.Option("--image-lock/--no-image-lock", help="QEMU's lock on the disk image.")]
Local = Annotated[
    str, typer.Option("--local", metavar="NODE", help="Put the disk on this node, where the others cannot see it.")
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write the XML there instead.")]


@guest.command()
def beacon(
    guest_name: GuestName, image_lock: ImageLock = True, local: Local = "", output: Output = "", name: Name = "lab"
) -> None:
    """A boot sector that says who runs: writes its disk (to the shared storage), prints its domain XML."""
    with _lab(name) as lab:
        _need_directory(output)
        _write(lab.create_guest("beacon", guest_name, image_lock=image_lock, on_node=local), output)


@guest.command()
def linux(
    guest_name: GuestName, image_lock: ImageLock = True, local: Local = "", output: Output = "", name: Name = "lab"
) -> None:
    """A small Linux with power button and guest agent: writes its disk, prints its domain XML."""
    with _lab(name) as lab:
        _need_directory(output)
        _write(lab.create_guest("linux", guest_name, image_lock=image_lock, on_node=local), output)


def _need_directory(output: str) -> None:
    """Asked before the guest's disk is made, so that the same command works when the path is mended."""
    from pathlib import Path

    if output and not Path(output).parent.is_dir():
        _fail(2, f"cannot write {output}: there is no directory {Path(output).parent}")


def _write(xml: str, output: str) -> None:
    if output:
        from pathlib import Path

        try:
            Path(output).write_text(xml)
        except OSError as error:
            _fail(2, f"cannot write {output}: {error.strerror}; the guest is made, and this is its definition:\n{xml}")
    else:
        sys.stdout.write(xml)


@contextmanager
def _lab(name: str) -> "Iterator[Lab]":
    from outlast.lab.errors import LabError
    from outlast.lab.lab import Lab

    try:
        yield Lab(name)
    except LabError as error:
        _fail(error.exit_code, str(error))
    except PermissionError as error:
        _fail(3, f"cannot do this: {error.strerror} ({error.filename}); a lab takes root, try: sudo outlast lab ...")


def _fail(code: int, words: str) -> None:
    typer.echo(f"outlast: {words}", err=True)
    raise typer.Exit(code)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """On a terminal, who is ready so far; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    from rich.console import Console

    ready: list[str] = []
    with Console(stderr=True).status(f"{what} ...") as status:

        def tell(words: str) -> None:
            ready.append(words)
            status.update(f"{what}: {', '.join(ready)}")

        yield tell


def _wants_json(context: typer.Context, asked: bool) -> bool:
    settings = context.obj if isinstance(context.obj, dict) else {}
    return asked or bool(settings.get("json"))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
