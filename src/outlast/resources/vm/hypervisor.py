"""What does libvirt here say of its hypervisor? Each is one call that reads what the daemon keeps in memory."""

from typing import Any

import libvirt

from outlast.resources.vm import fitting
from outlast.resources.vm.connection import is_loss
from outlast.resources.vm.fitting import Offers, Wants


def problems(conn: Any, wanted: Wants) -> list[str]:
    """Why it could not be started here, for people. Raises what says that the connection is lost."""
    try:
        there = _offers(conn, wanted, wanted.machine)
    except libvirt.libvirtError as error:
        if is_loss(error):
            raise
        return [_refused(conn, wanted, error)]
    if not wanted.cpu_model:
        return list(fitting.problems(wanted, there, frozenset(), ""))
    return list(fitting.problems(wanted, there, _known_models(conn, wanted), _incompatible(conn, wanted)))


def _offers(conn: Any, wanted: Wants, machine: str) -> Offers:
    emulator, arch = wanted.emulator or None, wanted.arch or None
    return fitting.offers(conn.getDomainCapabilities(emulator, arch, machine or None, wanted.kind))


def _refused(conn: Any, wanted: Wants, error: libvirt.libvirtError) -> str:
    """Is it the machine type? Then the emulator has others."""
    if wanted.machine:
        try:
            return fitting.unknown_machine(wanted, _offers(conn, wanted, "").emulator)
        except libvirt.libvirtError:
            pass
    return f"libvirt here could not run it: {_plain(error)}"


def _known_models(conn: Any, wanted: Wants) -> frozenset[str]:
    try:
        return frozenset(conn.getCPUModelNames(wanted.arch or conn.getInfo()[0]))
    except libvirt.libvirtError:
        return frozenset()


def _incompatible(conn: Any, wanted: Wants) -> str:
    """What the same comparison says that libvirt makes before a start; "" also where it knows none, as for most
    architectures."""
    if not wanted.compared:
        return ""
    flags = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    emulator, arch, machine = wanted.emulator or None, wanted.arch or None, wanted.machine or None
    try:
        conn.compareHypervisorCPU(emulator, arch, machine, wanted.kind, wanted.cpu_xml, flags)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            return _plain(error)
    return ""


def _plain(error: libvirt.libvirtError) -> str:
    """On one line (it may repeat what QEMU printed), and without the name of its kind, which says the same again."""
    return " ".join(str(error.get_str2() or error).split())
