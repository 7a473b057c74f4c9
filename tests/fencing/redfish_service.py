"""A BMC that speaks Redfish, by OpenStack's emulator of it: its one system is a node of a lab.

redfish_service.py ADDRESS PORT DIRECTORY SOCKET NODE: the directory holds tls.crt, tls.key and users (htpasswd); the
socket is the lab's power switch.
"""

import socket
import sys
from pathlib import Path
from typing import Any

from sushy_tools import error
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver

IDENTITY = "27946b59-9e44-4fa7-8e91-f3527a1ef094"
OFF = {"ForceOff", "GracefulShutdown"}
ON = {"On", "ForceOn"}


class LabSystem(AbstractSystemsDriver):  # type: ignore[misc]  # it has no type annotations
    def __init__(self, switch: Path, node: str) -> None:
        super().__init__()
        self._switch = switch
        self._node = node

    @property
    def driver(self) -> str:
        return "<lab>"

    @property
    def systems(self) -> list[str]:
        return [IDENTITY]

    def uuid(self, identity: str) -> str:
        return IDENTITY

    def name(self, identity: str) -> str:
        return self._node

    def get_power_state(self, identity: str) -> str:
        return "On" if self._ask("status") == "on" else "Off"

    def set_power_state(self, identity: str, state: str) -> None:
        if state not in OFF | ON:
            raise error.NotSupportedError(f"{state} is not what this board can do")
        self._ask("off" if state in OFF else "on")

    def get_boot_device(self, identity: str) -> str:
        return "Hdd"

    def set_boot_device(self, identity: str, boot_source: str) -> None:
        raise error.NotSupportedError("the lab's machines have no boot menu")

    def _ask(self, verb: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20.0)
            client.connect(str(self._switch))
            client.sendall(f"{verb} {self._node}\n".encode())
            answer = client.makefile().readline().strip()
        if answer not in ("on", "off"):
            raise error.FishyError(f"the board's switch does not work: {answer}")
        return answer


def main(address: str, port: str, directory: str, switch: str, node: str) -> None:
    settings: dict[str, Any] = {
        "SUSHY_EMULATOR_AUTH_FILE": f"{directory}/users",
        "SUSHY_EMULATOR_FEATURE_SET": "minimum",
    }
    application = emulator.app
    application.configure(extra_config=settings)
    type(application).systems = property(lambda _: LabSystem(Path(switch), node))
    application.run(host=address, port=int(port), ssl_context=(f"{directory}/tls.crt", f"{directory}/tls.key"))


if __name__ == "__main__":
    main(*sys.argv[1:])
