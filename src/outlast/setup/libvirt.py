"""How does libvirt on this machine come to take VMs from the cluster's other nodes? Over TLS, with the node's own
certificate, and from nobody who has none of the cluster's authority.

libvirt takes the first of two settings of one name, so ours stand at the head of its file, between two marks, and the
rest of it stays as it is. Where an administrator has given libvirt certificates already, nothing is touched.
"""

import asyncio
import re
from pathlib import Path

import msgspec

from outlast.adapters.supervision import supervised
from outlast.adapters.trust import LIBVIRTS_OWN
from outlast.service.config import NodeConfig
from outlast.setup import checks
from outlast.setup.checks import Tell
from outlast.setup.machine import Machine, SetupError

DAEMON = "libvirtd"
LAB = "lab"
"""Nodes on one machine: encrypted as others, and they share one page cache."""
SOCKET = "libvirtd-tls.socket"
PATIENCE_S = 30.0
BEGIN = "# Outlast: from here, written by `outlast cluster create` or `join`, taken away by `outlast cluster leave`\n"
END = "# Outlast: to here\n"
_OF_SOMEBODY = re.compile(r"^\s*(ca_file|cert_file|key_file|tls_allowed_dn_list|tls_no_verify_certificate)\s*=", re.M)
NAMES = {"cacert.pem": "authority", "clientcert.pem": "certificate", "clientkey.pem": "key"}


async def made_movable(machine: Machine, config: NodeConfig, tell: Tell) -> NodeConfig:
    """The settings with what libvirt is set up for; as they are where an administrator has said something else."""
    if config.migration not in ("", LAB):
        return config
    directory = await set_up(machine, tell)
    way = f"{config.migration or 'tls'}:{directory}" if directory else config.migration
    return msgspec.structs.replace(config, migration=way)


async def set_up(machine: Machine, tell: Tell) -> str:
    """Where the certificates are; "" where that is up to the administrator. Raises `SetupError`."""
    file = machine.libvirt / "libvirtd.conf"
    before = without_ours(_read(file))
    if _OF_SOMEBODY.search(before):
        tell(f"{file} names certificates of its own: live migration is left to you (docs/migration-tls.md)")
        return ""
    tell("making libvirt take VMs from other nodes, over TLS")
    machine.migration.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, what in NAMES.items():
        link = machine.migration / name
        link.unlink(missing_ok=True)
        link.symlink_to(getattr(machine, what))
    for place, own in _where_libvirt_looks(machine).items():
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.unlink(missing_ok=True)
            place.symlink_to(own)
    machine.libvirt.mkdir(parents=True, exist_ok=True)
    _write(file, ours(machine) + before)
    await _restart(machine, tls=True)
    return str(machine.migration)


async def take_back(machine: Machine) -> None:
    """Safe to repeat, and where nothing was set up."""
    for name in NAMES:
        (machine.migration / name).unlink(missing_ok=True)
    if machine.migration.is_dir():
        machine.migration.rmdir()
    for place, own in _where_libvirt_looks(machine).items():
        if place.is_symlink() and place.readlink() == own:
            place.unlink()
    file = machine.libvirt / "libvirtd.conf"
    text = _read(file)
    if BEGIN in text:
        _write(file, without_ours(text))
        await _restart(machine, tls=False)


def _where_libvirt_looks(machine: Machine) -> dict[Path, Path]:
    """When it is told to read its certificate anew, as it is when that is renewed; whatever its settings say."""
    return {machine.pki / name: machine.etc / ours for name, ours in LIBVIRTS_OWN.items()}


def ours(machine: Machine) -> str:
    # Its check of its own certificate asks for a use of the key that keys of elliptic curves do not have.
    return f"""\
{BEGIN}listen_tls = 1
ca_file = "{machine.authority}"
cert_file = "{machine.certificate}"
key_file = "{machine.key}"
tls_no_sanity_certificate = 1
{END}"""


def without_ours(text: str) -> str:
    head, begin, rest = text.partition(BEGIN)
    return head + rest.partition(END)[2] if begin else text


async def _restart(machine: Machine, *, tls: bool) -> None:
    """VMs go on: libvirt finds them again."""
    daemon = supervised(machine.supervisor, DAEMON)
    if machine.supervisor == "systemd":
        # A socket cannot be changed beneath a daemon that has been given its sockets.
        await _run("systemctl", "stop", f"{DAEMON}.service")
        await _run("systemctl", "enable" if tls else "disable", "--now", SOCKET)
        await _run("systemctl", "start", f"{DAEMON}.service")
    elif machine.runs_itself(DAEMON):
        await daemon.stop()
        await daemon.start()
    else:
        return
    ends_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            await checks.libvirt_answers()
        except SetupError:
            if asyncio.get_running_loop().time() > ends_s:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise SetupError("failed", f"{' '.join(command)}: {errors.decode(errors='replace').strip()}")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}.outlast-new")
    new.write_text(text)
    new.rename(file)
