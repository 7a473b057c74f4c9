"""What changed in a definition, in words."""

import msgspec
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


MADE = Features(1024, 2, machine="pc", cpu="Haswell", host_devices=("the PCI device 0000:01:00.0",))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("machine", "q35", "machine pc -> q35"),
        ("machine", "pc-q35-7.2", "machine pc -> pc-q35-7.2"),
        ("cpu", "host-passthrough", "CPU Haswell -> host-passthrough"),
        ("cpu", "Haswell-noTSX", "CPU Haswell -> Haswell-noTSX"),
        ("host_devices", (), "a host device removed: the PCI device 0000:01:00.0"),
    ],
)
def test_another_machine_cpu_or_host_device_makes_it_unknown_as_well_and_is_told(
    field: str, value: object, words: str
) -> None:
    now = msgspec.structs.replace(MADE, **{field: value})
    assert elsewhere_unknown(MADE, now)
    assert changes(MADE, now) == words


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (Features(machine="pc"), Features(machine="pc-i440fx-7.2")),
        (Features(machine="q35"), Features(machine="pc-q35-7.2")),
        (Features(machine="virt"), Features(machine="virt-7.2")),
        (Features(), Features(machine="pc-i440fx-7.2", cpu="qemu64")),
    ],
)
def test_what_libvirt_writes_out_of_what_was_left_open_is_no_change(was: Features, now: Features) -> None:
    assert not elsewhere_unknown(was, now)
    assert changes(was, now) == "its definition"
