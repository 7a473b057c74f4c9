"""Which resources of a group are to be online, by all that administrators want of it?"""

import msgspec

import build
from outlast.core.group.intent import to_be_online, would_go_with
from outlast.model.group import Resource, Wanted

FILES = msgspec.structs.replace(build.group("files"), resources=("disk", "mirror", "share", "web"))


def resources(*off: str) -> dict[str, Resource]:
    needs = {"share": "disk or mirror", "web": "share"}
    return {
        name: msgspec.structs.replace(
            build.resource(name, group="files"),
            depends_on=needs.get(name, ""),
            wanted=Wanted.OFFLINE if name in off else Wanted.ONLINE,
        )
        for name in FILES.resources
    }


def test_all_of_a_group_that_is_wanted_online() -> None:
    assert to_be_online(FILES, resources()) == {"disk", "mirror", "share", "web"}


def test_nothing_of_one_that_is_wanted_offline() -> None:
    assert to_be_online(msgspec.structs.replace(FILES, wanted=Wanted.OFFLINE), resources()) == frozenset()


def test_what_is_wanted_offline_is_not_and_others_that_can_do_without_are() -> None:
    assert to_be_online(FILES, resources("disk")) == {"mirror", "share", "web"}


def test_what_needs_it_is_not_either_and_so_on() -> None:
    assert to_be_online(FILES, resources("disk", "mirror")) == frozenset()


def test_a_resource_whose_record_is_gone_is_nobodys_intent() -> None:
    known = resources()
    del known["web"]
    assert to_be_online(FILES, known) == {"disk", "mirror", "share"}


def test_what_needs_a_resource_goes_with_it_and_what_has_another_one_stays() -> None:
    assert would_go_with("share", FILES, resources()) == ("web",)
    assert would_go_with("disk", FILES, resources()) == ()
    assert would_go_with("mirror", FILES, resources("disk")) == ("share", "web")
