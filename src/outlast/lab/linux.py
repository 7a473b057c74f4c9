"""The linux guest: how is one made? For what a beacon cannot show: the power button, the guest agent, migration.

Debian's cloud kernel with a file system in memory of our own: busybox, the guest agent with its libraries, the few
modules that it takes. Nothing is downloaded: all of it is on a host that can run a lab.
"""

import os
import re
import shutil
import stat
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from outlast.lab import disk, layout, requirements
from outlast.lab.errors import LabError, NotPossibleNow, WrongInput
from outlast.lab.layout import LabPaths

DISK_BYTES = 1024 * 1024
MODULES = ("virtio_pci", "virtio_console", "virtio_blk", "button", "evdev", "pvpanic-mmio")
# Everything here is to get to the first process sooner; a processor that is emulated has no flaw to work around.
COMMAND_LINE = (
    "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check "
    "8250.nr_uarts=1 random.trust_cpu=on cryptomgr.notests rcupdate.rcu_expedited=1"
)


def domain_xml(lab: LabPaths, name: str, image: Path, *, image_lock: bool = True, vm_uuid: str = "") -> str:
    shareable = "" if image_lock else "\n      <shareable/>"
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{vm_uuid or uuid.uuid4()}</uuid>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{lab.guests / "vmlinuz"}</kernel>
    <initrd>{lab.guests / "initrd"}</initrd>
    <cmdline>{COMMAND_LINE} outlast.name={name}</cmdline>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='{image}'/>
      <target dev='vda' bus='virtio'/>{shareable}
    </disk>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'>
      <source path='{layout.GUEST_LOGS}/{name}.log' append='on'/>
    </serial>
    <panic model='isa'/>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
  </devices>
</domain>
"""


def create(lab: LabPaths, name: str, *, image_lock: bool = True, on_node: str = "") -> str:
    """Writes the disk, to the shared storage or to the one node's own, and returns the domain's XML."""
    layout.check_guest_name(name)
    build(lab)
    image, seen_as = layout.guest_image(lab, name, on_node)
    if image.exists():
        raise WrongInput(f"cannot make the guest {name}: its disk {image} exists already")
    image.write_bytes(bytes(DISK_BYTES))
    return domain_xml(lab, name, seen_as, image_lock=image_lock)


def build(lab: LabPaths) -> None:
    """Kernel and file system go into the lab's directory, where every node sees them."""
    if (lab.guests / "initrd").exists():
        return
    requirements.refuse_missing(requirements.FOR_THE_LINUX_GUEST, "make a linux guest")
    version = _newest_kernel()
    shutil.copy(f"/boot/vmlinuz-{version}", lab.guests / "vmlinuz")
    new = lab.guests / "initrd.new"
    new.write_bytes(_file_system(Path(f"/lib/modules/{version}")))
    new.rename(lab.guests / "initrd")


def _newest_kernel() -> str:
    versions = [path.name.removeprefix("vmlinuz-") for path in Path("/boot").glob("vmlinuz-*-cloud-*")]
    usable = [version for version in versions if Path(f"/lib/modules/{version}").is_dir()]
    if not usable:
        raise NotPossibleNow(
            "cannot make a linux guest: there is no cloud kernel in /boot; install one with: "
            "apt install --no-install-recommends linux-image-cloud-amd64"
        )
    return max(usable, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])


def _file_system(modules: Path) -> bytes:
    files = {"init": disk.files() / "linux-init.sh", "bin/busybox": Path("/usr/bin/busybox")}
    if not files["bin/busybox"].exists():
        files["bin/busybox"] = Path("/bin/busybox")
    for path in [Path("/usr/sbin/qemu-ga"), *_libraries(Path("/usr/sbin/qemu-ga"))]:
        files[str(path).lstrip("/")] = path
    order = load_order((modules / "modules.dep").read_text(), MODULES)
    files |= {f"modules/{os.path.basename(module)}": modules / module for module in order}
    archive = Archive()
    for name, source in sorted(files.items()):
        archive.add_file(name, source.read_bytes())
    archive.add_file("modules/order", "\n".join(map(os.path.basename, order)).encode())
    archive.add_device("dev/console", 5, 1)
    return archive.finish()


def load_order(dependencies: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """From depmod's file: each module after all that it needs. What is not listed is built into the kernel."""
    needs = dict(line.split(":", 1) for line in dependencies.splitlines() if ":" in line)
    paths = {os.path.basename(path).partition(".")[0]: path for path in needs}
    order: dict[str, None] = {}
    for name in wanted:
        if name in paths:
            order |= dict.fromkeys([*reversed(needs[paths[name]].split()), paths[name]])
    return tuple(order)


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"cannot find the libraries of {program}: {done.stderr.strip()}")
    return [Path(found) for found in re.findall(r"(?:=> |^\s+)(/\S+) \(", done.stdout, re.MULTILINE)]


class Archive:
    """A cpio archive ("newc"), as the kernel unpacks it. Not compressed: that would cost more time than it saves."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0
        self._directories = {""}

    def add_file(self, name: str, content: bytes) -> None:
        self._add_directory(os.path.dirname(name))
        self._add(name, stat.S_IFREG | 0o755, content)

    def add_device(self, name: str, major: int, minor: int) -> None:
        self._add_directory(os.path.dirname(name))
        self._add(name, stat.S_IFCHR | 0o600, b"", major, minor)

    def finish(self) -> bytes:
        self._add("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _add_directory(self, name: str) -> None:
        if name not in self._directories:
            self._add_directory(os.path.dirname(name))
            self._directories.add(name)
            self._add(name, stat.S_IFDIR | 0o755, b"")

    def _add(self, name: str, mode: int, content: bytes, major: int = 0, minor: int = 0) -> None:
        self._count += 1
        fields = (self._count, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        self._parts += [header + bytes(-len(header) % 4), content + bytes(-len(content) % 4)]
