"""How does a node's BMC misbehave, and how is the lab's daemon, which plays the BMCs, kept running?

Faults lie in a file, so that they outlive the daemon and can be set without it.
"""

import enum
import os
import socket
import subprocess
import sys
import threading
import time

import msgspec

from outlast.lab import cgroup
from outlast.lab.errors import LabError
from outlast.lab.layout import LabPaths


class Fault(enum.Enum):
    NONE = "ok"
    FAIL = "fail"  # answers with an error
    HANG = "hang"  # takes the request and never answers
    LIE = "lie"  # says "off" and cuts nothing
    DEAD = "dead"  # drops the connection


def set_fault(lab: LabPaths, name: str, fault: Fault) -> None:
    faults = {other: kept for other, kept in _load(lab).items() if other != name}
    if fault is not Fault.NONE:
        faults[name] = fault
    new = lab.root / "bmc.new"
    new.write_bytes(msgspec.json.encode(faults))
    new.rename(lab.root / "bmc.json")


def fault_of(lab: LabPaths, name: str) -> Fault:
    return _load(lab).get(name, Fault.NONE)


def _load(lab: LabPaths) -> dict[str, Fault]:
    try:
        return msgspec.json.decode((lab.root / "bmc.json").read_bytes(), type=dict[str, Fault])
    except FileNotFoundError:
        return {}


def daemon_runs(lab: LabPaths) -> bool:
    return bool(cgroup.members(f"{lab.cgroup}/daemon"))


def start_daemon(lab: LabPaths) -> None:
    """Returns at once; `wait_for_daemon` says when it answers."""
    cgroup.create(f"{lab.cgroup}/daemon")
    with lab.daemon_log.open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "outlast.lab.daemon", lab.name],
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=daemon.wait, daemon=True).start()  # reaps it, whenever it ends


def wait_for_daemon(lab: LabPaths, *, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not answers(lab):
        if time.monotonic() > deadline:
            raise LabError(f"the lab's daemon does not answer; see {lab.daemon_log}")
        time.sleep(0.01)


def answers(lab: LabPaths) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(lab.power_socket))
            client.sendall(b"list\n")
            return bool(client.recv(1000))
        except OSError:
            return False
