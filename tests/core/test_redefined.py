"""What changed in a definition, in words."""

import pytest

from outlast.core.owner.redefined import changes, elsewhere_unknown
from outlast.model.health import Features

WAS = Features(1024, 2, ("/srv/a.img",), ("br0",))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Features(2048, 2, ("/srv/a.img",), ("br0",)), "memory 1024 -> 2048 MiB"),
        (Features(1024, 4, ("/srv/a.img",), ("br0",)), "2 -> 4 vCPU"),
        (Features(1024, 2, ("/srv/a.img", "/srv/b.img"), ("br0",)), "a disk added: /srv/b.img"),
        (Features(1024, 2, ("/srv/b.img",), ("br0",)), "disk /srv/a.img -> /srv/b.img"),
        (Features(1024, 2, ("/srv/a.img",), ("br1",)), "network br0 -> br1"),
        (Features(1024, 2, ("/srv/a.img",), ("br0", "br0")), "a network added: br0"),
        (Features(1024, 2, ("/srv/a.img",), ()), "a network removed: br0"),
        (
            Features(512, 2, ("/a", "/b", "/c", "/d", "/srv/a.img"), ("br0",)),
            "memory 1024 -> 512 MiB, 4 disks added: /a, /b, /c and 1 more",
        ),
        (WAS, "its definition"),
    ],
)
def test_it_is_said_what_changed(now: Features, words: str) -> None:
    assert changes(WAS, now) == words


def test_only_another_disk_or_network_makes_it_unknown_who_could_run_it() -> None:
    assert not elsewhere_unknown(WAS, Features(9, 9, ("/srv/a.img",), ("br0",)))
    assert elsewhere_unknown(WAS, Features(1024, 2, ("/srv/b.img",), ("br0",)))
    assert elsewhere_unknown(WAS, Features(1024, 2, ("/srv/a.img",), ("br1",)))
