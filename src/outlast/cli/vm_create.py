"""outlast vm create: a new VM from a disk image or an installation medium, under protection from its first start.

virt-install writes the definition, because it knows what each guest system wants. It is told of disks that lie on a
network, and their paths are put in afterwards: of a path it would make a storage pool on this node.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from outlast.cli import disk_image, options, output, protecting, virt_install
from outlast.cli.contact import client, wants_json
from outlast.cli.disk_image import Image
from outlast.cli.output import Cell, named
from outlast.client.control import Client, ControlError
from outlast.model.answers import ProtectReport

KVM = "/dev/kvm"


def add_to(app: typer.Typer) -> None:
    app.command()(create)


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="VM", help="How it shall be called.")],
    memory_mib: Annotated[int, typer.Option("--memory", metavar="MIB", min=1, help="Its memory.")],
    vcpus: Annotated[int, typer.Option("--vcpus", metavar="NUMBER", min=1, help="Its processors.")] = 1,
    disks: Annotated[
        list[str] | None,
        typer.Option(
            "--disk",
            metavar="PATH[,size=GIB][,format=F]",
            show_default=False,
            help="An image that is there, or a new one (qcow2 or raw) of that size. Several times.",
        ),
    ] = None,
    cdrom: Annotated[
        str, typer.Option("--cdrom", metavar="ISO", show_default=False, help="A medium: booted while no disk can be.")
    ] = "",
    networks: Annotated[
        list[str] | None,
        typer.Option(
            "--network", metavar="bridge=B|network=N", show_default=False, help="Default: none. Several times."
        ),
    ] = None,
    system: Annotated[
        str, typer.Option("--os", metavar="NAME", help="Its system: virt-install --osinfo list has all.")
    ] = virt_install.LINUX,
    uefi: Annotated[bool, typer.Option("--uefi", help="UEFI instead of a BIOS.")] = False,
    graphics: Annotated[str, typer.Option("--graphics", metavar="vnc|none", help="A screen, on loopback.")] = "vnc",
    machine_type: Annotated[
        str, typer.Option("--machine-type", metavar="kvm|qemu", show_default=False, help="Default: kvm if it is there.")
    ] = "",
    preferred_owners: options.PreferredOwners = None,
    possible_owners: options.PossibleOwners = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it.")] = True,
    xml_only: Annotated[bool, typer.Option("--xml-only", help="Print the domain XML, and make nothing.")] = False,
    what_if: options.WhatIf = False,
    wait_s: options.Wait = None,
    as_json: options.Json = False,
) -> None:
    """Create a VM from a disk image or an installation medium, and protect it.

    New disks are made first, and taken away again if the cluster refuses the VM. It needs virt-install on this node.
    """
    images = [disk_image.read(text) for text in disks or ()]
    if not images:
        raise ControlError("usage", "say which disk it has: --disk PATH, or --disk PATH,size=GIB for a new one")
    if len({image.path for image in images}) < len(images):
        raise ControlError("usage", "the same disk is given twice")
    if cdrom:
        disk_image.refuse_missing(cdrom, "the medium")
    wish = virt_install.Wish(
        name,
        memory_mib,
        vcpus,
        tuple(images),
        cdrom,
        tuple(_network(text) for text in networks or ()),
        system,
        uefi=uefi,
        graphics=_one_of("--graphics", graphics, ("vnc", "none")),
        kind=_one_of("--machine-type", machine_type or _best_kind(), ("kvm", "qemu")),
    )
    definition = virt_install.definition(wish)
    if xml_only:
        sys.stdout.write(definition)
        return
    arguments = {
        "definition": definition,
        "preferred_owners": options.node_names(preferred_owners) or [],
        "possible_owners": options.node_names(possible_owners) or [],
        "start": start,
    }
    new = [image for image in images if image.size_gib]
    if what_if:
        _what_if(context, wish, arguments, new)
    else:
        _create(context, arguments, new, wait_s)


def _create(context: typer.Context, arguments: dict[str, object], new: Sequence[Image], wait_s: float | None) -> None:
    contact = client(context)
    contact.call(
        "vm.list", {"all": False}, type=list[dict[str, object]]
    )  # no disk is made where nobody would take the VM
    made: list[Image] = []
    try:
        for image in new:
            disk_image.make(image)
            made.append(image)
        if made:
            _protect(contact, arguments, what_if=True)
    except ControlError as error:
        raise ControlError(error.kind, f"{error}{_removed(made)}") from None
    try:
        report = _protect(contact, arguments, what_if=False)
    except ControlError as error:
        raise ControlError(error.kind, f"{error}{_left(made)}") from None
    ended = protecting.settled(context, contact, report, wait_s)
    if wants_json(context):
        output.json(report)
        return
    for image in made:
        output.line(f"{image.path} is made: {image.size_gib:g} GiB, {image.format}")
    protecting.show_done(report, ended)


def _protect(contact: Client, arguments: dict[str, object], *, what_if: bool) -> ProtectReport:
    asked = {**arguments, "what_if": what_if}
    return contact.call("vm.protect", asked, type=ProtectReport, timeout_s=protecting.PROTECT_S)


def _removed(made: Sequence[Image]) -> str:
    """What was only asked, and not yet wanted, has written nothing: no VM has these disks."""
    for image in made:
        Path(image.path).unlink(missing_ok=True)
    return f". What was made for it is removed again: {_paths(made)}" if made else ""


def _left(made: Sequence[Image]) -> str:
    """A wish that failed may be written down all the same, now or in a moment; then a VM has these disks."""
    return f". Its new disk stays there: {_paths(made)}; see outlast vm list before you remove it" if made else ""


def _paths(made: Sequence[Image]) -> str:
    return ", ".join(image.path for image in made)


def _what_if(
    context: typer.Context, wish: virt_install.Wish, arguments: dict[str, object], new: Sequence[Image]
) -> None:
    """The nodes look for its disks, so they can be asked only when all are there."""
    if not new:
        protecting.show_what_if(context, _protect(client(context), arguments, what_if=True))
        return
    report = ProtectReport(
        name=wish.name,
        identity="",
        owner="",
        wanted="online" if arguments["start"] else "offline",
        done=False,
        nodes={},
        disks=tuple(image.path for image in wish.images),
    )
    if wants_json(context):
        output.json(report)
        return
    for image in new:
        output.line(f"{image.path} would be made: {image.size_gib:g} GiB, {image.format}")
    output.line(f"{named(wish.name)} would be protected; it would be {report.wanted}. Nothing was changed.")
    output.line(Cell("which nodes could run it can be said only when its disks are there", "dim"))


def _network(text: str) -> tuple[str, str]:
    """("bridge" | "network", name)"""
    kind, separator, name = text.partition("=")
    if kind not in ("bridge", "network") or not separator or not name or "," in name:
        raise ControlError("usage", f'cannot use --network "{text}": it takes bridge=NAME or network=NAME')
    return kind, name


def _one_of(option: str, word: str, words: Sequence[str]) -> str:
    if word not in words:
        raise ControlError("usage", f'cannot use {option} "{word}": it takes {" or ".join(words)}')
    return word


def _best_kind() -> str:
    return "kvm" if os.access(KVM, os.R_OK | os.W_OK) else "qemu"
