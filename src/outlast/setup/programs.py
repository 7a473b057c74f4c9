"""Where do the units of systemd come from? From this package's files, with the place of its programs filled in.

Under s6 (the lab) service directories are there already: whoever runs s6-svscan has put them there.
"""

import subprocess
import sys
from importlib import resources

from outlast.setup.machine import DRAIN, MEMBER, SERVICE, WEB, WITNESS, Machine, SetupError

PATIENCE_S = 30.0
USER = f'u {WEB} - "Outlast HTTP API"'


def install(machine: Machine, *, witness: bool) -> None:
    """Safe to repeat. Drop-ins of the administrator's stay."""
    if machine.supervisor != "systemd":
        return
    for name in (MEMBER, WITNESS) if witness else (MEMBER, SERVICE, DRAIN, WEB):
        machine.units.mkdir(parents=True, exist_ok=True)
        (machine.units / f"{name}.service").write_text(unit(name))
    if not witness:
        scopes = machine.units / "machine-.scope.d"
        scopes.mkdir(exist_ok=True)
        (scopes / "50-outlast.conf").write_text(scope_drop_in())
        let_pam_know(machine)
        # Before the cluster service starts, which gives this user's group a socket.
        _run(["systemd-sysusers", "--inline", USER], f"the user {WEB} cannot be made")
    _run(["systemctl", "daemon-reload"], "systemd does not read its units again")


def let_pam_know(machine: Machine) -> None:
    """How the host's users are asked for here: as everywhere else on it, where it is laid out as Debian does. What an
    administrator has put there stays."""
    service = machine.pam / "outlast"
    if (machine.pam / "common-auth").exists() and not service.exists():
        service.write_text(_file("outlast.pam"))


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode:
        raise SetupError("failed", f"{otherwise}: {done.stderr.strip()}")


def unit(name: str) -> str:
    return _file(f"{name}.service").replace("@PROGRAMS@", f"{sys.prefix}/bin")


def scope_drop_in() -> str:
    return _file("machine-scope.conf")


def _file(name: str) -> str:
    return resources.files("outlast.setup").joinpath("files", name).read_text()


def log_hint(machine: Machine, program: str) -> str:
    if machine.supervisor == "systemd":
        return f"journalctl -u {program}"
    return f"its log, {program}.log"
