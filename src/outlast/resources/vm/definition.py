"""What does a domain XML say that the cluster needs to know?

The definition is libvirt's own XML, kept as it was given; nothing is changed in it but a missing UUID, which is added,
because the UUID is what makes a VM the same VM on every node. Whatever is wrong with it is said before anything starts.
"""

import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from outlast.plugin import Features, Json, Refusal
from outlast.resources.vm import host_devices

DOMAIN_TYPES = ("kvm", "qemu")
_AGENT_CHANNEL = "org.qemu.guest_agent.0"
_QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
_NO_NETWORK = "none: an earlier start is not answered yet, so only the cluster starts it"
"""There is no network of this name; it is what libvirt says to who starts it by hand."""
_MIB_PER_UNIT = {
    "b": 1 / 2**20,
    "bytes": 1 / 2**20,
    "KB": 1000 / 2**20,
    "k": 1 / 2**10,
    "KiB": 1 / 2**10,
    "MB": 10**6 / 2**20,
    "M": 1.0,
    "MiB": 1.0,
    "GB": 10**9 / 2**20,
    "G": 2.0**10,
    "GiB": 2.0**10,
    "TB": 10**12 / 2**20,
    "T": 2.0**20,
    "TiB": 2.0**20,
}


def parse(definition: str) -> dict[str, Json]:
    """Everything the cluster wants to know, with a definition that has a UUID. Raises `Refusal`, in words."""
    root = _root(definition)
    kind = root.get("type", "")
    if kind not in DOMAIN_TYPES:
        raise Refusal(f'the definition is for the hypervisor "{kind}"; this node runs {" and ".join(DOMAIN_TYPES)}')
    name = _text(root, "name")
    if not name:
        raise Refusal("the definition gives the VM no name; add <name>...</name>")
    if "/" in name:
        raise Refusal(f'libvirt allows no "/" in the name of a VM, as in "{name}"')
    found = list(disks(root))
    if not any(one["device"] in ("disk", "lun") for one in found):
        raise Refusal(f'the definition of "{name}" has no disk; add one that every node can see')
    given = _text(root, "uuid")
    identity = _uuid(given) if given else str(uuid.uuid4())
    return {
        "definition": definition if given else _with_uuid(root, identity),
        "identity": identity,
        "name": name,
        "type": kind,
        "disks": found,
        "networks": networks(root),
        "cpu": cpu(root),
        "host_devices": host_devices.keeping(root),
        "memory_mib": _memory_mib(root),
        "vcpus": int(_text(root, "vcpu") or 1),
    }


def features(definition: str) -> Features:
    """Of any definition, also of one that the cluster would not take."""
    try:
        root = _root(definition)
        return Features(
            _memory_mib(root),
            int(_text(root, "vcpu") or 1),
            tuple(str(one["path"]) for one in disks(root)),
            tuple(f"{kind}/{name}" for kind, name in interfaces(root)),
            machine(root),
            cpu(root),
            host_devices.keeping(root),
        )
    except (Refusal, ValueError):
        return Features()


def name_of(definition: str) -> str:
    return _text(_root(definition), "name")


def uuid_of(definition: str) -> str:
    given = _text(_root(definition), "uuid")
    return _uuid(given) if given else ""


@lru_cache(maxsize=256)
def on_crash(definition: str) -> str:
    """What libvirt does when the guest panics; libvirt's default is to end QEMU."""
    return _text(_root(definition), "on_crash") or "destroy"


@lru_cache(maxsize=256)
def on_poweroff(definition: str) -> str:
    """What libvirt does when the guest shuts down; libvirt's default is to end QEMU."""
    return _text(_root(definition), "on_poweroff") or "destroy"


@lru_cache(maxsize=256)
def has_agent(definition: str) -> bool:
    """Whether it has the channel that a guest agent would answer through."""
    return agent_state(definition) is not None


def agent_state(xml: str) -> bool | None:
    """Of a running VM: does its guest's agent answer? None: it has no channel for one."""
    for target in _root(xml).iterfind("devices/channel/target"):
        if target.get("name") == _AGENT_CHANNEL:
            return target.get("state") == "connected"
    return None


def disks(root: ElementTree.Element) -> Iterator[dict[str, Json]]:
    for element in root.iterfind("devices/disk"):
        yield disk(element)


def disk(element: ElementTree.Element) -> dict[str, Json]:
    """Path (or what stands for it), kind (file, block, network, volume ...), device (disk, cdrom ...), may others
    have it too, and does the VM only read it."""
    kind = element.get("type", "file")
    source = element.find("source")
    target = element.find("target")
    return {
        "path": _source_path(kind, source) if source is not None else "",
        "kind": kind,
        "device": element.get("device", "disk"),
        "target": target.get("dev", "") if target is not None else "",
        "shared": element.find("shareable") is not None or element.find("readonly") is not None,
        "readonly": element.find("readonly") is not None,
    }


def written_files(xml: str) -> list[str]:
    """The disks in files that it writes to."""
    found = disks(root_of(xml))
    return [str(one["path"]) for one in found if one["kind"] == "file" and one["path"] and not one["readonly"]]


def files(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """What it is, and the path: all that must exist on a node before the VM can start there."""
    if emulator := _text(root, "devices/emulator"):
        yield "the emulator", emulator
    for tag, words in (("kernel", "the kernel"), ("initrd", "the initial RAM disk"), ("dtb", "the device tree")):
        if path := _text(root, f"os/{tag}"):
            yield words, path
    loader = root.find("os/loader")
    if loader is not None and loader.text:
        yield "the firmware", loader.text.strip()
    nvram = root.find("os/nvram")
    if nvram is not None and (template := nvram.get("template")):
        yield "the template of the firmware's variables", template
    for one in disks(root):
        if one["kind"] in ("file", "block") and one["path"]:
            yield f"the {one['device']} {one['target']}".rstrip(), str(one["path"])


def interfaces(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Every network interface's other end."""
    for interface in root.iterfind("devices/interface"):
        if end := joined_to(interface):
            yield end


def joined_to(interface: ElementTree.Element) -> tuple[str, str] | None:
    """("network" | "bridge" | "device", name) of its other end."""
    source = interface.find("source")
    if source is None:
        return None
    match interface.get("type"):
        case "network":
            return "network", source.get("network", "")
        case "bridge":
            return "bridge", source.get("bridge", "")
        case "direct":
            return "device", source.get("dev", "")
    return None


def networks(root: ElementTree.Element) -> list[str]:
    """What its network adapters are joined to, as `model/network.py` has it."""
    return sorted({f"{kind}/{name}" for kind, name in interfaces(root) if name})


def machine(root: ElementTree.Element) -> str:
    """Its machine type; empty: the emulator's default."""
    kind = root.find("os/type")
    return "" if kind is None else kind.get("machine", "")


def cpu(root: ElementTree.Element) -> str:
    """The CPU model, or the mode in place of one; empty: the emulator's default."""
    found = root.find("cpu")
    mode = "" if found is None else found.get("mode", "custom")
    return _text(root, "cpu/model") if mode == "custom" else mode


def console(xml: str) -> dict[str, Json]:
    """How to reach a running VM's console, from its live XML."""
    root = _root(xml)
    serials = []
    for tag in ("serial", "console"):
        for device in root.iterfind(f"devices/{tag}"):
            source = device.find("source")
            path = source.get("path", "") if source is not None else ""
            serials.append({"kind": device.get("type", ""), "path": path})
    graphics = [
        {"kind": item.get("type", ""), "listen": item.get("listen", ""), "port": int(item.get("port", "-1"))}
        for item in root.iterfind("devices/graphics")
    ]
    return {"name": _text(root, "name"), "serial": serials, "graphics": graphics}


def screen(xml: str) -> tuple[str, int] | None:
    """Host and port of a running VM's VNC server, as they are reached from its own node, from its live XML."""
    for item in _root(xml).iterfind("devices/graphics"):
        port, listen = int(item.get("port", "-1")), item.get("listen", "")
        if item.get("type") == "vnc" and port > 0:
            return ("127.0.0.1" if listen in ("", "0.0.0.0") else "::1" if listen == "::" else listen), port
    return None


def inert(definition: str, name: str, identity: str) -> str:
    """The same VM with nothing in it that could start or touch its disks."""
    root = _root(definition)
    kind = root.find("os/type")
    machine = {} if kind is None else {key: kind.get(key, "") for key in ("arch", "machine") if kind.get(key)}
    made = ElementTree.Element("domain", {"type": root.get("type", "")})
    for tag, text in (("name", name), ("uuid", identity), ("memory", "1024")):
        ElementTree.SubElement(made, tag).text = text
    ElementTree.SubElement(ElementTree.SubElement(made, "os"), "type", machine).text = "hvm"
    devices = ElementTree.SubElement(made, "devices")
    if emulator := _text(root, "devices/emulator"):
        ElementTree.SubElement(devices, "emulator").text = emulator
    interface = ElementTree.SubElement(devices, "interface", {"type": "network"})
    ElementTree.SubElement(interface, "source", {"network": _NO_NETWORK})
    return ElementTree.tostring(made, encoding="unicode")


def is_inert(definition: str) -> bool:
    return any(name == _NO_NETWORK for _, name in interfaces(_root(definition)))


def root_of(definition: str) -> ElementTree.Element:
    return _root(definition)


def _root(definition: str) -> ElementTree.Element:
    if not definition.strip():
        raise Refusal("the VM has no definition; give its libvirt domain XML")
    try:
        builder = ElementTree.TreeBuilder(insert_comments=True)
        root = ElementTree.fromstring(definition, ElementTree.XMLParser(target=builder))
    except ElementTree.ParseError as error:
        raise Refusal(f"the definition is not well-formed XML: {error}") from error
    if root.tag != "domain":
        raise Refusal(f"the definition is no libvirt domain: it begins with <{root.tag}>, not with <domain>")
    return root


def _text(root: ElementTree.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise Refusal(f'the definition\'s UUID "{text}" is none; leave it out to get a new one') from error


def _with_uuid(root: ElementTree.Element, identity: str) -> str:
    ElementTree.register_namespace("qemu", _QEMU_NAMESPACE)
    element = ElementTree.Element("uuid")
    element.text = identity
    element.tail = "\n  "
    names = [child.tag for child in root]
    root.insert(names.index("name") + 1, element)
    return ElementTree.tostring(root, encoding="unicode")


def _source_path(kind: str, source: Any) -> str:
    match kind:
        case "file":
            return str(source.get("file", ""))
        case "block":
            return str(source.get("dev", ""))
        case "network":
            return f"{source.get('protocol', '')}:{source.get('name', '')}"
        case "volume":
            return f"{source.get('pool', '')}/{source.get('volume', '')}"
    return str(source.get("dir", ""))


def _memory_mib(root: ElementTree.Element) -> int:
    memory = root.find("memory")
    if memory is None or not (memory.text or "").strip():
        raise Refusal("the definition does not say how much memory the VM has; add <memory unit='MiB'>...</memory>")
    unit = memory.get("unit", "KiB")
    try:
        return max(1, round(int((memory.text or "").strip()) * _MIB_PER_UNIT[unit]))
    except (KeyError, ValueError) as error:
        raise Refusal(f'the definition\'s memory "{memory.text}" ({unit}) cannot be read') from error
