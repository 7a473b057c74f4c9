"""Shared volumes and the images on them: what people and scripts see."""

import json

import pytest

from command_line import Outlast
from fake_service import FakeService, Result, Stream
from outlast.model.answers import Foretold
from outlast.model.volume_answers import ChangeRow, ImageRow, SeenFrom, VolumeRow

pytest_plugins = ("cli_fixtures",)

GIB = 2**30
SEEN = {"n1": SeenFrom("unavailable", "read-only file system"), "n2": SeenFrom("direct"), "n3": SeenFrom("direct")}
V1 = VolumeRow("v1", "/srv/v1", "online", "n2", "", 60.0, SEEN, ("web",))
ASKED = ChangeRow("c1", "v1", "web.img", "create", "asked")
RUNNING = ChangeRow("c1", "v1", "web.img", "create", "running", "n2", 40)
DONE = ChangeRow("c1", "v1", "web.img", "create", "done", "n2", 100, "web.img was created")
REFUSED = ChangeRow("c1", "v1", "web.img", "create", "refused", "n2", 0, "there is an image web.img already")


def test_volumes_are_listed_with_where_they_are_lost(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["volume.list"] = Result([V1])
    assert outlast("volume", "list").lines() == [
        "volume  path     state   coordinator  unavailable on  groups  why",
        "v1      /srv/v1  online  n2           n1              1       n1: read-only file system",
    ]


def test_one_volume_is_shown_node_by_node(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["volume.show"] = Result(V1)
    out = outlast("volume", "show", "v1").out
    assert "n1    unavailable  read-only file system" in out
    assert "n2    direct" in out


def test_an_image_is_asked_for_and_waited_for(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"volume.create": Result(ASKED), "volume.wait": Stream([ASKED, RUNNING, DONE])}
    ended = outlast("volume", "create", "v1", "web.img", "20G")
    assert (ended.code, ended.lines()) == (0, ["web.img was created"])
    asked = {"volume": "v1", "image": "web.img", "what_if": False, "bytes": 20 * GIB}
    assert fake.arguments("volume.create") == {**asked, "format": "qcow2", "source": "", "full": False}


def test_what_was_refused_is_an_error_that_says_why(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"volume.create": Result(ASKED), "volume.wait": Stream([REFUSED])}
    ended = outlast("volume", "create", "v1", "web.img", "20G")
    assert ended.code == 1
    assert "cannot create web.img on v1: there is an image web.img already" in ended.err


def test_nobody_has_to_wait(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["volume.resize"] = Result(ASKED)
    ended = outlast("volume", "resize", "v1", "web.img", "512M", "--wait", "0")
    assert ended.code == 0
    assert fake.arguments("volume.resize")["bytes"] == 512 * 2**20
    assert fake.verbs() == ["volume.resize"]


def test_in_json_the_last_row_is_told(fake: FakeService, outlast: Outlast) -> None:
    fake.answers |= {"volume.delete": Result(ASKED), "volume.wait": Stream([RUNNING, DONE])}
    told = json.loads(outlast("volume", "delete", "v1", "web.img", "--json").out)
    assert (told["stage"], told["words"]) == ("done", "web.img was created")


@pytest.mark.parametrize(("options", "action"), [((), "take"), (("--restore",), "restore"), (("--drop",), "drop")])
def test_snapshots_are_taken_restored_and_dropped(
    fake: FakeService, outlast: Outlast, options: tuple[str, ...], action: str
) -> None:
    fake.answers |= {"volume.snapshot": Result(ASKED), "volume.wait": Stream([DONE])}
    outlast("volume", "snapshot", "v1", "web.img", "before", *options)
    assert fake.arguments("volume.snapshot")["action"] == action


@pytest.mark.parametrize(
    "words",
    [
        ("volume", "create", "v1", "web.img", "lots"),
        ("volume", "create", "v1", "web.img", "1G", "--format", "vmdk"),
        ("volume", "snapshot", "v1", "web.img", "t", "--drop", "--restore"),
        ("volume", "set", "v1", "--limit-s", "soon"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(fake: FakeService, outlast: Outlast, words: tuple[str, ...]) -> None:
    assert outlast(*words).code == 2
    assert fake.asked == []


def test_images_are_listed_with_whose_disks_they_are(fake: FakeService, outlast: Outlast) -> None:
    rows = [ImageRow("web.img", "qcow2", 20 * GIB, GIB, 2, used_by=("web",)), ImageRow("a.iso", "raw", 4096, 4096)]
    fake.answers["volume.images"] = Result(rows)
    assert outlast("volume", "images", "v1").lines() == [
        "image    format  size    on disk  snapshots  used by",
        "web.img  qcow2   20 GiB  1 GiB    2          web",
        "a.iso    raw     4 KiB   4 KiB",
    ]


def test_a_limit_is_seconds_or_never(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["volume.set"] = Result(V1)
    outlast("volume", "set", "v1", "--limit-s", "never")
    assert fake.arguments("volume.set") == {"name": "v1", "limit_s": -1.0}


def test_what_a_removal_would_do_is_told_and_nothing_is_taken_offline(fake: FakeService, outlast: Outlast) -> None:
    fake.answers["volume.remove"] = Result(Foretold("v1", "v1 would be no volume of the cluster any more"))
    assert outlast("volume", "remove", "v1", "--what-if").lines() == ["v1 would be no volume of the cluster any more"]
    assert fake.verbs() == ["volume.remove"]
