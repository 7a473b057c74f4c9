"""Can this machine become a node? Everything that can be known before anything is changed."""

import asyncio
import ipaddress
import os
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

from outlast.core.joining import joining
from outlast.setup.machine import Machine, SetupError

ANSWER_S = 10.0
MOST_CLOCK_DIFFERENCE_S = 60.0
CLIENT_PORT = 2379
PEER_PORT = 2380

Tell = Callable[[str], None]


def require_root() -> None:
    if os.geteuid() != 0:
        raise SetupError("impossible", "cannot set this machine up: that takes root; try: sudo outlast cluster ...")


def require_supervisor(machine: Machine) -> None:
    if not machine.supervisor:
        raise SetupError(
            "impossible", "cannot set this machine up: nothing here runs services (neither systemd nor s6 was found)"
        )


def require_new(machine: Machine) -> None:
    """What is here already is a node's, and nobody has said that it may go."""
    if machine.config.exists():
        try:
            config = tomllib.loads(machine.config.read_text())
        except tomllib.TOMLDecodeError:
            config = {}
        raise SetupError(
            "impossible",
            f'this machine is node "{config.get("node", "?")}" of cluster "{config.get("cluster", "outlast")}" already '
            f"({machine.config}); if it shall be so no longer, first: outlast cluster leave",
        )


def node_name(wanted: str) -> str:
    name = wanted or socket.gethostname().partition(".")[0].lower()
    if reason := joining.wrong_name(name):
        raise SetupError("usage", f"{reason}; choose one with --node")
    return name


def own_address(wanted: str, towards: str = "") -> str:
    """As other nodes reach this machine. `towards`: a machine that it certainly reaches."""
    if wanted:
        return _local(_resolved(wanted, "--address"))
    if towards:
        return _source_towards(_resolved(towards, "the host"))
    try:
        found = _resolved(socket.gethostname(), "this machine's name")
    except SetupError:
        found = ""
    if found and not ipaddress.ip_address(found).is_loopback:
        return _local(found)
    # No packet is sent: it is only asked which address this machine would use. (198.51.100.0/24 is nobody's.)
    address = _source_towards("198.51.100.1")
    if ipaddress.ip_address(address).is_loopback:
        raise SetupError("usage", "cannot tell how other nodes reach this machine; say it with --address")
    return address


def ports_are_free(address: str, *ports: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in ports:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
                probe.listen(1)
            except OSError as error:
                raise SetupError(
                    "impossible",
                    f"cannot use port {port} of {address}: {error.strerror}; `ss -ltnp` says who has it",
                ) from None


def etcd_program() -> str:
    """Its version."""
    if shutil.which("etcd") is None:
        raise SetupError("impossible", "etcd is not installed; install it with: apt install etcd-server")
    words = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=False, timeout=ANSWER_S).stdout
    return next((line.rpartition(" ")[2] for line in words.splitlines() if line.startswith("etcd Version")), "")


async def libvirt_answers() -> None:
    if shutil.which("virsh") is None:
        raise SetupError("impossible", "libvirt is not installed; install it with: apt install libvirt-daemon-system")
    process = await asyncio.create_subprocess_exec(
        "virsh", "--connect", "qemu:///system", "--quiet", "version", "--daemon",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(ANSWER_S):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        raise SetupError("impossible", f"libvirt does not answer within {ANSWER_S:g} s") from None
    if process.returncode:
        reason = errors.decode(errors="replace").strip().removeprefix("error: ")
        raise SetupError("impossible", f"libvirt does not answer: {reason}")


def clock_difference(theirs_s: float, mine_s: float, who: str) -> None:
    difference_s = mine_s - theirs_s
    if abs(difference_s) > MOST_CLOCK_DIFFERENCE_S:
        side = "ahead of" if difference_s > 0 else "behind"
        raise SetupError(
            "impossible",
            f"the clock of this machine is {abs(difference_s):.0f} s {side} that of {who}: certificates need clocks "
            "that are right; set it (chrony, systemd-timesyncd) and try again",
        )


def settings_file(path: Path | None) -> dict[str, object]:
    """More of a node's own settings, which an administrator has written."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SetupError("usage", f"cannot use {path}: {getattr(error, 'strerror', None) or error}") from error


def _resolved(name: str, what: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SetupError("usage", f'cannot find the address of {what}, "{name}": {error.strerror}') from error
    return str(found[0][4][0])


def _local(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            raise SetupError("usage", f"{address} is no address of this machine; say which with --address") from None
    return address


def _source_towards(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError as error:
            raise SetupError(
                "usage", f"cannot reach {address}: {error.strerror}; say --address if there is another way"
            ) from None
        return str(probe.getsockname()[0])
