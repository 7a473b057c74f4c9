"""What becomes of libvirt's own settings when a machine becomes a node, and ceases to be one."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from outlast.service.config import NodeConfig
from outlast.setup import libvirt
from outlast.setup.machine import Machine

THEIRS = 'log_level = 3\n# ca_file = "/nowhere"\nlisten_tls = 0\n'
CONFIG = NodeConfig("n1", "etcd")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path, f"s6:{tmp_path}/no-services")
    found.libvirt.mkdir(parents=True)
    return found


def set_up(machine: Machine, config: NodeConfig = CONFIG) -> str:
    return asyncio.run(libvirt.made_movable(machine, config, lambda words: None)).migration


def test_ours_stands_before_theirs_because_libvirt_takes_the_first_and_theirs_stays(machine: Machine) -> None:
    file = machine.libvirt / "libvirtd.conf"
    file.write_text(THEIRS)
    for _ in range(2):
        assert set_up(machine) == f"tls:{machine.migration}"
        assert file.read_text().endswith(THEIRS)
        assert file.read_text().count(f'ca_file = "{machine.authority}"') == 1
    assert (machine.migration / "clientkey.pem").readlink() == machine.key


def test_where_libvirt_looks_when_it_reads_its_certificate_anew_is_ours_unless_something_is_there(
    machine: Machine,
) -> None:
    theirs = machine.pki / "CA/cacert.pem"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("a company's")
    for path in (machine.certificate, machine.key):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ours")
    set_up(machine)
    assert theirs.read_text() == "a company's"
    assert (machine.pki / "libvirt/servercert.pem").read_text() == "ours"
    asyncio.run(libvirt.take_back(machine))
    assert [path for path in machine.pki.rglob("*") if not path.is_dir()] == [theirs]


def test_nothing_is_left_of_it(machine: Machine) -> None:
    file = machine.libvirt / "libvirtd.conf"
    file.write_text(THEIRS)
    set_up(machine)
    for _ in range(2):
        asyncio.run(libvirt.take_back(machine))
        assert file.read_text() == THEIRS
        assert not machine.migration.exists()


def test_where_libvirt_has_certificates_of_its_own_nothing_is_touched(machine: Machine) -> None:
    file = machine.libvirt / "libvirtd.conf"
    file.write_text(theirs := 'ca_file = "/etc/pki/CA/company.pem"\n')
    assert set_up(machine) == ""
    assert file.read_text() == theirs
    assert not machine.migration.exists()


def test_what_an_administrator_has_said_stands(machine: Machine) -> None:
    assert set_up(machine, msgspec.structs.replace(CONFIG, migration="tls:/my/own")) == "tls:/my/own"
    assert not (machine.libvirt / "libvirtd.conf").exists()
    assert set_up(machine, msgspec.structs.replace(CONFIG, migration="lab")) == f"lab:{machine.migration}"
