"""The smallest guest that has manners: a boot sector that sleeps, and switches itself off when asked to by ACPI."""

import uuid
from pathlib import Path

_CODE = bytes.fromhex(
    "fb"  # sti
    "ba0206 b80001 ef"  # mov dx, 0x602; mov ax, 0x100; out dx, ax    tell ACPI that we listen to the power button
    "f4"  # hlt                                                       (until the next tick, 18 a second)
    "ba0006 ed"  # mov dx, 0x600; in ax, dx
    "f6c401 74f6"  # test ah, 1; jz hlt                               was it pressed?
    "ba0406 b80020 ef"  # mov dx, 0x604; mov ax, 0x2000; out dx, ax   off
    "ebed"  # jmp hlt
)
_XML = """<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
    </disk>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <serial type='pty'/>
  </devices>
</domain>
"""


def write_disk(path: Path) -> None:
    path.write_bytes((_CODE.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))


def definition(name: str, disk: Path, identity: str = "") -> str:
    return _XML.format(name=name, uuid=identity or uuid.uuid4(), disk=disk)
