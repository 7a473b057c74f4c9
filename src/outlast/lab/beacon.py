"""The beacon guest, seen from the host: how is one made, and what do its disk and its serial log say?

The guest itself is files/beacon.s, which also describes the disk's layout. It starts in a few milliseconds, needs
1 MiB, and tells who runs on a disk: a boot id of its own for every start, and a note on the disk when it meets
another's id there.
"""

import struct
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from outlast.lab import disk, layout
from outlast.lab.errors import LabError, WrongInput
from outlast.lab.layout import LabPaths

SECTOR = 512
DISK_SECTORS = 256
NAME_AT = 472
NAME_LENGTH = 37
LAST, CLASH, JOURNAL, JOURNAL_LENGTH = 1, 2, 64, 64


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a beacon, as its disk tells: from one start to the last beat that was written."""

    boot_id: str
    boot_number: int
    beats: int
    from_time: str  # wall clock of the guest, hh:mm:ss
    to_time: str


@dataclass(frozen=True, slots=True)
class Clash:
    """A beacon found that somebody else had written to its disk since its last beat."""

    boot_id: str
    other_boot_id: str
    beat: int
    times: int


@dataclass(frozen=True, slots=True)
class BeaconDisk:
    name: str
    runs: tuple[Run, ...]  # in order of their starts, the last 64 and the present one
    clash: Clash | None


@dataclass(frozen=True, slots=True)
class Beat:
    """A line of the serial log."""

    name: str
    boot_id: str
    beat: int


def domain_xml(lab: LabPaths, name: str, image: Path, *, image_lock: bool = True, vm_uuid: str = "") -> str:
    """A plain libvirt domain. Without `image_lock`, QEMU's lock on the disk stops nobody (rule 5)."""
    shareable = "" if image_lock else "\n      <shareable/>"
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{vm_uuid or uuid.uuid4()}</uuid>
  <memory unit='KiB'>1024</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader readonly='yes' type='rom'>{lab.guests / "firmware.bin"}</loader>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='{image}'/>
      <target dev='hda' bus='ide'/>{shareable}
    </disk>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'>
      <source path='{layout.GUEST_LOGS}/{name}.log' append='on'/>
    </serial>
  </devices>
</domain>
"""


def create(lab: LabPaths, name: str, *, image_lock: bool = True, on_node: str = "") -> str:
    """Writes the disk, to the shared storage or to the one node's own, and returns the domain's XML."""
    layout.check_guest_name(name)
    if len(name) > NAME_LENGTH:
        raise WrongInput(f'cannot make a beacon of the name "{name}": {NAME_LENGTH} characters at most')
    build(lab)
    code = bytearray((lab.guests / "beacon.bin").read_bytes())
    code[NAME_AT : NAME_AT + len(name)] = name.encode()
    image, seen_as = layout.guest_image(lab, name, on_node)
    if image.exists():
        raise WrongInput(f"cannot make the beacon {name}: its disk {image} exists already")
    image.write_bytes(bytes(code) + bytes((DISK_SECTORS - 1) * SECTOR))
    return domain_xml(lab, name, seen_as, image_lock=image_lock)


def build(lab: LabPaths) -> None:
    """Assembles the boot sector and the firmware into the lab's directory, where every node sees them."""
    for program in ("beacon", "firmware"):
        target = lab.guests / f"{program}.bin"
        if not target.exists():
            assemble(disk.files() / f"{program}.s", target)


def assemble(source: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        relocatable, binary = Path(directory) / "o", Path(directory) / "bin"
        for command in (
            ["as", "--32", "-o", str(relocatable), str(source)],
            ["objcopy", "-O", "binary", "-j", ".text", str(relocatable), str(binary)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"cannot assemble {source.name}: {done.stderr.strip()}")
        new = target.with_suffix(".new")
        new.write_bytes(binary.read_bytes())
        new.rename(target)


def read_disk(path: Path) -> BeaconDisk:
    with path.open("rb") as file:
        content = file.read(DISK_SECTORS * SECTOR)
    if len(content) < DISK_SECTORS * SECTOR:
        raise LabError(f"{path} is no beacon's disk: it is too short")
    name = content[NAME_AT : NAME_AT + NAME_LENGTH].split(b"\0")[0].decode(errors="replace")
    journal = [_run(_sector(content, JOURNAL + number)) for number in range(JOURNAL_LENGTH)]
    runs = [run for run in [*journal, _run(_sector(content, LAST))] if run]
    return BeaconDisk(name, tuple(sorted(runs, key=lambda run: run.boot_number)), _clash(_sector(content, CLASH)))


def last_writer(path: Path) -> Run | None:
    """The run that wrote the disk's last beat, and which that was; None when it cannot be told."""
    try:
        with path.open("rb") as file:
            file.seek(LAST * SECTOR)
            return _run(file.read(SECTOR).ljust(SECTOR, b"\0"))
    except FileNotFoundError:
        return None


def read_log(path: Path) -> tuple[Beat, ...]:
    """Lines that are not whole (a power cut in the middle of one) are left out."""
    beats = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        words = line.decode(errors="replace").split()
        if len(words) == 3 and len(words[1]) == len(words[2]) == 8:
            beats.append(Beat(words[0], words[1], int(words[2], 16)))
    return tuple(beats)


def _sector(content: bytes, number: int) -> bytes:
    return content[number * SECTOR : (number + 1) * SECTOR]


def _run(sector: bytes) -> Run | None:
    magic, boot_id, beats, boot_number = struct.unpack_from("<4sIII", sector)
    if magic != b"OUTL":
        return None
    return Run(f"{boot_id:08X}", boot_number, beats, _time(sector[16:19]), _time(sector[20:23]))


def _clash(sector: bytes) -> Clash | None:
    magic, boot_id, other, beat, times = struct.unpack_from("<4sIIII", sector)
    return Clash(f"{boot_id:08X}", f"{other:08X}", beat, times) if magic == b"CLSH" else None


def _time(bcd: bytes) -> str:
    return ":".join(f"{value:02x}" for value in bcd)
