"""Watchdogs that cut a real node's power: a device of the kernel's kind, and the program `outlast-watchdog`.

The device is a file behind FUSE (fuse_watchdog.py): the service opens it, sets it and feeds it by ioctl(2), and when it
is not fed its driver, outside of the node, switches the node off.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from outlast.adapters.watchdog.virtual import hypervisor
from outlast.lab.bmc import Fault
from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab

pytestmark = pytest.mark.lab

FUSE = Path(__file__).parent / "fuse_watchdog.py"
DEVICE = Path("/run/fuse/watchdog")
STRENGTH = "virtual" if hypervisor() else "hardware"
"""The lab's nodes are on the same machine as this test, and that may be a virtual one."""
POWER_OFF = """
import sys
from outlast.lab.lab import Lab
lab = Lab(sys.argv[1])
if sys.stdin.readline():
    lab.power_off("n1", "its device was not fed")
"""


def use(cluster: LabCluster, setting: str, strength: str, length_s: float) -> None:
    """n1's service starts again with that watchdog, and declares it."""
    config = cluster.lab.node("n1").etc / "outlast/outlast.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("watchdog")]
    config.write_text("\n".join([f'watchdog = "{setting}"', *lines]) + "\n")
    cluster.lab.kill("n1", "outlastd")
    declared = (strength, length_s)
    cluster.wait(
        lambda s: s.nodes[0].state == "up" and (s.nodes[0].watchdog, s.nodes[0].watchdog_s) == declared, "used"
    )


@contextmanager
def device(cluster: LabCluster, log: Path, length_s: float) -> Iterator[None]:
    """n1 uses a device of that length; nothing else can prove its death. `log`: what its driver saw."""
    pid = cluster.lab.node("n1").init.read_text().strip()
    bite = [sys.executable, "-c", POWER_OFF, cluster.lab.paths.name]
    driver = subprocess.Popen([sys.executable, str(FUSE), str(DEVICE), str(log), f"pid={pid}", "waits=1", *bite])
    before = (cluster.lab.node("n1").etc / "outlast/outlast.toml").read_text()
    try:
        cluster.lab.wait(log.exists, 30, "the device is there")
        use(cluster, f"device:{DEVICE}", STRENGTH, length_s)
        cluster.call("cluster.set", values={"watchdog_strength": ["hardware", "kernel", "virtual"]})
        cluster.lab.set_bmc_fault("n1", Fault.DEAD)
        yield
    finally:
        driver.kill()
        driver.wait()
        cluster.lab.set_bmc_fault("n1", Fault.NONE)
        (cluster.lab.node("n1").etc / "outlast/outlast.toml").write_text(before)
        if cluster.lab.is_on("n1"):
            cluster.lab.power_off("n1")


@pytest.fixture
def driver_log(cluster: LabCluster, tmp_path: Path) -> Iterator[Path]:
    log = tmp_path / "driver.log"
    with device(cluster, log, 3.0):  # whole seconds: 2.8 are 3
        yield log


def seen(log: Path) -> list[str]:
    return [line.partition(" ")[2] for line in log.read_text().splitlines()]


def opened(log: Path, times: int) -> bool:
    return seen(log).count("open") == times


def test_a_device_is_open_and_fed_only_while_something_runs(cluster: LabCluster, driver_log: Path) -> None:
    cluster.lab.wait(lambda: seen(driver_log)[-1] == "closed", 60, "nothing runs, so it does not count")
    asked = len(seen(driver_log))
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    assert seen(driver_log)[asked : asked + 2] == ["open", "timeout 3"]
    cluster.lab.wait(lambda: seen(driver_log)[asked:].count("fed") > 10, 60, "it is fed")
    assert "closed" not in seen(driver_log)[asked:]
    cluster.call("group.offline", name="web", stop="turn_off")
    cluster.lab.wait(lambda: seen(driver_log)[-1] == "closed", 60, "it is closed in order")
    asked = len(seen(driver_log))
    cluster.call("group.online", name="web")
    cluster.wait_online("web")
    assert seen(driver_log)[asked : asked + 2] == ["open", "timeout 3"]


def test_a_frozen_nodes_power_is_cut_by_its_device_and_that_is_proof(cluster: LabCluster, driver_log: Path) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.lab.freeze("n1")
    cluster.lab.wait(lambda: seen(driver_log)[-1] == "bite", 60, "the device bites")
    cluster.lab.wait(lambda: not cluster.lab.is_on("n1"), 60, "n1 has no power")
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
    (dead,) = [event.words for event in cluster.story("n2") if event.kind == "node-dead"]
    assert "its watchdog was armed" in dead


def test_a_service_that_ends_leaves_the_device_counting_and_the_next_one_feeds_it(
    labs: Callable[..., Lab], tmp_path: Path
) -> None:
    alone, log = LabCluster(labs("alone", nodes=1, node_timeout_s=20.0)), tmp_path / "driver.log"
    alone.wait_for_members()
    with device(alone, log, 28.0):
        alone.protect("beacon", "web")
        qemu = alone.qemu_pid("n1", "web")
        before = seen(log).count("open")
        for times in (before + 1, before + 2):
            alone.lab.kill("n1", "outlastd")
            alone.lab.wait(partial(opened, log, times), 60, "it is opened again")
        fed = seen(log).count("fed")
        alone.lab.wait(lambda: seen(log).count("fed") > fed + 3, 60, "it is fed on")
        assert seen(log).count("closed, counts on") == 2
        assert alone.qemu_pid("n1", "web") == qemu, "no VM noticed (rule 7)"


@pytest.fixture
def program(cluster: LabCluster) -> Iterator[None]:
    config = cluster.lab.node("n1").etc / "outlast/outlast.toml"
    before = config.read_text()
    cluster.lab.exec("n1", "sh", "-c", "setsid outlast-watchdog --only-namespace >/run/watchdog.log 2>&1 &")
    cluster.lab.wait(
        lambda: cluster.lab.run("n1", "test", "-S", "/run/outlast/watchdog.sock").returncode == 0, 30, "it listens"
    )
    try:
        use(cluster, "process", "process", 2.8)
        yield
    finally:
        config.write_text(before)
        if cluster.lab.is_on("n1"):
            cluster.lab.power_off("n1")


@pytest.mark.usefixtures("program")
def test_the_program_ends_a_node_whose_service_and_hosts_are_frozen_and_is_no_proof(cluster: LabCluster) -> None:
    cluster.lab.set_bmc_fault("n1", Fault.DEAD)
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    assert not cluster.status().nodes[0].watchdog_proves
    cluster.lab.freeze("n1", "outlast-rhs")
    cluster.lab.freeze("n1", "outlastd")
    cluster.lab.wait(lambda: not cluster.lab.is_on("n1"), 60, "the program has ended it")
    status = cluster.wait(lambda s: "your word" in s.groups[0].why, "web waits for a proof")
    assert "watchdog" not in status.groups[0].why
    cluster.lab.set_bmc_fault("n1", Fault.NONE)
    cluster.wait(lambda s: s.groups[0].state == "online" and s.groups[0].owner != "n1", "web elsewhere")
