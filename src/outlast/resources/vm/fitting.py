"""Could the hypervisor of a node run this definition: its machine type, its CPU, its firmware, so many processors?

Decided from what libvirt there says (`hypervisor.py` asks it). A node is refused only for what would certainly fail
there: whether libvirt compares the CPU before a start depends on the definition, and so it does here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from outlast.resources.vm import definition

CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Wants:
    """What a definition asks of the hypervisor."""

    kind: str
    """"kvm", or "qemu": plain emulation."""
    emulator: str = ""
    arch: str = ""
    machine: str = ""
    vcpus: int = 1
    firmware: str = ""
    """What libvirt is to look for: "efi"; empty: what the definition names, or the emulator's own."""
    cpu_mode: str = ""
    """Empty: the emulator's default CPU."""
    cpu_model: str = ""
    cpu_xml: str = ""
    only_this_model: bool = False
    """libvirt takes no other one in its place where the emulator does not have it."""
    compared: bool = False
    """libvirt starts it only where the hypervisor has all that this CPU needs."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What libvirt's domain capabilities say of one emulator, architecture and machine type."""

    emulator: str
    machine: str
    max_vcpus: int
    """0: not told."""
    firmware: frozenset[str] | None
    """Kinds that libvirt finds by itself; None: not told."""
    cpu_modes: frozenset[str]
    """Those that are possible."""
    cpu_models: frozenset[str]
    """Those that the emulator has and libvirt knows, whether they are usable or not."""


def wants(root: ElementTree.Element) -> Wants:
    cpu, kind = root.find("cpu"), root.find("os/type")
    os, model = root.find("os"), root.find("cpu/model")
    name = definition.cpu(root)
    mode = "" if cpu is None or not name else cpu.get("mode", CUSTOM)
    virt = root.get("type", "")
    return Wants(
        kind=virt,
        emulator=(root.findtext("devices/emulator") or "").strip(),
        arch="" if kind is None else kind.get("arch", ""),
        machine=definition.machine(root),
        vcpus=int(root.findtext("vcpu") or 1),
        firmware="" if os is None else os.get("firmware", ""),
        cpu_mode=mode,
        cpu_model=name if mode == CUSTOM else "",
        cpu_xml=ElementTree.tostring(cpu, encoding="unicode") if cpu is not None and mode else "",
        only_this_model=model is not None and model.get("fallback") == "forbid",
        compared=cpu is not None and _compared(cpu, mode, virt),
    )


def _compared(cpu: ElementTree.Element, mode: str, kind: str) -> bool:
    """As libvirt fills in what is left open (its documentation of the attribute `check`): a model is compared only
    where KVM is to run it."""
    check = cpu.get("check", "")
    if not check:
        return mode == CUSTOM and kind == "kvm"
    return mode == CUSTOM and check in ("partial", "full")


def offers(capabilities: str) -> Offers:
    """Of libvirt's domain capabilities (XML)."""
    root = ElementTree.fromstring(capabilities)
    vcpu, firmware = root.find("vcpu"), root.find("os/enum[@name='firmware']")
    modes = root.findall("cpu/mode")
    return Offers(
        emulator=(root.findtext("path") or "").strip(),
        machine=(root.findtext("machine") or "").strip(),
        max_vcpus=0 if vcpu is None else int(vcpu.get("max", "0")),
        firmware=None if firmware is None else frozenset(value.text or "" for value in firmware.iterfind("value")),
        cpu_modes=frozenset(mode.get("name", "") for mode in modes if mode.get("supported") == "yes"),
        cpu_models=frozenset(model.text or "" for model in root.iterfind("cpu/mode[@name='custom']/model")),
    )


def problems(wanted: Wants, there: Offers, known_models: frozenset[str], incompatible: str) -> Iterator[str]:
    """Why it could not be started there, for people. `known_models`: that libvirt itself knows for the architecture;
    empty: it has no list. `incompatible`: why the hypervisor cannot give this CPU, in libvirt's words; empty: it
    did not say so."""
    if there.max_vcpus and wanted.vcpus > there.max_vcpus:
        most = f"the machine type {there.machine} here has at most {there.max_vcpus}"
        yield f"it has {wanted.vcpus} virtual processors, and {most}"
    if wanted.firmware and there.firmware is not None and wanted.firmware not in there.firmware:
        yield f'libvirt finds no firmware "{wanted.firmware}" for guests here'
    yield from _cpu(wanted, there, known_models, incompatible)


def _cpu(wanted: Wants, there: Offers, known_models: frozenset[str], incompatible: str) -> Iterator[str]:
    model, means = wanted.cpu_model, "KVM" if wanted.kind == "kvm" else "plain emulation"
    if wanted.cpu_mode and wanted.cpu_mode not in there.cpu_modes:
        yield f'the CPU mode "{wanted.cpu_mode}" is not possible here with {means}'
    elif model and known_models and model not in known_models:
        yield f'libvirt here knows no CPU model "{model}"'
    elif model and wanted.only_this_model and model not in there.cpu_models:
        yield f'the emulator {there.emulator} has no CPU model "{model}", and the definition allows no other'
    elif model and wanted.compared and incompatible:
        yield f'the CPU model "{model}" is not possible here with {means}: {incompatible}'


def unknown_machine(wanted: Wants, emulator: str) -> str:
    return f'the emulator {emulator} here has no machine type "{wanted.machine}"'
