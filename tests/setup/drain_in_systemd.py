"""What systemd does with the units of a node when its machine goes down. Run by test_drain_under_systemd.py, as a
service of a systemd that has nothing else."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outlast.client.control import Client, ControlError
from outlast.model.answers import ClusterStatus, GroupRow
from outlast.model.event import Event

HANG_S = 60.0
N1, N2 = Client("/run/outlast/control.sock"), Client("/run/outlast-n2/control.sock")
POWERED_OFF, LIBVIRTD_STOPPED, VM_STOPPED = (
    Path("/run", name) for name in ("powered-off", "libvirtd-stopped", "vm-stopped")
)
VM = f"trap 'date +%s.%N >{VM_STOPPED}; exit' TERM; sleep infinity & wait"


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_active(unit: str) -> bool:
    return subprocess.run(["systemctl", "--quiet", "is-active", unit], check=False, timeout=HANG_S).returncode == 0


def goes_down() -> None:
    """What `poweroff` asks systemd for."""
    systemctl("start", "--no-block", "--job-mode=replace-irreversibly", "poweroff.target")


def wait_until(true: Callable[[], object]) -> None:
    ends_s = time.monotonic() + HANG_S
    while True:
        try:
            if true():
                return
        except (ControlError, OSError):
            pass
        assert time.monotonic() < ends_s, "did not happen in time"
        time.sleep(0.02)


def call(client: Client, verb: str, **arguments: Any) -> Any:
    return client.call(verb, arguments, type=object, timeout_s=HANG_S)


def shop() -> GroupRow:
    return N2.call("group.show", {"name": "shop"}, type=GroupRow)


def runs_on(node: str) -> bool:
    row = shop()
    return (row.owner, row.state, row.settled) == (node, "online", True)


def events() -> list[Event]:
    return N2.call("events", {"limit": 1000}, type=list[Event])


def stopped_s(mark: Path) -> float:
    wait_until(lambda: mark.exists() and mark.read_text().strip())
    return float(mark.read_text())


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    """n1 runs shop and, in a scope as libvirt makes them, a VM."""
    systemctl("start", "libvirtd.service", "other-node.service", "outlastd.service", "outlast-drain.service")
    wait_until(lambda: {row.state for row in N2.call("status", type=ClusterStatus).nodes} == {"up"})
    wait_until(lambda: len(N2.call("status", type=ClusterStatus).nodes) == 2)
    call(N2, "group.create", name="shop", values={"preferred_owners": ["n1"]})
    values = {"is_alive_interval_s": 0.5, "offline_timeout_s": 600.0}
    call(N2, "resource.create", name="it", type="dummy", group="shop", values=values)
    call(N2, "group.online", name="shop")
    wait_until(lambda: runs_on("n1"))
    vm = subprocess.Popen(["systemd-run", "--quiet", "--scope", "--unit=machine-web.scope", "sh", "-c", VM])
    wait_until(lambda: is_active("machine-web.scope"))
    yield
    vm.kill()


def test_shut_down_it_is_drained_before_libvirt_and_vms_are_stopped_and_leaves_in_order() -> None:
    goes_down()
    wait_until(POWERED_OFF.exists)
    assert runs_on("n2")
    told = {event.words: event.at_s for event in events()}
    there_s = told["shop is online on n2"]
    assert there_s < stopped_s(VM_STOPPED), "a VM is not stopped before its node is drained"
    assert there_s < stopped_s(LIBVIRTD_STOPPED)
    assert not any("silent" in words for words in told), "nobody takes it for dead"
    states = {row.name: row.state for row in N2.call("status", type=ClusterStatus).nodes}
    assert states["n1"] not in ("up", "draining", "drained", "silent"), states


def test_by_hand_a_restart_of_the_service_drains_nothing_and_a_stop_of_the_drain_does() -> None:
    state = Path("/run/outlast/dummy/it.json").read_text()
    systemctl("restart", "outlastd.service")
    assert Path("/run/outlast/dummy/it.json").read_text() == state
    assert is_active("outlast-drain.service")
    systemctl("stop", "outlast-drain.service")
    assert shop().owner == "n2", "it returns when the node is drained"
    wait_until(lambda: runs_on("n2"))
    assert is_active("outlastd.service")
    assert not VM_STOPPED.exists()
    call(N2, "node.resume", name="n1")


def test_limit_of_the_drain_is_kept_when_something_does_not_stop() -> None:
    limit_s = 4.0
    call(N2, "cluster.set", values={"shutdown_drain_s": limit_s})
    # Its host is told so with its next start: a restart of the host may come too late on a busy machine.
    call(N2, "group.offline", name="shop")
    wait_until(lambda: shop().state == "offline")
    call(N2, "resource.set", name="it", properties={"hang_in": ["offline"]})
    call(N2, "group.online", name="shop")
    wait_until(lambda: runs_on("n1"))
    began_s = time.time()
    goes_down()
    took_s = stopped_s(VM_STOPPED) - began_s
    assert limit_s <= took_s < limit_s + 30.0, "for as long as it may, and not for ever"
    assert not runs_on("n2"), "it could not leave"
    wait_until(POWERED_OFF.exists)
