"""What can be asked about VMs on this node that is not about one open resource?

`list`, `inspect` and `parse` read; `check` says whether this node could run a definition; `disks` which disks it sees
there, and of block devices which they are; `networks` which links libvirt's networks are here; the probes put a token
beside a disk and read it on another node, which proves that both see the same directory and not only the same path.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import libvirt

from outlast.plugin import INQUIRE, MIGRATE, OWN_WITNESS, SAVE, STAND_STILL, Json, Refusal
from outlast.resources.vm import definition, devices, fitting, host_devices, hypervisor, networks, states
from outlast.resources.vm.connection import Connection, NoAnswer
from outlast.resources.vm.looking import look

_ASK_S = 5.0
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")

STATE_NAMES = {
    libvirt.VIR_DOMAIN_NOSTATE: "unknown",
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "shutting down",
    libvirt.VIR_DOMAIN_SHUTOFF: "off",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "asleep",
}

Arguments = Mapping[str, Json]


def carry_out(connection: Connection, verb: str, arguments: Arguments) -> Json:
    """Raises `Refusal`, also when libvirt does not answer."""
    action = _VERBS.get(verb)
    if action is None:
        raise Refusal(f'the type "vm" has no function "{verb}"; it has: {", ".join(_VERBS)}')
    try:
        return action(connection, arguments)
    except NoAnswer as error:
        raise Refusal(f'cannot carry out "{verb}": {error}') from error


def _list(connection: Connection, arguments: Arguments) -> Json:
    def ask(conn: Any) -> list[Json]:
        return [
            {
                "name": domain.name(),
                "uuid": domain.UUIDString(),
                "state": STATE_NAMES.get(stats.get("state.state"), "unknown"),
                "running": states.is_active(stats.get("state.state", 0)),
                "persistent": bool(domain.isPersistent()),
            }
            for domain, stats in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
        ]

    return sorted(connection.ask(ask, _ASK_S), key=lambda vm: str(vm["name"]))


def _inspect(connection: Connection, arguments: Arguments) -> Json:
    name = _argument(arguments, "name")

    def ask(conn: Any) -> tuple[str, bool, bool, bool]:
        domain = _lookup(conn, name)
        persistent = bool(domain.isPersistent())
        flags = libvirt.VIR_DOMAIN_XML_SECURE
        if persistent:
            flags |= libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
        autostart = bool(domain.autostart()) if persistent else False
        return domain.XMLDesc(flags), bool(domain.isActive()), persistent, autostart

    xml, running, persistent, autostart = connection.ask(ask, _ASK_S)
    found = definition.parse(xml)
    paths = [_with_volume_path(connection, disk) for disk in found["disks"]]
    return {**found, "disks": paths, "running": running, "persistent": persistent, "autostart": autostart}


def _screen(connection: Connection, arguments: Arguments) -> Json:
    """Where a VM that runs here has its screen: host and port of its VNC server."""
    name = _argument(arguments, "name")
    found = definition.screen(connection.ask(lambda conn: str(_lookup(conn, name).XMLDesc(0)), _ASK_S))
    if found is None:
        raise Refusal("it has no VNC server with a port; <graphics type='vnc'/> in its definition gives it one")
    host, port = found
    return {"host": host, "port": port}


def _parse(connection: Connection, arguments: Arguments) -> Json:
    return definition.parse(_argument(arguments, "definition"))


def _check(connection: Connection, arguments: Arguments) -> Json:
    """Why this node could not run it: a list of problems in words, empty when it could."""
    xml = _argument(arguments, "definition")
    parsed = definition.parse(xml)
    root = definition.root_of(xml)
    problems = [*_missing_files(root), *_missing_links(root), *host_devices.missing(root, Path("/"))]
    usable = parsed["type"] != "kvm" or os.access("/dev/kvm", os.R_OK | os.W_OK)
    if not usable:
        problems.append("this node has no usable /dev/kvm, and the definition asks for KVM")
    wants = fitting.wants(root)
    # What follows from another reason that is told is not told as well.
    usable = usable and (not wants.emulator or os.path.exists(wants.emulator))

    def ask(conn: Any) -> list[str]:
        return [*_conflicts(conn, parsed, root), *(hypervisor.problems(conn, wants) if usable else ())]

    try:
        problems += connection.ask(ask, _ASK_S)
    except NoAnswer as error:
        problems.append(str(error))
    return problems


def _missing_files(root: Any) -> Iterator[str]:
    for words, path in definition.files(root):
        if not os.path.isabs(path):
            yield f"{words} is given by a path that does not begin with /: {path}"
        elif not look(path, partial(os.path.exists, path)):
            yield f"{words} is not there: {path}"


def _missing_links(root: Any) -> Iterator[str]:
    for kind, name in definition.interfaces(root):
        if kind != "network" and not os.path.exists(f"/sys/class/net/{name}"):
            yield f'the {kind} "{name}" of a network interface does not exist'


def _conflicts(conn: Any, parsed: Mapping[str, Json], root: Any) -> Iterator[str]:
    for domain in conn.listAllDomains():
        same_name, same_uuid = domain.name() == parsed["name"], domain.UUIDString() == parsed["identity"]
        if same_name and not same_uuid:
            yield f'another VM here has the name "{domain.name()}" (UUID {domain.UUIDString()})'
        elif same_uuid and not same_name:
            yield f'another VM here has the UUID {parsed["identity"]}: "{domain.name()}"'
    for kind, name in definition.interfaces(root):
        if kind == "network" and (why := networks.problem(conn, name)):
            yield why
    for disk in parsed["disks"]:
        if disk["kind"] == "volume" and not _volume_path(conn, disk["path"]):
            yield f"the storage volume {disk['path']} does not exist"


def _volume_path(conn: Any, pool_and_volume: str) -> str:
    pool, _, volume = pool_and_volume.partition("/")
    try:
        return str(conn.storagePoolLookupByName(pool).storageVolLookupByName(volume).path())
    except libvirt.libvirtError:
        return ""


def _with_volume_path(connection: Connection, disk: Mapping[str, Json]) -> Mapping[str, Json]:
    """A storage volume's path as well, so that the other nodes can be asked whether they see it."""
    if disk["kind"] != "volume":
        return disk
    path = connection.ask(lambda conn: _volume_path(conn, disk["path"]), _ASK_S)
    return {**disk, "path": path or disk["path"]}


def _disks(connection: Connection, arguments: Arguments) -> Json:
    """Each disk that has a place on the node (`core/placement/same_disk.py` has the fields)."""
    found = []
    for disk in definition.disks(definition.root_of(_argument(arguments, "definition"))):
        if disk["kind"] in ("file", "block", "volume") and disk["path"]:
            path = str(_with_volume_path(connection, disk)["path"])
            written = disk["device"] in ("disk", "lun") and not disk["readonly"]
            seen = look(path, partial(_seen, path))
            found.append({"source": disk["path"], "path": path, "written": written, **seen})
    return found


def _seen(path: str) -> dict[str, Json]:
    if not os.path.isabs(path) or not os.path.exists(path):
        return {"there": False}
    block = devices.is_block(path)
    return {"there": True, "block": block, "ids": devices.identity(path) if block else {}}


def _networks(connection: Connection, arguments: Arguments) -> Json:
    """Which links libvirt's networks of these names are here, or why there is none."""
    names = [str(name) for name in arguments.get("names") or ()]
    return connection.ask(lambda conn: {name: networks.place_of(conn, name) for name in names}, _ASK_S)


def _read_disks(connection: Connection, arguments: Arguments) -> Json:
    """Why this node cannot read from the disks that this VM needs: a list, in words; empty when it can."""
    problems = []
    for disk in definition.disks(definition.root_of(_argument(arguments, "definition"))):
        if disk["kind"] in ("file", "block", "volume") and disk["path"]:
            path = str(_with_volume_path(connection, disk)["path"])
            try:
                look(path, partial(devices.read_first_block, path))
            except (OSError, Refusal) as error:
                problems.append(f"the disk {path} does not answer: {error}")
    return problems


def _probe_write(connection: Connection, arguments: Arguments) -> Json:
    file = _probe_file(arguments)

    def write() -> None:
        # What is asked again, because the answer was long in coming, is the same probe once more: it is never cut short
        # meanwhile, for somebody may be reading it.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o644), "w") as out:
            out.write(_token(arguments))
            out.flush()
            os.fsync(out.fileno())  # On a network file system, the other nodes see it from here on.

    try:
        look(str(file), write)
    except OSError as error:
        raise Refusal(f"cannot write a probe beside the disk, in {file.parent}: {error.strerror}") from error
    return None


def _probe_read(connection: Connection, arguments: Arguments) -> Json:
    """True when this node sees the probe that another one wrote."""
    file = _probe_file(arguments)

    def read() -> bool:
        os.listdir(file.parent)  # Makes a network file system look again instead of trusting what it remembers.
        return file.read_text() == _token(arguments)

    try:
        return look(str(file), read)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Refusal(f"cannot read a probe beside the disk, in {file.parent}: {error.strerror}") from error


def _probe_clear(connection: Connection, arguments: Arguments) -> Json:
    file = _probe_file(arguments)
    try:
        look(str(file), partial(file.unlink, missing_ok=True))
    except OSError as error:
        raise Refusal(f"cannot remove the probe: {error.strerror}") from error
    return None


def _probe_file(arguments: Arguments) -> Path:
    path = Path(_argument(arguments, "path"))
    if not path.is_absolute():
        raise Refusal(f"the path of a disk begins with /, not so {path}")
    if str(path).startswith("/dev/") or look(str(path), path.is_block_device):
        raise Refusal(f"{path} is a block device: no file can stand beside it")
    return path.parent / f".outlast-probe-{_token(arguments)}"


def _token(arguments: Arguments) -> str:
    token = _argument(arguments, "token")
    if not _WORD.fullmatch(token):
        raise Refusal("a probe's token is at most 64 letters, digits, - and _")
    return token


def _lookup(conn: Any, name: str) -> Any:
    for find in (conn.lookupByName, conn.lookupByUUIDString):
        try:
            return find(name)
        except libvirt.libvirtError:
            continue
    raise Refusal(f'there is no VM "{name}" on this node; `virsh list --all` shows what there is')


def _argument(arguments: Arguments, key: str) -> str:
    value = arguments.get(key)
    if not isinstance(value, str) or not value:
        raise Refusal(f'the argument "{key}" is missing')
    return value


_VERBS: dict[str, Callable[[Connection, Arguments], Json]] = {
    "list": _list,
    "inspect": _inspect,
    "parse": _parse,
    "screen": _screen,
    "check": _check,
    "disks": _disks,
    "networks": _networks,
    "read_disks": _read_disks,
    "probe_write": _probe_write,
    "probe_read": _probe_read,
    "probe_clear": _probe_clear,
}
FUNCTIONS = (*_VERBS, "console", MIGRATE, OWN_WITNESS, STAND_STILL, INQUIRE, SAVE)
