"""Which guests can a lab have?"""

import sys
from typing import Annotated

import typer

from outlast.cli.lab.opened import Name, opened, refuse

GuestName = Annotated[str, typer.Argument(metavar="NAME", help="The VM's name.")]
ImageLock = Annotated[bool, typer.Option("--image-lock/--no-image-lock", help="QEMU's lock on the disk image.")]
Local = Annotated[
    str, typer.Option("--local", metavar="NODE", help="Put the disk on this node, where the others cannot see it.")
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write the XML there instead.")]


def beacon(
    guest_name: GuestName, image_lock: ImageLock = True, local: Local = "", output: Output = "", name: Name = "lab"
) -> None:
    """A boot sector that says who runs: writes its disk (to the shared storage), prints its domain XML."""
    with opened(name) as lab:
        _need_directory(output)
        _write(lab.create_guest("beacon", guest_name, image_lock=image_lock, on_node=local), output)


def linux(
    guest_name: GuestName, image_lock: ImageLock = True, local: Local = "", output: Output = "", name: Name = "lab"
) -> None:
    """A small Linux with power button and guest agent: writes its disk, prints its domain XML."""
    with opened(name) as lab:
        _need_directory(output)
        _write(lab.create_guest("linux", guest_name, image_lock=image_lock, on_node=local), output)


def _need_directory(output: str) -> None:
    """Asked before the guest's disk is made, so that the same command works when the path is mended."""
    from pathlib import Path

    if output and not Path(output).parent.is_dir():
        refuse(2, f"cannot write {output}: there is no directory {Path(output).parent}")


def _write(xml: str, output: str) -> None:
    if output:
        from pathlib import Path

        try:
            Path(output).write_text(xml)
        except OSError as error:
            refuse(2, f"cannot write {output}: {error.strerror}; the guest is made, and this is its definition:\n{xml}")
    else:
        sys.stdout.write(xml)
