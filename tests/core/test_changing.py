"""May an image on a shared volume be changed now, and what waits for that?"""

from typing import Any

import msgspec
import pytest
from volume_builders import VOLUME, cluster, volume

from build import silence, status
from outlast.core.volume.changing import held_up, no_name, rests_on, why_not
from outlast.core.volume.volumes import volume_of, volumes
from outlast.model import keys
from outlast.model.group import Wanted
from outlast.model.node import ProofKind
from outlast.model.status import State
from outlast.model.view import ClusterView
from outlast.model.volume import Stage, Verb, VolumeChange


def change(
    verb: Verb = Verb.RESIZE, image: str = "web.img", stage: Stage = Stage.ASKED, **arguments: Any
) -> VolumeChange:
    return VolumeChange("c1", VOLUME, verb, image, arguments, stage=stage)


def off(**more: Any) -> ClusterView:
    """`web` is off, as its owner says, and that on purpose."""
    seen = cluster(wanted=Wanted.OFFLINE, **more)
    return msgspec.structs.replace(seen, statuses={**seen.statuses, "web": status(seen.groups["web"], State.OFFLINE)})


def refused(asked: VolumeChange, seen: ClusterView) -> str:
    known = volume_of(volume(VOLUME, "/srv/v1"))
    assert known is not None
    return why_not(asked, known, seen)


@pytest.mark.parametrize("asked", [change(), change(Verb.SNAPSHOT), change(Verb.CREATE, "copy.img", source="web.img")])
def test_a_vms_disk_is_changed_or_copied_only_while_the_vm_is_off_on_purpose(asked: VolumeChange) -> None:
    assert refused(asked, cluster()) == (
        "it is a disk of the VM web, which is wanted online; first: `outlast vm shutdown web`"
    )
    assert refused(asked, off()) == ""


@pytest.mark.parametrize("state", [State.ONLINE, State.OFFLINE_PENDING, State.ONLINE_PENDING, State.UNKNOWN])
def test_what_is_wanted_off_and_may_still_run_keeps_its_disk(state: State) -> None:
    seen = cluster(wanted=Wanted.OFFLINE)
    seen = msgspec.structs.replace(seen, statuses={**seen.statuses, "web": status(seen.groups["web"], state)})
    assert "which may run" in refused(change(), seen)


def test_a_silent_owner_may_run_it_until_its_death_is_proven() -> None:
    seen = off()
    silent = msgspec.structs.replace(seen, silences={"n1": silence("n1")})
    assert "which may run: n1, which owns it, is silent" in refused(change(), silent)
    dead = msgspec.structs.replace(seen, silences={"n1": silence("n1", proof=ProofKind.FENCE)})
    assert refused(change(), dead) == ""


def test_a_vms_disk_is_never_deleted() -> None:
    assert "it is a disk of the VM web; take it out of its definition" in refused(change(Verb.DELETE), off())


@pytest.mark.parametrize("verb", [Verb.RESIZE, Verb.DELETE, Verb.SNAPSHOT, Verb.CREATE])
def test_what_is_no_vms_disk_is_free(verb: Verb) -> None:
    assert refused(change(verb, "other.img"), cluster()) == ""


def test_a_new_image_may_be_the_disk_of_a_vm_that_has_none_yet() -> None:
    assert refused(change(Verb.CREATE), cluster()) == ""


def test_the_change_rests_on_the_records_of_the_vms_that_have_the_image() -> None:
    known = volume_of(volume(VOLUME, "/srv/v1"))
    assert known is not None
    assert rests_on(change(), known, off()) == [
        keys.GROUPS + "web",
        keys.RESOURCES + "web",
        keys.SILENCES + "n1",
        keys.STATUS + "web",
    ]
    assert rests_on(change(image="other.img"), known, off()) == []


@pytest.mark.parametrize(
    ("stage", "image", "waits"),
    [
        (Stage.RUNNING, "web.img", True),
        (Stage.ASKED, "web.img", False),
        (Stage.DONE, "web.img", False),
        (Stage.CUT_SHORT, "web.img", False),
        (Stage.RUNNING, "other.img", False),
    ],
)
def test_while_its_disk_is_changed_a_vm_is_not_started(stage: Stage, image: str, waits: bool) -> None:
    seen = cluster()
    held = held_up(seen.groups["web"], seen.resources, volumes(seen.resources), [change(image=image, stage=stage)])
    assert held == (f"the end of a change (resize) of {image} on the volume {VOLUME}" if waits else "")


def test_nor_while_it_is_copied() -> None:
    seen = cluster()
    copies = change(Verb.CREATE, "copy.img", Stage.RUNNING, source="web.img")
    assert held_up(seen.groups["web"], seen.resources, volumes(seen.resources), [copies])


@pytest.mark.parametrize("name", ["web.img", "vms/web.img", "a b.qcow2", "größe.img", ".hidden"])
def test_the_name_of_an_image_is_its_path_below_the_volume(name: str) -> None:
    assert no_name(name) == ""


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../web.img", "vms/../../web.img", "vms/", "./web.img", ".outlast/volume", "a\nb"]
)
def test_other_names_are_none(name: str) -> None:
    assert no_name(name) != ""
