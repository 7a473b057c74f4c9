"""The resource type `shared_volume` on a plain directory: what is seen of it, and images made by the real qemu-img.

A directory that hangs, is read-only or not mounted on one node: tests/lab/test_shared_volumes.py.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Json, Refusal, Spec
from outlast.plugin_contract import RecordingHost
from outlast.resources.shared_volume import SharedVolumeType, programs
from outlast.resources.shared_volume.type import SharedVolume

ID = f"test-{os.getpid()}"
MIB = 2**20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.mkdir()
    plugin = SharedVolumeType(RecordingHost())
    assert plugin.control("mark", {"path": str(path), "id": ID}) == ID
    return path


@pytest.fixture
def volume(root: Path, tmp_path: Path) -> Iterator[SharedVolume]:
    """Its coordinator."""
    spec = Spec("v", "shared_volume", identity=ID, properties={"path": str(root), "directory": str(tmp_path / "run")})
    plugin = SharedVolumeType(RecordingHost())
    opened = plugin.open(spec)
    opened.online(lambda _word: None)
    yield opened
    opened.terminate()
    plugin.close()


# --- is it seen? ------------------------------------------------------------------------------------------------------


def test_a_volume_is_seen_where_its_node_can_write_to_it(root: Path) -> None:
    seen = _see(root)
    assert seen["why"] == ""
    assert seen["free_mib"] > 0
    assert (root / ".outlast" / "node-n1").read_text().startswith(f"{ID} n1 ")


def test_an_empty_directory_is_not_the_volume(tmp_path: Path) -> None:
    assert "is it mounted?" in _see(tmp_path)["why"]


def test_another_volume_is_not_the_volume(root: Path) -> None:
    (root / ".outlast" / "volume").write_text("another\n")
    assert "another volume" in _see(root)["why"]


def test_a_directory_that_is_a_volume_already_stays_the_one_that_it_is(root: Path) -> None:
    assert SharedVolumeType(RecordingHost()).control("mark", {"path": str(root), "id": "new"}) == ID


def test_what_is_no_directory_becomes_no_volume(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no directory"):
        SharedVolumeType(RecordingHost()).control("mark", {"path": str(tmp_path / "none"), "id": ID})


def test_who_watches_is_told_when_it_goes_and_comes_back(root: Path) -> None:
    plugin = SharedVolumeType(RecordingHost())
    try:
        _until(lambda: _watched(plugin, root) == "")
        (root / ".outlast").rename(root / "away")
        _until(lambda: "is it mounted?" in (_watched(plugin, root) or ""))
        (root / "away").rename(root / ".outlast")
        _until(lambda: _watched(plugin, root) == "")
    finally:
        plugin.close()


def test_nobody_coordinates_what_he_does_not_see(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / ".outlast")
    spec = Spec("v", "shared_volume", identity=ID, properties={"path": str(root), "directory": str(tmp_path / "run")})
    with pytest.raises(CannotStart, match="is it mounted"):
        SharedVolumeType(RecordingHost()).open(spec).online(lambda _word: None)


# --- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["qcow2", "raw"])
def test_an_image_is_made_by_qemu_img_and_listed(volume: SharedVolume, root: Path, kind: str) -> None:
    assert _change(volume, "create", "web.img", format=kind, bytes=8 * MIB) == "web.img was created"
    info = _info(root / "web.img")
    assert (info["format"], info["virtual-size"]) == (kind, 8 * MIB)
    (row,) = _images(root)
    assert (row["image"], row["format"], row["bytes"]) == ("web.img", kind, 8 * MIB)
    assert sorted(os.listdir(root / ".outlast")) == [f"node-{socket.gethostname()}-once", "volume"]


def test_an_image_that_exists_is_not_made_again(volume: SharedVolume, root: Path) -> None:
    (root / "web.img").write_text("precious")
    with pytest.raises(Refusal, match="already"):
        _change(volume, "create", "web.img", format="qcow2", bytes=MIB)
    assert (root / "web.img").read_text() == "precious"


@pytest.mark.parametrize("name", ["../web.img", "out/web.img", "/etc/passwd"])
def test_nothing_leads_out_of_the_volume(volume: SharedVolume, root: Path, name: str) -> None:
    (root / "out").symlink_to(root.parent)
    with pytest.raises(Refusal, match="not on the volume"):
        _change(volume, "create", name, format="qcow2", bytes=MIB)


def test_an_image_is_made_of_another(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "a.img", format="raw", bytes=MIB)
    (root / "a.img").write_bytes(b"guest" + bytes(MIB - 5))
    _change(volume, "create", "b.img", format="qcow2", source="a.img")
    copy = root / "copy"
    subprocess.run(["qemu-img", "convert", "-O", "raw", root / "b.img", copy], check=True)
    assert copy.read_bytes() == (root / "a.img").read_bytes()


def test_an_image_grows_and_never_shrinks(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "web.img", format="qcow2", bytes=8 * MIB)
    _change(volume, "resize", "web.img", bytes=16 * MIB)
    assert _info(root / "web.img")["virtual-size"] == 16 * MIB
    with pytest.raises(Refusal, match="not made smaller"):
        _change(volume, "resize", "web.img", bytes=4 * MIB)
    assert _info(root / "web.img")["virtual-size"] == 16 * MIB


def test_a_snapshot_is_taken_restored_and_dropped(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "web.img", format="qcow2", bytes=MIB)
    _write(root / "web.img", "0x11")
    _change(volume, "snapshot", "web.img", action="take", tag="before")
    _write(root / "web.img", "0x22")
    _change(volume, "snapshot", "web.img", action="restore", tag="before")
    assert _holds(root / "web.img", "0x11")
    with pytest.raises(Refusal, match="already"):
        _change(volume, "snapshot", "web.img", action="take", tag="before")
    _change(volume, "snapshot", "web.img", action="drop", tag="before")
    assert "snapshots" not in _info(root / "web.img")


def test_an_image_that_others_are_based_on_is_not_deleted(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "base.img", format="qcow2", bytes=MIB)
    backed = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.img", str(root / "web.img")]
    subprocess.run(backed, check=True)
    with pytest.raises(Refusal, match="is based on it"):
        _change(volume, "delete", "base.img")
    _change(volume, "delete", "web.img")
    _change(volume, "delete", "base.img")
    assert _images(root) == []


def test_an_image_that_a_program_writes_to_is_not_deleted(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "web.img", format="qcow2", bytes=MIB)
    with subprocess.Popen(["qemu-io", root / "web.img"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin
        assert writer.stdout
        writer.stdin.write(b"write 0 4k\n")
        writer.stdin.flush()
        writer.stdout.readline()
        with pytest.raises(Refusal, match="lock"):
            _change(volume, "delete", "web.img")
        writer.stdin.close()
    assert (root / "web.img").exists()


# --- a coordinator that is lost in mid-change -------------------------------------------------------------------------


def test_a_change_that_is_cut_short_leaves_no_half_image(volume: SharedVolume, root: Path) -> None:
    begun = _begin(volume, "create", "web.img", format="raw", bytes=20_000 * MIB, full=True)
    _until(lambda: list((root / ".outlast").glob("made-*")))
    volume.terminate()
    assert programs.running(ID) == []
    assert not (root / "web.img").exists()
    volume.online(lambda _word: None)
    assert volume.control("recover", begun) == "there is no image web.img now"
    assert sorted(os.listdir(root / ".outlast")) == [f"node-{socket.gethostname()}-once", "volume"]


def test_another_host_ends_a_change_that_the_one_before_had_begun(volume: SharedVolume, root: Path) -> None:
    _begin(volume, "create", "web.img", format="raw", bytes=20_000 * MIB, full=True)
    _until(lambda: list((root / ".outlast").glob("made-*")))
    again = SharedVolumeType(RecordingHost()).open(
        Spec("v", "shared_volume", identity=ID, properties={"path": str(root), "directory": str(volume.file.parent)})
    )
    assert again.health().condition is Condition.ONLINE
    again.terminate()
    assert programs.running(ID) == []


def test_a_change_whose_program_dies_is_told_so(volume: SharedVolume, root: Path) -> None:
    begun = _begin(volume, "create", "web.img", format="raw", bytes=20_000 * MIB, full=True)
    _until(lambda: list((root / ".outlast").glob("made-*")))
    for pid in programs.running(ID):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refusal, match="ended with status"):
        _result(volume, begun)


def test_after_a_grown_image_was_cut_short_it_is_looked_at(volume: SharedVolume, root: Path) -> None:
    _change(volume, "create", "web.img", format="qcow2", bytes=MIB)
    begun = _request("resize", "web.img", bytes=2 * MIB)
    assert volume.control("recover", begun) == f"web.img has {MIB} bytes now, and is in order"


def test_nothing_begins_where_it_is_not_coordinated(volume: SharedVolume) -> None:
    volume.terminate()
    with pytest.raises(Refusal, match="not coordinated here"):
        _begin(volume, "create", "web.img", format="raw", bytes=MIB)


# --- what they are made of --------------------------------------------------------------------------------------------


def _see(root: Path) -> dict[str, Json]:
    seen: dict[str, Json] = SharedVolumeType(RecordingHost()).control(
        "see", {"name": "v", "path": str(root), "id": ID, "node": "n1"}
    )
    return seen


def _watched(plugin: SharedVolumeType, root: Path) -> str | None:
    told = plugin.control("watch", {"volumes": [{"name": "v", "path": str(root), "id": ID, "node": "n1"}]})
    return str(told["v"]["why"]) if "v" in told else None


def _images(root: Path) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = SharedVolumeType(RecordingHost()).control("images", {"path": str(root), "id": ID})
    return found


def _request(verb: str, image: str, **more: Json) -> dict[str, Json]:
    return {"verb": verb, "image": image, "id_of_change": f"c{time.monotonic_ns()}", "change": {"verb": verb}, **more}


def _begin(volume: SharedVolume, verb: str, image: str, **more: Json) -> dict[str, Json]:
    request = _request(verb, image, **more)
    volume.control("begin", request)
    return request


def _change(volume: SharedVolume, verb: str, image: str, **more: Json) -> str:
    return _result(volume, _begin(volume, verb, image, **more))


def _result(volume: SharedVolume, begun: dict[str, Json]) -> str:
    _until(lambda: volume.control("job", begun)["ended"])
    progress = volume.control("job", begun)
    if progress["problem"]:
        raise Refusal(progress["problem"])
    return str(progress["result"])


def _info(path: Path) -> dict[str, Json]:
    told = subprocess.run(["qemu-img", "info", "--output=json", path], check=True, capture_output=True).stdout
    found: dict[str, Json] = json.loads(told)
    return found


def _write(path: Path, pattern: str) -> None:
    subprocess.run(["qemu-io", "-c", f"write -P {pattern} 0 64k", path], check=True, capture_output=True)


def _holds(path: Path, pattern: str) -> bool:
    done = subprocess.run(["qemu-io", "-c", f"read -P {pattern} 0 64k", path], check=True, capture_output=True)
    return b"failed" not in done.stdout


def _until(condition: object, within_s: float = 60.0) -> None:
    assert callable(condition)
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, f"not within {within_s:g} s"
        time.sleep(0.02)
