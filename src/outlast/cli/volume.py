"""outlast volume: directories that all nodes see, who coordinates them, and the images on them."""

import re
from typing import Annotated, Any

import typer

from outlast.cli import options, output, waiting
from outlast.cli.contact import client, wants_json
from outlast.cli.output import Cell, Row
from outlast.client.control import ControlError
from outlast.model.answers import Foretold, GroupRow
from outlast.model.volume_answers import ChangeRow, ImageRow, SeenFrom, VolumeRow

app = typer.Typer(name="volume", help="Directories that all nodes see, and the images on them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="VOLUME", help="A volume's name.")]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="An image: its path below that of the volume.")]
Size = Annotated[str, typer.Argument(metavar="SIZE", help="In bytes, or with K, M, G or T: 20G is 20 GiB.")]
Limit = Annotated[
    str,
    typer.Option("--limit-s", metavar="SECONDS", help="How long it may be lost on a node before VMs move; or never."),
]
CALL_S = 60.0
ROUND_S = 30.0
TITLES = ("volume", "path", "state", "coordinator", "unavailable on", "groups")
_SIZE = re.compile(r"([0-9]+)([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_STYLES = {"direct": "green", "unavailable": "bold red", "not known": "yellow"}


@app.command("list")
def list_volumes(context: typer.Context, as_json: options.Json = False) -> None:
    """All volumes, who coordinates them, and where they are lost."""
    found = client(context).call("volume.list", type=list[VolumeRow])
    if wants_json(context):
        output.json(found)
    else:
        output.table(TITLES, [_row(row) for row in found], empty="there is no volume yet; `outlast volume add`")


@app.command()
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """All about one volume: how each node sees it, what lies on it, and what was changed there last."""
    row = client(context).call("volume.show", {"name": name}, type=VolumeRow)
    if wants_json(context):
        output.json(row)
        return
    output.fields(
        [
            ("volume", Cell(row.name, "bold")),
            ("path", row.path),
            ("state", output.state(row.state)),
            ("why", Cell(row.why, "yellow")),
            ("coordinator", row.coordinator),
            ("limit", "what needs it is never moved for it" if row.limit_s < 0 else f"{row.limit_s:g} s"),
            ("groups", ", ".join(row.groups)),
        ]
    )
    output.heading("Nodes")
    output.table(("node", "sees it"), [_node(node, seen) for node, seen in row.nodes.items()])
    if row.changes:
        output.heading("Changes")
        output.table(("image", "change", "stage", "node"), [_change(one) for one in row.changes])


@app.command()
def add(
    context: typer.Context,
    name: Name,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Where it is mounted, the same on every node.")],
    limit_s: Limit = "60",
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take in a directory that all nodes see: NFS, CephFS, GFS2, whatever is mounted there."""
    contact = client(context)
    asked = {"name": name, "path": path, "limit_s": _limit(limit_s), "what_if": what_if}
    added = contact.call("volume.add", asked, type=VolumeRow, timeout_s=CALL_S)
    if what_if:
        output.json(added) if wants_json(context) else output.line(f"{added.path} would be the volume {name}")
        return
    group = contact.call("group.show", {"name": name}, type=GroupRow)
    settled = waiting.settle(contact, group, waiting.online(), wait_s, name=name, quiet=wants_json(context))
    if wants_json(context):
        output.json(contact.call("volume.show", {"name": name}, type=VolumeRow))
        return
    if added.warning:
        output.line(Cell(f"warning: {added.warning}", "yellow"))
    output.line(
        Cell(f"{added.path} is the volume {name}", "green"), f", coordinated by {settled.owner or 'nobody yet'}"
    )


@app.command("set")
def set_values(
    context: typer.Context, name: Name, limit_s: Limit, wait_s: options.Wait = None, as_json: options.Json = False
) -> None:
    """Change how long it may be lost on a node before what needs it is moved."""
    row = client(context).call("volume.set", {"name": name, "limit_s": _limit(limit_s)}, type=VolumeRow)
    if wants_json(context):
        output.json(row)
    else:
        output.line(f"{name}: what needs it moves {'never' if row.limit_s < 0 else f'after {row.limit_s:g} s'}")


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Let a volume go: the cluster knows it no more, and what lies there stays."""
    contact = client(context)
    if not what_if:
        contact.call("volume.show", {"name": name}, type=VolumeRow)
        group = contact.call("group.offline", {"name": name}, type=GroupRow)
        goal = waiting.offline("have {name} coordinated no more")
        waiting.settle(contact, group, goal, wait_s, name=name, quiet=wants_json(context))
    done = contact.call("volume.remove", {"name": name, "what_if": what_if}, type=Foretold, timeout_s=CALL_S)
    output.json(done) if wants_json(context) else output.line(done.words)


# --- images -----------------------------------------------------------------------------------------------------------


@app.command()
def images(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """What lies on a volume, as this node sees it."""
    found = client(context).call("volume.images", {"name": name}, type=list[ImageRow])
    if wants_json(context):
        output.json(found)
        return
    titles = ("image", "format", "size", "on disk", "snapshots", "used by")
    output.table(titles, [_image(one) for one in found], empty=f"nothing lies on {name}")


@app.command()
def image(context: typer.Context, name: Name, image: Image, as_json: options.Json = False) -> None:
    """All about one image: its snapshots by name, and what it is based on."""
    row = client(context).call("volume.image", {"volume": name, "image": image}, type=ImageRow)
    if wants_json(context):
        output.json(row)
        return
    output.fields(
        [
            ("image", Cell(row.image, "bold")),
            ("format", row.format),
            ("size", _size(row.bytes)),
            ("on disk", _size(row.on_disk_bytes)),
            ("based on", row.backing),
            ("snapshots", ", ".join(row.tags)),
            ("used by", ", ".join(row.used_by)),
        ]
    )


@app.command()
def create(
    context: typer.Context,
    name: Name,
    image: Image,
    size: Annotated[str, typer.Argument(metavar="[SIZE]", help="20G is 20 GiB; none for a copy.")] = "",
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="qcow2 or raw.")] = "qcow2",
    source: Annotated[
        str, typer.Option("--from", metavar="IMAGE", show_default=False, help="Make it a full copy of that image.")
    ] = "",
    full: Annotated[bool, typer.Option("--full", help="Take all of its space at once.")] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Make a disk image, by the volume's coordinator."""
    if format not in ("qcow2", "raw"):
        raise ControlError("usage", f'cannot use --format {format}: it is "qcow2" or "raw"')
    bytes = _bytes(size) if size else None
    _ask(context, "volume.create", name, image, what_if, wait_s, bytes=bytes, format=format, source=source, full=full)


@app.command()
def resize(
    context: typer.Context,
    name: Name,
    image: Image,
    size: Size,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Make an image larger. Its VM must be off."""
    _ask(context, "volume.resize", name, image, what_if, wait_s, bytes=_bytes(size))


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    image: Image,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Delete an image that is no VM's disk. What was in it is lost."""
    _ask(context, "volume.delete", name, image, what_if, wait_s)


@app.command()
def snapshot(
    context: typer.Context,
    name: Name,
    image: Image,
    tag: Annotated[str, typer.Argument(metavar="TAG", help="What the snapshot is called.")],
    restore: Annotated[bool, typer.Option("--restore", help="Go back to it; what came after it is lost.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Forget it.")] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Take a snapshot of a qcow2 image, inside of it; or restore or drop one. Its VM must be off."""
    if restore and drop:
        raise ControlError("usage", "--restore and --drop contradict each other: use one of them")
    action = "restore" if restore else "drop" if drop else "take"
    _ask(context, "volume.snapshot", name, image, what_if, wait_s, tag=tag, action=action)


def _ask(
    context: typer.Context, verb: str, name: str, image: str, what_if: bool, wait_s: float | None, **arguments: Any
) -> None:
    """Ask the volume's coordinator, and wait until it has done it."""
    contact, quiet = client(context), wants_json(context)
    asked = contact.call(verb, {"volume": name, "image": image, "what_if": what_if, **arguments}, type=ChangeRow)
    row = asked
    if what_if:
        output.json(row) if quiet else output.line(f"the coordinator of {name} would be asked to {row.what} {image}")
        return
    left_s = wait_s
    with output.progress(f"{row.what} {image}", quiet=quiet) as tell:
        while row.stage in ("asked", "running") and left_s != 0:
            round_s = ROUND_S if left_s is None else min(ROUND_S, left_s)
            question = {"volume": name, "id": asked.id, "timeout_s": round_s}
            for row in contact.stream("volume.wait", question, type=ChangeRow, timeout_s=round_s + 10.0):
                tell(f"{row.stage} on {row.node}, {row.percent} %" if row.node else row.stage)
            left_s = None if left_s is None else max(0.0, left_s - round_s)
    if row.stage in ("refused", "cut short"):
        raise ControlError("failed", f"cannot {row.what} {image} on {name}: {row.words}")
    if row.stage != "done" and wait_s:
        words = f"{row.what} {image}: not done within {wait_s:g} s; it is {row.stage}. The cluster goes on with it"
        raise ControlError("impossible", words)
    if quiet:
        output.json(row)
    elif row.stage == "done":
        output.line(Cell(row.words, "green"))
    else:
        output.line(f"asked the coordinator of {name} to {row.what} {image}; it is {row.stage} now")


# --- how it looks -----------------------------------------------------------------------------------------------------


def _row(row: VolumeRow) -> Row:
    lost = [node for node, seen in row.nodes.items() if seen.state == "unavailable"]
    whys = [f"{node}: {row.nodes[node].why}" for node in lost]
    if any(seen.is_full for seen in row.nodes.values()):
        whys.append("it is full")
    cells = (row.name, row.path, output.state(row.state), row.coordinator, ", ".join(lost), str(len(row.groups)))
    return Row(cells, "; ".join(filter(None, (row.why, *whys))))


def _node(node: str, seen: SeenFrom) -> Row:
    why = "; ".join(filter(None, (seen.why, "it is full" if seen.is_full else "")))
    return Row((node, Cell(seen.state, _STYLES.get(seen.state, ""))), why)


def _change(one: ChangeRow) -> Row:
    stage = f"{one.stage} ({one.percent} %)" if one.stage == "running" else one.stage
    return Row((one.image, one.what, stage, one.node), one.words, "" if one.stage == "done" else "yellow")


def _image(one: ImageRow) -> Row:
    snapshots = str(one.snapshots) if one.snapshots else ""
    based = f"based on {one.backing}" if one.backing else ""
    cells = (one.image, one.format, _size(one.bytes), _size(one.on_disk_bytes), snapshots, ", ".join(one.used_by))
    return Row(cells, based, "")


def _size(bytes: int) -> str:
    for unit in ("T", "G", "M", "K"):
        if bytes >= _UNITS[unit]:
            return f"{bytes / _UNITS[unit]:.1f}".removesuffix(".0") + f" {unit}iB"
    return f"{bytes} B"


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ControlError("usage", f'cannot use "{text}" as a size: 20G is 20 GiB, 512M is 512 MiB')
    return int(found[1]) * _UNITS[found[2].upper()]


def _limit(text: str) -> float:
    if text == "never":
        return -1.0
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = -1.0
    if not 0 <= limit_s <= 7 * 86400:
        raise ControlError("usage", f'cannot use --limit-s {text}: it takes seconds, or "never"')
    return limit_s
