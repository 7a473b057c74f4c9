"""Nodes: their power, what survives it, what they see of each other, and that nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from outlast.lab import cgroup, node
from outlast.lab.errors import NotPossibleNow, WrongInput
from outlast.lab.lab import Lab
from outlast.lab.layout import LabPaths
from outlast.lab.network import in_switch

pytestmark = pytest.mark.lab


def left_behind(paths: LabPaths) -> list[str]:
    """Everything on this machine that bears the lab's name."""
    left = [str(path) for path in (paths.root, cgroup.path_of(paths.cgroup)) if path.exists()]
    left += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{paths.name}/" in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                inside = paths.cgroup in (entry / "cgroup").read_text()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            dead = not command  # and only waits for its parent to notice
            if (inside and not dead) or f"{paths.root}/" in command or f"outlast.lab.daemon {paths.name} " in command:
                left.append(f"process {entry.name}: {command}")
    return left


def host_links() -> set[str]:
    answer = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True)
    return {link["ifname"] for link in json.loads(answer.stdout)}


def test_a_lab_that_was_taken_down_leaves_nothing_behind(lab_paths: LabPaths) -> None:
    before = host_links()
    lab = Lab(lab_paths.name)
    lab.up(2, service=False)
    assert host_links() == before
    assert left_behind(lab_paths) != []
    assert lab.down()
    assert left_behind(lab_paths) == []
    assert host_links() == before
    assert not lab.down()


def test_a_lab_whose_command_and_daemon_were_killed_midway_leaves_nothing_behind(lab_paths: LabPaths) -> None:
    lab = Lab(lab_paths.name)
    command = subprocess.Popen(
        [sys.executable, "-c", "from outlast.cli.lab import app; app()", "up", "--no-service", "--name", lab_paths.name]
    )
    first = lab_paths.node("n1")
    lab.wait(lambda: node.is_on(first), 20, "the first node has a process")
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    for pid in cgroup.members(f"{lab_paths.cgroup}/daemon"):
        os.kill(pid, signal.SIGKILL)
    assert lab.down()
    assert left_behind(lab_paths) == []


def test_what_a_killed_lab_left_is_cleared_by_the_next_one(lab_paths: LabPaths) -> None:
    lab = Lab(lab_paths.name)
    lab.up(1, service=False)
    (lab.paths.shared / "old").touch()
    cgroup.kill(lab_paths.cgroup)  # as after a crash of the machine: the files are there, nothing runs
    lab.up(1, service=False)
    assert not (lab.paths.shared / "old").exists()
    assert lab.exec("n1", "hostname") == "n1\n"


def test_a_lab_that_is_up_is_not_built_again(lab: Lab) -> None:
    with pytest.raises(NotPossibleNow, match="is up already, with 3 nodes"):
        lab.up(3, service=False)
    assert lab.exec("n1", "hostname") == "n1\n"


def test_an_unknown_node_is_refused_with_the_names_of_those_that_are_there(lab: Lab) -> None:
    with pytest.raises(WrongInput, match='no node "n9" in this lab; it has n1, n2, n3'):
        lab.power_off("n9")


def test_a_node_has_its_own_name_address_processes_and_libvirt(lab: Lab) -> None:
    assert lab.exec("n2", "hostname") == "n2\n"
    assert "10.77.0.12/24" in lab.exec("n2", "ip", "address", "show", "eth0")
    assert lab.exec("n2", "cat", "/proc/1/comm") == "s6-svscan\n"
    uuids = {lab.exec(name, "sh", "-c", "virsh capabilities | grep -m1 '<uuid>'") for name in ("n1", "n2", "n3")}
    assert len(uuids) == 3


def test_the_exit_code_of_a_command_in_a_node_is_its_own(lab: Lab) -> None:
    assert lab.run("n1", "sh", "-c", "exit 42").returncode == 42
    assert lab.run("n1", "cat", stdin="said").stdout == "said"


def test_a_power_cut_ends_all_processes_and_keeps_the_disk_but_not_run(lab: Lab) -> None:
    lab.exec("n1", "sh", "-c", "echo kept >/var/lib/outlast/kept; echo kept >/etc/outlast/kept; touch /run/gone")
    lab.exec("n1", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    pids = cgroup.members(lab.node("n1").cgroup)
    lab.power_off("n1")
    assert cgroup.members(lab.node("n1").cgroup) == ()
    assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []
    assert lab.show()[0].power == "off"
    with pytest.raises(NotPossibleNow, match="n1 is off"):
        lab.exec("n1", "true")
    lab.power_on("n1")
    assert lab.exec("n1", "cat", "/var/lib/outlast/kept", "/etc/outlast/kept") == "kept\nkept\n"
    assert lab.run("n1", "test", "-e", "/run/gone").returncode == 1


def test_a_frozen_node_stands_still_and_goes_on_where_it_was(lab: Lab) -> None:
    lab.exec("n1", "sh", "-c", "(while :; do date +%s%N >/run/ticks; sleep 0.01; done) </dev/null >/dev/null 2>&1 &")
    lab.wait(lambda: lab.run("n1", "test", "-s", "/run/ticks").returncode == 0, 10)
    ticks = Path(f"/proc/{node.init_pid(lab.node('n1'))}/root/run/ticks")
    lab.freeze("n1")
    assert lab.show()[0].power == "frozen"
    states = {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in members(lab, "n1")}
    assert "R" not in states
    frozen_at = ticks.read_text()
    lab.exec("n2", "true")
    assert ticks.read_text() == frozen_at
    lab.thaw("n1")
    lab.wait(lambda: ticks.read_text() not in ("", frozen_at), 10, "the clock in the node goes on")


def test_the_switch_keeps_its_address_whatever_loses_power(lab: Lab) -> None:
    """Or boards on it are lost to those that asked them before."""

    def shown() -> str:
        return in_switch(lab.paths, "ip", "-o", "link", "show", "br0").split("link/ether ")[1].split()[0]

    before = shown()
    for name in lab.state().nodes:
        lab.power_off(name)
        assert shown() == before
    for name in lab.state().nodes:
        lab.power_on(name)
        assert shown() == before


def test_a_frozen_node_can_lose_its_power(lab: Lab) -> None:
    lab.freeze("n1")
    lab.power_off("n1")
    assert members(lab, "n1") == ()
    lab.power_on("n1")
    assert lab.show()[0].power == "on"


def test_one_process_of_a_node_is_frozen_thawed_and_killed(lab: Lab) -> None:
    (libvirtd,) = node.find_processes(lab.node("n1"), "libvirtd")
    state = Path(f"/proc/{libvirtd}/stat")
    lab.freeze("n1", "libvirtd")
    lab.wait(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", 10)
    lab.thaw("n1", "libvirtd")
    lab.wait(lambda: state.read_text().rpartition(")")[2].split()[0] != "T", 10)
    lab.kill("n1", "libvirtd")
    lab.wait(lambda: lab.run("n1", "virsh", "list").returncode == 0, 20, "libvirtd was started again")
    assert node.find_processes(lab.node("n1"), "libvirtd") != (libvirtd,)


def members(lab: Lab, name: str) -> tuple[int, ...]:
    return cgroup.members(lab.node(name).cgroup)


def test_a_cut_node_reaches_nobody_until_it_is_healed(lab: Lab) -> None:
    lab.cut("n1")
    assert reach(lab) == {("n2", "n3"), ("n3", "n2")}
    lab.reset("n1")  # a new life does not plug the cable in
    assert reach(lab) == {("n2", "n3"), ("n3", "n2")}
    lab.heal("n1")
    lab.wait(lambda: len(reach(lab)) == 6, 20, "everybody reaches everybody")


def test_a_cut_between_two_nodes_leaves_the_third_alone(lab: Lab) -> None:
    lab.cut("n1", "n2")
    assert reach(lab) == {("n1", "n3"), ("n3", "n1"), ("n2", "n3"), ("n3", "n2")}
    lab.heal("n1", "n2")
    assert len(reach(lab)) == 6


def test_a_one_way_cut_loses_what_is_said_in_one_direction_only(lab: Lab) -> None:
    lab.cut("n1", "n2", one_way=True)
    assert hears(lab, speaker="n2", listener="n1")
    assert not hears(lab, speaker="n1", listener="n2")
    assert hears(lab, speaker="n1", listener="n3")
    assert {report.name: report.cut_from for report in lab.show()}["n1"] == ("n2",)
    lab.heal()
    assert hears(lab, speaker="n1", listener="n2")


def reach(lab: Lab) -> set[tuple[str, str]]:
    names = ("n1", "n2", "n3")
    pairs = [(a, b) for a in names for b in names if a != b]
    return {(a, b) for a, b in pairs if lab.run(a, "ping", "-c1", "-W", "0.3", b).returncode == 0}


def hears(lab: Lab, *, speaker: str, listener: str) -> bool:
    """One datagram, no answer needed."""
    hear = (
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('0.0.0.0', 4000))\n"
        "s.settimeout(0.7)\nprint('ready', flush=True)\nprint(s.recv(100).decode())"
    )
    listening = subprocess.Popen(
        node.enter_command(lab.node(listener), [sys.executable, "-c", hear]),
        env=node.enter_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert listening.stdout is not None
    assert listening.stdout.readline() == "ready\n"
    say = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hello', ('{listener}', 4000))"
    lab.exec(speaker, sys.executable, "-c", say)
    heard, _ = listening.communicate(timeout=20)
    return heard == "hello\n"
