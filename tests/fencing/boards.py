"""Two management boards of a lab's node, outside of it: real IPMI (openipmi's ipmi_sim) and real Redfish (sushy-tools).

Both have an address of their own on the lab's network, and their power switch is the lab's. They run beside the node,
so a board can die with its host or without it, hang, or lie, as the test wants it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import bcrypt

from outlast.adapters import pki
from outlast.lab.lab import Lab
from outlast.lab.network import in_switch

USER = "fence"
PASSWORD = "for-few-only"
IPMI_PORT = 623
REDFISH_PORT = 443
UP_WITHIN_S = 30.0  # catches a hang

IPMI_SIM = """\
name "{node}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{program}"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""

IPMI_BOARD = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

# What ipmi_sim calls to look at its chassis and to switch it. A lying one remembers what it was told, and does nothing.
CHASSIS = """\
#!/usr/bin/python3 -IS
import sys, _socket, os

def ask(verb):
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    client.connect({switch!r})
    client.send(verb.encode() + b" {node}\\n")
    return client.recv(1000).decode().strip()

words, lie = sys.argv[1:], {lie!r}
if words[:2] == ["get", "power"]:
    on = not os.path.exists(lie + ".off") if os.path.exists(lie) else ask("status") == "on"
    print("power:%d" % on)
elif words[:2] == ["set", "power"]:
    if os.path.exists(lie):
        open(lie + ".off", "w")
    else:
        ask("on" if words[2] == "1" else "off")
"""


class Board:
    """A process beside the node, in the lab's network."""

    def __init__(self, lab: Lab, node: str, kind: str, address: str) -> None:
        self.lab = lab
        self.node = node
        self.address = address
        self.directory = lab.paths.root / f"{kind}-{node}"
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str]) -> None:
        inside = ["nsenter", f"--net={self.lab.paths.network}", "--", *command]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                inside, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """It has no power any more."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def plug_in(self) -> None:
        self.directory.mkdir(exist_ok=True)
        if f" {self.address}/" not in in_switch(self.lab.paths, "ip", "-4", "address", "show", "br0"):
            in_switch(self.lab.paths, "ip", "address", "add", f"{self.address}/24", "dev", "br0")

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, which)


class IpmiBoard(Board):
    def __init__(self, lab: Lab, node: str) -> None:
        super().__init__(lab, node, "ipmi", f"10.77.0.{100 + int(node[1:])}")
        self._lie = self.directory / "lie"

    @property
    def parameters(self) -> dict[str, str]:
        # Suite 3 is what it can; the agent's default leaves it to ipmitool to find that out, which takes 10 s.
        return {"ip": self.address, "lanplus": "1", "cipher": "3", "username": USER, "password": PASSWORD}

    def start(self) -> None:
        self.plug_in()
        program = self.directory / "chassis"
        switch = str(self.lab.paths.power_socket)
        program.write_text(CHASSIS.format(switch=switch, node=self.node, lie=str(self._lie)))
        program.chmod(0o755)
        settings = self.directory / "lan.conf"
        settings.write_text(
            IPMI_SIM.format(
                node=self.node, address=self.address, port=IPMI_PORT, program=program, user=USER, password=PASSWORD
            )
        )
        (self.directory / "board").write_text(IPMI_BOARD)
        (self.directory / "state").mkdir(exist_ok=True)
        self.honest()
        self.run(["ipmi_sim", "-c", str(settings), "-f", "board", "-s", "state", "-n"])

    def lie(self) -> None:
        self._lie.touch()

    def honest(self) -> None:
        for left in (self._lie, Path(f"{self._lie}.off")):
            left.unlink(missing_ok=True)


class RedfishBoard(Board):
    def __init__(self, lab: Lab, node: str) -> None:
        super().__init__(lab, node, "redfish", f"10.77.0.{140 + int(node[1:])}")

    @property
    def parameters(self) -> dict[str, str]:
        return {"ip": self.address, "ssl_insecure": "1", "username": USER, "password": PASSWORD}

    def start(self) -> None:
        self.plug_in()
        now = datetime.now(UTC)
        authority, authority_key = pki.create_authority("boards", "boards", now)
        key = pki.create_key()
        certificate = pki.sign(authority, authority_key, pki.create_request(key), [self.address], now)
        (self.directory / "tls.crt").write_text(certificate)
        (self.directory / "tls.key").write_text(key)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
        (self.directory / "users").write_text(f"{USER}:{hashed}\n")
        service = Path(__file__).with_name("redfish_service.py")
        switch = str(self.lab.paths.power_socket)
        words = [self.address, str(REDFISH_PORT), str(self.directory), switch, self.node]
        self.run([sys.executable, str(service), *words])


def wait_until_it_answers(board: IpmiBoard | RedfishBoard, agent: str, by: str) -> None:
    """Asked by the real agent on another node: a board takes a moment to start."""
    lines = "".join(f"{name}={value}\n" for name, value in {**board.parameters, "action": "status"}.items())
    deadline = time.monotonic() + UP_WITHIN_S
    while True:
        done = board.lab.run(by, agent, stdin=lines)
        if done.returncode in (0, 2):
            return
        assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}\n{board.log()}"
