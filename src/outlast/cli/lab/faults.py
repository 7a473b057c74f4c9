"""What can be broken in a lab on purpose, but for the power, and mended again?"""

from typing import Annotated

import typer

from outlast.cli.lab.opened import Name, Node, opened, refuse

Process = Annotated[
    str,
    typer.Option(
        "--process",
        help="One process only: outlastd, outlast-rhs[:WORD], libvirtd, etcd or qemu:VM.",
        metavar="PROCESS",
    ),
]


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
    with opened(name) as lab:
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


def slow(
    node: Node,
    kbit: Annotated[int, typer.Option("--kbit", min=8, help="What comes through in a second.")] = 96,
    name: Name = "lab",
) -> None:
    """Make the link to a node slow, until it is healed or the node loses power."""
    with opened(name) as lab:
        lab.slow(node, kbit)
    typer.echo(f"what is sent to {node} comes through with {kbit} kbit/s")


def heal(
    a: Annotated[str, typer.Argument(metavar="[A]", help="A node; without it, everything is healed.")] = "",
    b: Annotated[str, typer.Argument(metavar="[B]", help="Only between A and this one.")] = "",
    name: Name = "lab",
) -> None:
    """Undo cuts, and make slow links fast again (without a node)."""
    with opened(name) as lab:
        lab.heal(a, b)
    typer.echo("healed")


def freeze(node: Node, process: Process = "", name: Name = "lab") -> None:
    """Stop a node, or one process of it, without ending it."""
    with opened(name) as lab:
        lab.freeze(node, process)
    typer.echo(f"{process + ' on ' if process else ''}{node} is frozen")


def thaw(node: Node, process: Process = "", name: Name = "lab") -> None:
    """Let a frozen node, or one process of it, go on."""
    with opened(name) as lab:
        lab.thaw(node, process)
    typer.echo(f"{process + ' on ' if process else ''}{node} goes on")


def kill(
    node: Node,
    process: Annotated[
        str, typer.Option("--process", help="outlastd, outlast-rhs[:WORD], libvirtd or qemu:VM.", metavar="PROCESS")
    ],
    name: Name = "lab",
) -> None:
    """Kill a process of a node (SIGKILL)."""
    with opened(name) as lab:
        lab.kill(node, process)
    typer.echo(f"{process} on {node} was killed")


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
        refuse(2, "say what the BMC shall do, with one of --fail, --hang, --lie, --dead, --ok")
    with opened(name) as lab:
        lab.set_bmc_fault(node, Fault(chosen[0]))
    typer.echo(f"the BMC of {node} is set to: {chosen[0]}")
