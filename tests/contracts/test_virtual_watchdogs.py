"""A virtual machine's watchdog stands still while that is paused: is it called what it is, on machines of all kinds?"""

from pathlib import Path

import pytest
from watchdog_contract import described

from outlast.adapters.watchdog import chosen
from outlast.adapters.watchdog.device import DeviceWatchdog
from outlast.adapters.watchdog.virtual import PLAYED, hypervisor
from outlast.model.watchdog import Strength


def machine(place: Path, **files: str) -> Path:
    """What the kernel tells of the machine. `files`: their paths, with "__" for "/"."""
    files = {"proc__cpuinfo": "processor\t: 0\nflags\t\t: fpu vme sse2 vmx\n", **files}
    for path, text in files.items():
        file = place / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return place


METAL = {"sys__class__dmi__id__sys_vendor": "Dell Inc.\n", "sys__class__dmi__id__product_name": "PowerEdge R660\n"}
EC2_METAL = {"sys__class__dmi__id__sys_vendor": "Amazon EC2\n", "sys__class__dmi__id__product_name": "m5.metal\n"}
VIRTUAL = {
    "processor": {"proc__cpuinfo": "flags\t\t: fpu sse2 hypervisor lahf_lm\n"},
    "QEMU": {"sys__class__dmi__id__sys_vendor": "QEMU\n"},
    "VMware": {"sys__class__dmi__id__sys_vendor": "VMware, Inc.\n"},
    "Hyper-V": {
        "sys__class__dmi__id__sys_vendor": "Microsoft Corporation\n",
        "sys__class__dmi__id__product_name": "Virtual Machine\n",
    },
    "EC2": {"sys__class__dmi__id__sys_vendor": "Amazon EC2\n", "sys__class__dmi__id__product_name": "m5.large\n"},
    "Xen": {"sys__hypervisor__type": "xen\n"},
    "s390x": {"proc__sysinfo": "Manufacturer: IBM\nVM00 Control Program: KVM/Linux\n"},
    "arm64": {"proc__device-tree__compatible": "linux,dummy-virt\0"},
    "ppc64": {"proc__device-tree__hypervisor__compatible": "linux,kvm\0"},
}


@pytest.mark.parametrize("files", VIRTUAL.values(), ids=VIRTUAL)
def test_a_virtual_machine_is_recognised_and_its_devices_are_called_what_they_are(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert hypervisor(machine(tmp_path, **files))
    watchdog = chosen("device:/dev/watchdog", tmp_path, tmp_path)
    assert watchdog is not None
    assert watchdog.strength is Strength.VIRTUAL


@pytest.mark.parametrize("files", [{}, METAL, EC2_METAL], ids=["nothing", "metal", "EC2 metal"])
def test_a_machine_of_its_own_is_not_taken_for_a_virtual_one(tmp_path: Path, files: dict[str, str]) -> None:
    assert hypervisor(machine(tmp_path, **files)) == ""
    watchdog = chosen("device:/dev/watchdog", tmp_path, tmp_path)
    assert watchdog is not None
    assert watchdog.strength is Strength.HARDWARE


def test_a_timer_of_a_virtual_machines_kernel_stands_still_with_it_as_well(tmp_path: Path) -> None:
    sysfs = described(tmp_path, identity="Software Watchdog")
    watchdog = DeviceWatchdog("/dev/null", tmp_path / "counts", sysfs, hypervisor="its processor says so")
    watchdog.length_s(2.0)
    assert watchdog.strength is Strength.VIRTUAL


@pytest.mark.parametrize("identity", PLAYED)
def test_a_device_that_only_hypervisors_have_is_virtual_whatever_the_machine_says(
    tmp_path: Path, identity: str
) -> None:
    watchdog = DeviceWatchdog("/dev/null", tmp_path / "counts", described(tmp_path, identity=identity))
    watchdog.length_s(2.0)
    assert watchdog.strength is Strength.VIRTUAL
