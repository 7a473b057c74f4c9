"""Where do the units of systemd come from? From this package's files, with the place of its programs filled in.

Under s6 (the lab) service directories are there already: whoever runs s6-svscan has put them there.
"""

import subprocess
import sys
from importlib import resources

from outlast.setup.machine import MEMBER, SERVICE, WITNESS, Machine, SetupError

PATIENCE_S = 30.0


def install(machine: Machine, *, witness: bool) -> None:
    """Safe to repeat. Drop-ins of the administrator's stay."""
    if machine.supervisor != "systemd":
        return
    for name in (MEMBER, WITNESS if witness else SERVICE):
        machine.units.mkdir(parents=True, exist_ok=True)
        (machine.units / f"{name}.service").write_text(unit(name))
    done = subprocess.run(
        ["systemctl", "daemon-reload"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    if done.returncode:
        raise SetupError("failed", f"systemd does not read its units again: {done.stderr.strip()}")


def unit(name: str) -> str:
    template = resources.files("outlast.setup").joinpath("files", f"{name}.service").read_text()
    return template.replace("@PROGRAMS@", f"{sys.prefix}/bin")


def log_hint(machine: Machine, program: str) -> str:
    if machine.supervisor == "systemd":
        return f"journalctl -u {program}"
    return f"its log, {program}.log"
