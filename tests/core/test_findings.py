"""What of the shared volumes would not work when it is needed?"""

import msgspec
from volume_builders import VOLUME, cluster

from outlast.core.volume.findings import volume_findings
from outlast.model.volume import VolumeState


def test_nothing_is_found_where_every_node_sees_it() -> None:
    assert volume_findings(cluster()) == ()


def test_a_node_that_has_lost_it_is_grave_and_one_that_says_nothing_is_not() -> None:
    found = volume_findings(cluster(lost=("n1",), silent=("n2",)))
    assert [(one.about, one.grave, one.problem) for one in found] == [
        (VOLUME, True, "it is unavailable on n1: read-only file system"),
        (VOLUME, False, "n2 has not said whether it sees the volume"),
    ]


def test_a_full_volume_is_found() -> None:
    seen = cluster()
    full = {
        name: msgspec.structs.replace(session, volumes=(VolumeState(VOLUME, is_full=True),))
        for name, session in seen.sessions.items()
    }
    found = volume_findings(msgspec.structs.replace(seen, sessions=full))
    assert [one.problem for one in found] == [f"it is full, as {name} sees it" for name in ("n1", "n2", "n3")]
