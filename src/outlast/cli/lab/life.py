"""How does a lab begin and end, and who in it has power?"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from outlast.cli.lab.opened import Name, Node, opened


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
    memory_mib: Annotated[
        int, typer.Option("--memory-mib", help="What each node may give to VMs; 0: its share of this machine's memory.")
    ] = 0,
    web: Annotated[bool, typer.Option("--web", help="Run outlast-web in the nodes too.")] = False,
) -> None:
    """Build a lab and power its nodes on."""
    import time

    began = time.monotonic()
    with opened(name) as lab, progress(f"lab {name}") as tell:
        lab.up(
            nodes,
            node_timeout_s=node_timeout_s,
            service=service,
            watchdog=watchdog,
            kvm=kvm,
            database=database,
            witness=witness,
            memory_mib=memory_mib,
            web=web,
            tell=tell,
        )
    which = f"{nodes} nodes are up: n1 to n{nodes}" if nodes > 1 else "one node is up: n1"
    typer.echo(f"{which}, after {time.monotonic() - began:.1f} s")
    option = "" if name == "lab" else f" --name {name}"
    example = "outlast status" if service else "virsh list --all"
    typer.echo(
        f"Look: outlast lab show{option}   Go in: outlast lab exec{option} n1 {example}   End: outlast lab down{option}"
    )


def down(name: Name = "lab") -> None:
    """End a lab and leave nothing behind: its nodes, their disks and guests are gone."""
    with opened(name) as lab:
        there = lab.down()
    typer.echo(f'lab "{name}" is down' if there else f'there is no lab "{name}": nothing to do')


def power_on(node: Node, name: Name = "lab") -> None:
    """Power a node on."""
    with opened(name) as lab:
        lab.power_on(node)
    typer.echo(f"{node} is on")


def power_off(node: Node, name: Name = "lab") -> None:
    """Cut a node's power: everything on it dies at once."""
    with opened(name) as lab:
        lab.power_off(node)
    typer.echo(f"{node} is off")


def shutdown(node: Node, name: Name = "lab") -> None:
    """Shut a node down in order: it is drained, leaves the cluster, and is off."""
    with opened(name) as lab:
        said = lab.shutdown(node)
    typer.echo(f"{said}\n{node} is off" if said else f"{node} is off")


def power_reset(node: Node, name: Name = "lab") -> None:
    """Cut a node's power and power it on again."""
    with opened(name) as lab:
        lab.reset(node)
    typer.echo(f"{node} was off and is on again")


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
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
