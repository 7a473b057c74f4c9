"""Which shared volumes does a group need, and where is it no place for it?"""

import pytest
from volume_builders import VOLUME, cluster, volume

from build import group, resource, session, view
from outlast.core.placement import placement
from outlast.core.placement.placed import Placed
from outlast.core.volume.volumes import NEVER_S, images, lies_on, needed, volume_of, volumes
from outlast.model.group import Resource
from outlast.model.volume import VolumeState


@pytest.mark.parametrize(
    ("disk", "path", "expected"),
    [
        ("/srv/a/web.img", "/srv/a", True),
        ("/srv/a/deep/web.img", "/srv/a", True),
        ("/srv/a", "/srv/a", True),
        ("/srv/ab/web.img", "/srv/a", False),
        ("/srv/web.img", "/srv/a", False),
        ("pool/web.img", "/pool", False),
        ("", "/srv/a", False),
    ],
)
def test_a_disk_lies_on_a_volume_when_its_path_is_below_that_of_the_volume(
    disk: str, path: str, expected: bool
) -> None:
    assert lies_on(disk, path) is expected


def test_a_vm_needs_the_volumes_below_whose_paths_its_disks_lie() -> None:
    web = group("web")
    known = {"a": volume("a", "/srv/a"), "b": volume("b", "/srv/b")}
    found = volumes({one.name: one for one in known.values()})
    vm = resource("web", disks=("/srv/b/web.img", "/var/seed.iso"))
    assert [one.name for one in needed(web, found, {"web": vm, **known})] == ["b"]


def test_the_group_of_a_volume_needs_the_volume() -> None:
    known = {"a": volume("a", "/srv/a")}
    found = volumes(known)
    assert [one.name for one in needed(group("a"), found, known)] == ["a"]


def test_what_is_no_volume_is_none() -> None:
    assert volume_of(resource("web")) is None


@pytest.mark.parametrize(("written", "expected"), [(5, 5.0), (-1, NEVER_S), ("nonsense", 60.0), (None, 60.0)])
def test_the_limit_is_that_of_its_properties(written: object, expected: float) -> None:
    record = Resource("a", "shared_volume", "a", properties={"path": "/srv/a", "limit_s": written})
    found = volume_of(record)
    assert found is not None
    assert found.limit_s == expected


def test_a_node_that_has_told_that_the_volume_is_lost_is_no_place() -> None:
    seen = cluster(lost=("n2",))
    why = placement.why_not(seen.groups["web"], "n2", Placed(seen))
    assert why == f"{VOLUME}: the volume is unavailable there: read-only file system"


def test_a_node_that_has_told_nothing_is_as_it_was_before() -> None:
    seen = cluster(silent=("n3",))
    assert placement.why_not(seen.groups["web"], "n3", Placed(seen)) == ""


def test_what_does_not_lie_on_it_goes_everywhere() -> None:
    other = group("other")
    seen = view(
        other,
        sessions=[session(name, volumes=(VolumeState(VOLUME, "gone"),)) for name in ("n1", "n2", "n3")],
        resources=[resource("other", disks=("/var/other.img",)), volume(VOLUME, "/srv/a")],
    )
    assert placement.candidates(other, Placed(seen)).nodes == ("n2", "n3", "n1")


def test_the_coordinators_of_volumes_are_spread() -> None:
    seen = cluster(volumes_on={"v1": "n2", "v2": "n3", "v3": ""})
    assert placement.candidates(seen.groups["v3"], Placed(seen)).nodes[0] == "n1"


def test_it_is_known_which_images_are_some_vms_disks() -> None:
    found = volume_of(volume("a", "/srv/a"))
    assert found is not None
    vms = [resource("web", disks=("/srv/a/vms/web.img", "/srv/b/data.img")), resource("db", disks=("/srv/a/db.img",))]
    assert images(found, vms) == {"vms/web.img": ["web"], "db.img": ["db"]}
