"""Is this machine a virtual one? Then its watchdog counts its time, which stands still while it is paused.

QEMU's watchdogs (i6300esb, iTCO) run on QEMU_CLOCK_VIRTUAL, and a paused guest's own clocks stand still as well: when
it goes on, neither its permit nor its watchdog has noticed anything, and the others have long taken the watchdog's
word. A timer of its kernel (softdog) is no better.

The sources are those of systemd-detect-virt(1): the processor, the firmware, the device tree. A hypervisor that hides
from all of them is not found.
"""

from pathlib import Path

PLAYED = ("i6300ESB timer", "xen_wdt")
"""Identities of devices that only hypervisors have. (Intel's own 6300ESB is from 2003, before processors ran VMs.)"""

_MAKERS = (
    "QEMU",
    "KVM",
    "OpenStack",
    "KubeVirt",
    "VMware",
    "VMW",
    "innotek GmbH",
    "Xen",
    "Bochs",
    "Parallels",
    "BHYVE",
)
_PRODUCTS = ("VirtualBox", "Virtual Machine", "Google Compute Engine", "Apple Virtualization", "Hyper-V")
_FIELDS = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "product_version")
_EC2 = "Amazon EC2"


def hypervisor(root: Path = Path("/")) -> str:
    """Who says that this machine is virtual, for people; "" when nobody does. `root`: where /proc and /sys are."""
    return (
        _by_processor(_read(root / "proc/cpuinfo"))
        or _by_firmware(root / "sys/class/dmi/id")
        or _by_kernel(root)
        or _by_device_tree(root / "proc/device-tree")
    )


def _by_processor(cpuinfo: str) -> str:
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return "its processor says that a hypervisor is present" if "hypervisor" in flags.split() else ""


def _by_firmware(dmi: Path) -> str:
    for value in (_read(dmi / field) for field in _FIELDS):
        if value.startswith((*_MAKERS, *_PRODUCTS)):
            return f"its firmware calls it {value}"
    metal = ".metal" in _read(dmi / "product_name")
    return f"its firmware calls it {_EC2}" if _read(dmi / "sys_vendor").startswith(_EC2) and not metal else ""


def _by_kernel(root: Path) -> str:
    kind = _read(root / "sys/hypervisor/type")
    if kind:
        return f"its kernel runs under {kind}"
    # s390x: "VM00 Control Program: KVM/Linux"
    above = next((line for line in _read(root / "proc/sysinfo").splitlines() if line.startswith("VM00 Control")), "")
    return f"its kernel runs under {above.partition(':')[2].strip()}" if above else ""


def _by_device_tree(tree: Path) -> str:
    above = _read(tree / "hypervisor/compatible")
    if above:
        return f"its device tree names {above}"
    made_for = _read(tree / "compatible")
    return f"its device tree is for {made_for}" if made_for.startswith(("linux,dummy-virt", "qemu,")) else ""


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
