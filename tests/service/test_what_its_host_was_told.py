"""Does a resource's host know it as it is? If not, it is opened anew before its next start."""

import msgspec

import build
from outlast.service.hosting.local import Local


def changed(**changes: object) -> Local:
    resource = build.resource("share", type="dummy", group="files")
    local = Local(resource, 0.0)
    local.resource = msgspec.structs.replace(resource, **changes)
    return local


def test_what_was_made_anew_as_another_thing_is_not_what_its_host_was_told() -> None:
    assert changed(type="nfs").is_outdated
    assert changed(identity="other").is_outdated
    assert changed(properties={"size": 7}).is_outdated


def test_what_the_cluster_alone_minds_is_nothing_to_its_host() -> None:
    assert not changed().is_outdated
    assert not changed(depends_on="disk", restart_threshold=3, memory_mib=64, is_alive_interval_s=1.0).is_outdated
