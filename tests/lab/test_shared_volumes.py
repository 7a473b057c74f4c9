"""Shared volumes for real: a directory that all nodes see, with beacons on it, and what becomes of them when one node
sees it no more; and images made by qemu-img through the volume's coordinator, which is killed in the middle of it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.model.answers import GroupRow
from outlast.model.volume_answers import ChangeRow, VolumeRow

pytestmark = pytest.mark.lab

GIB = 2**30
LIMIT_S = 3
SHUTDOWN_S = 2.0
HELD_S = 25.0
"""Longer than an attempt to end it takes, and the pause after it."""


@pytest.fixture
def volume(cluster: LabCluster) -> Iterator[Path]:
    """The directory in which the lab's guests have their disks, as the volume `v1`."""
    path = cluster.lab.paths.images
    add(cluster, "v1", path)
    try:
        yield path
    finally:
        remove_volumes(cluster)


def add(cluster: LabCluster, name: str, path: Path) -> None:
    cluster.client().call("volume.add", {"name": name, "path": str(path), "limit_s": LIMIT_S}, type=VolumeRow)
    cluster.wait_online(name)
    cluster.lab.wait(
        lambda: {seen.state for seen in show(cluster, name).nodes.values()} == {"direct"}, 30, "every node sees it"
    )


def show(cluster: LabCluster, name: str = "v1") -> VolumeRow:
    return cluster.client().call("volume.show", {"name": name}, type=VolumeRow)


def remove_volumes(cluster: LabCluster) -> None:
    for report in cluster.lab.show():
        if report.power == "off":
            cluster.lab.power_on(report.name)
    cluster.wait_for_members()
    for row in cluster.client().call("volume.list", {}, type=list[VolumeRow]):
        cluster.call("group.offline", name=row.name)
        cluster.wait(lambda s, row=row: s.groups and _state(s.groups, row.name) == "offline", "it is off")  # type: ignore[misc]
        cluster.call("volume.remove", name=row.name)


def _state(groups: tuple[GroupRow, ...], name: str) -> str:
    return next(row.state for row in groups if row.name == name)


def change(cluster: LabCluster, verb: str, image: str, **arguments: object) -> ChangeRow:
    """Ask the coordinator, and wait until it is over."""
    client = cluster.client()
    row = client.call(f"volume.{verb}", {"volume": "v1", "image": image, **arguments}, type=ChangeRow)
    return over(cluster, row)


def over(cluster: LabCluster, row: ChangeRow) -> ChangeRow:
    question = {"volume": "v1", "id": row.id, "timeout_s": 60}
    *_, last = cluster.client().stream("volume.wait", question, type=ChangeRow, timeout_s=70)
    return last


def info(path: Path) -> dict[str, object]:
    told = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], check=True, capture_output=True).stdout
    found: dict[str, object] = json.loads(told)
    return found


# --- lost on one node -------------------------------------------------------------------------------------------------


def test_a_vm_whose_volume_is_not_mounted_any_more_on_its_node_goes_to_one_that_sees_it(
    cluster: LabCluster, volume: Path
) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
    assert cluster.owner("web") == "n1"
    cluster.lab.exec("n1", "mount", "-t", "tmpfs", "none", str(volume))
    try:
        cluster.wait(lambda s: _owner(s.groups, "web") != "n1" and _state(s.groups, "web") == "online", "it has moved")
        assert cluster.running() == {"web": [cluster.owner("web")]}
        assert {failure.node for failure in cluster.group("web").failures} <= {"n1"}
        assert "is it mounted?" in show(cluster).nodes["n1"].why
        with pytest.raises(ControlError, match="the volume is unavailable there"):
            cluster.call("group.move", name="web", to="n1")
        findings = [one for one in cluster.call("validate") if one["about"] == "v1"]
        assert [one["problem"].split(":")[0] for one in findings] == ["it is unavailable on n1"]
    finally:
        cluster.lab.exec("n1", "umount", str(volume))
    cluster.lab.wait(lambda: show(cluster).nodes["n1"].state == "direct", 30, "n1 sees it again")
    words = [event.words for event in cluster.story() if event.kind == "volume"]
    assert any("the volume v1 is lost on n1" in one for one in words)
    assert "the volume v1 is back on n1" in words


def test_a_volume_that_is_read_only_on_one_node_is_unavailable_there_and_its_coordinator_goes(
    cluster: LabCluster, volume: Path
) -> None:
    owner = show(cluster).coordinator
    cluster.lab.exec(owner, "mount", "--bind", str(volume), str(volume))
    try:
        cluster.lab.exec(owner, "mount", "-o", "remount,bind,ro", str(volume))
        cluster.wait(
            lambda s: _owner(s.groups, "v1") not in (owner, "") and _state(s.groups, "v1") == "online",
            "another node coordinates it",
        )
        cluster.lab.wait(lambda: show(cluster).nodes[owner].why == "read-only file system", 30, "it is said why")
    finally:
        cluster.lab.exec(owner, "umount", str(volume))


def test_a_vm_whose_storage_hangs_is_started_nowhere_else_while_its_qemu_is_there(
    cluster: LabCluster, volume: Path, tmp_path: Path
) -> None:
    """Its QEMU cannot be killed while the kernel waits. Nothing starts elsewhere; it runs once after."""
    with storage_of(cluster, "n1", volume, tmp_path) as storage:
        cluster.protect("beacon", "web", preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
        storage.send_signal(signal.SIGUSR1)
        cluster.lab.wait(lambda: show(cluster).nodes["n1"].state == "unavailable", 60, "n1 says that it is lost")
        assert "does not answer" in show(cluster).nodes["n1"].why
        # On another node may stand what a migration had begun to bring there; but nothing of the guest runs.
        before, ends_s = cluster.outputs(["web"], ["n2", "n3"]), time.monotonic() + LIMIT_S + HELD_S
        while time.monotonic() < ends_s:
            assert cluster.owner("web") == "n1"
            assert cluster.outputs(["web"], ["n2", "n3"]) == before
            time.sleep(0.2)
        storage.send_signal(signal.SIGUSR2)
        cluster.wait(
            lambda s: _state(s.groups, "web") == "online" and cluster.running() == {"web": [_owner(s.groups, "web")]},
            "it runs, once, where its owner is",
            180,
        )


@contextmanager
def storage_of(cluster: LabCluster, node: str, path: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """From now on that node reaches the directory through a file system that can be told to hang."""
    init = cluster.lab.node(node).init.read_text().strip()
    ready = log / "storage.log"
    command = [sys.executable, "-m", "lab.fuse_passthrough", str(path), str(path), init, str(ready)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as server:
        try:
            cluster.lab.wait(ready.exists, 20, "the storage is mounted")
            yield server
        finally:
            server.send_signal(signal.SIGUSR2)
            cluster.lab.exec(node, "umount", "-l", str(path))
            server.kill()


def _owner(groups: tuple[GroupRow, ...], name: str) -> str:
    return next((row.owner for row in groups if row.name == name), "")


# --- images -----------------------------------------------------------------------------------------------------------


def test_images_are_made_through_the_coordinator_from_every_node(cluster: LabCluster, volume: Path) -> None:
    told = cluster.lab.run("n2", "outlast", "volume", "create", "v1", "made.qcow2", "1G")
    assert told.returncode == 0, told.stderr
    assert info(volume / "made.qcow2")["virtual-size"] == GIB
    assert change(cluster, "resize", "made.qcow2", bytes=2 * GIB).stage == "done"
    assert info(volume / "made.qcow2")["virtual-size"] == 2 * GIB
    assert change(cluster, "snapshot", "made.qcow2", tag="before").stage == "done"
    told = cluster.lab.run("n3", "outlast", "volume", "image", "v1", "made.qcow2", "--json")
    assert json.loads(told.stdout)["tags"] == ["before"]
    again = cluster.lab.run("n1", "outlast", "volume", "create", "v1", "made.qcow2", "1G")
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert change(cluster, "delete", "made.qcow2").stage == "done"
    assert not (volume / "made.qcow2").exists()


def test_the_disk_of_a_vm_is_changed_only_while_the_vm_is_off(cluster: LabCluster, volume: Path) -> None:
    cluster.protect("beacon", "web", preferred_owners=["n1"], offline_timeout_s=SHUTDOWN_S)
    (row,) = [one for one in cluster.call("volume.images", name="v1") if one["used_by"] == ["web"]]
    image, size = row["image"], row["bytes"]
    with pytest.raises(ControlError, match="which is wanted online"):
        change(cluster, "resize", image, bytes=size + 2**20)
    cluster.call("group.offline", name="web", stop="turn_off")
    cluster.wait(lambda s: _state(s.groups, "web") == "offline", "it is off")
    with pytest.raises(ControlError, match="it is a disk of the VM web"):
        change(cluster, "delete", image)
    assert change(cluster, "resize", image, bytes=size + 2**20).stage == "done"
    assert info(volume / image)["virtual-size"] == size + 2**20
    cluster.call("group.online", name="web")
    cluster.wait_online("web")


def test_a_coordinator_that_loses_power_in_mid_change_leaves_no_half_image(cluster: LabCluster, volume: Path) -> None:
    row = show(cluster)
    other = next(name for name in ("n1", "n2", "n3") if name != row.coordinator)
    asked = cluster.client(other).call(
        "volume.create",
        {"volume": "v1", "image": "big.raw", "bytes": 20 * GIB, "format": "raw", "full": True},
        type=ChangeRow,
    )
    cluster.lab.wait(lambda: list((volume / ".outlast").glob("made-*")), 30, "it is being made")
    cluster.lab.power_off(row.coordinator)
    last = over(cluster, asked)
    assert (last.stage, last.node) == ("cut short", row.coordinator)
    assert last.words == f"cut short on {row.coordinator}; there is no image big.raw now"
    assert not (volume / "big.raw").exists()
    assert list((volume / ".outlast").glob("made-*")) == []
    assert show(cluster).coordinator not in (row.coordinator, "")
    assert change(cluster, "create", "small.qcow2", bytes=GIB).stage == "done"
    assert change(cluster, "delete", "small.qcow2").stage == "done"


def test_a_coordinator_whose_services_are_frozen_changes_nothing_any_more(cluster: LabCluster, volume: Path) -> None:
    """It loses its session in mid-change: its permit ends, and before anybody else coordinates nothing of it runs."""
    owner = show(cluster).coordinator
    other = next(name for name in ("n1", "n2", "n3") if name != owner)
    asked = cluster.client(other).call(
        "volume.create",
        {"volume": "v1", "image": "big.raw", "bytes": 20 * GIB, "format": "raw", "full": True},
        type=ChangeRow,
    )
    cluster.lab.wait(lambda: list((volume / ".outlast").glob("made-*")), 30, "it is being made")
    cluster.lab.freeze(owner, "outlastd")
    try:
        cluster.wait(lambda s: _owner(s.groups, "v1") not in (owner, ""), "another node coordinates it", 120)
        last = over(cluster, asked)
    finally:
        if cluster.lab.is_on(owner):
            cluster.lab.thaw(owner, "outlastd")
    assert last.stage == "cut short"
    assert list((volume / ".outlast").glob("made-*")) == []
    assert not (volume / "big.raw").exists()


def test_the_coordinators_of_several_volumes_are_spread_over_the_nodes(cluster: LabCluster, volume: Path) -> None:
    more = [cluster.lab.paths.shared / name for name in ("v2", "v3")]
    for path in more:
        path.mkdir(exist_ok=True)
        add(cluster, path.name, path)
    found = {name: show(cluster, name).coordinator for name in ("v1", "v2", "v3")}
    assert sorted(found.values()) == ["n1", "n2", "n3"]
