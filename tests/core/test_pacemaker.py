"""VMs of a Pacemaker cluster: definitions to the letter, meta attributes as settings, all else in the report."""

import pytest

from importing_samples import DOMAIN, level, sample
from outlast.core.importing import pacemaker
from outlast.core.importing.places import NotImportable
from outlast.model.imported import Import, Imported, Level

FILES = {"/etc/pacemaker/vm/db.xml": DOMAIN.format("db"), "/etc/pacemaker/vm/web.xml": DOMAIN.format("web")}


def cib(*changes: tuple[str, str], name: str = "") -> Import:
    """The sample, with some text in it replaced."""
    text = sample("cib.xml")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return pacemaker.convert(text, FILES, name=name)


def vms(*changes: tuple[str, str]) -> tuple[Imported, Imported]:
    db, web = cib(*changes).vms
    return db, web


def test_the_files_to_read_are_those_that_the_primitives_name() -> None:
    assert pacemaker.definition_files(sample("cib.xml")) == tuple(FILES)
    assert pacemaker.definition_files(sample("cib.xml"), "vm-web") == ("/etc/pacemaker/vm/web.xml",)


def test_a_definition_is_kept_to_the_letter_and_gives_the_vm_its_name() -> None:
    db, web = vms()
    assert (db.name, web.name) == ("db", "web")
    assert db.definition == FILES["/etc/pacemaker/vm/db.xml"]


def test_meta_attributes_and_operations_become_settings() -> None:
    db, web = vms()
    assert db.group == {"priority": "high", "failback": "now"}
    assert db.resource == {"restart_threshold": "2", "restart_period_s": "600", "online_timeout_s": "240"}
    assert (db.is_alive_interval_s, db.offline_timeout_s) == (10.0, 300.0)
    assert (db.possible_owners, db.preferred_owners) == (("kvm1", "kvm2"), ("kvm1", "kvm2"))
    assert (db.wanted_online, web.wanted_online) == (True, False)
    assert web.group == {"start_after": "db"}


def test_without_a_threshold_the_vm_moves_when_it_fails_and_that_is_said() -> None:
    _, web = vms()
    assert "restart_threshold" not in web.resource
    assert level(web, "migration-threshold") is Level.CHANGED


def test_who_sticks_where_it_is_does_not_go_back() -> None:
    db, _ = vms(('name="resource-stickiness" value="1"', 'name="resource-stickiness" value="INFINITY"'))
    assert "failback" not in db.group


def test_one_vm_alone_can_be_chosen_and_the_others_are_named() -> None:
    found = cib(name="vm-web")
    assert [vm.name for vm in found.vms] == ["web"]
    assert "not chosen" in next(one.words for one in found.findings if one.what == "vm-db")
    assert found.vms[0].group == {}  # what is not taken in, nothing can start after
    assert level(found.vms[0], "db-then-web") is Level.LOST


def test_what_is_no_vm_is_named_too() -> None:
    found = {finding.what: finding for finding in cib().findings}
    assert "IPaddr2 is no VM" in found["ip"].words
    assert found["stonith-enabled"].level is Level.LOST


def test_every_parameter_meta_attribute_and_operation_is_in_the_report() -> None:
    db, _ = vms()
    expected = {
        *("config", "hypervisor", "migration_transport", "allow-migrate", "priority", "migration-threshold"),
        *("failure-timeout", "resource-stickiness", "monitor interval", "monitor timeout", "start timeout"),
        *("stop timeout", "stop on-fail", "utilization hv_memory", "db-on-1", "db-on-2", "db-not-3"),
    }
    assert expected - {finding.what for finding in db.findings} == set()


def test_another_hypervisor_is_not_kept() -> None:
    db, _ = vms(("qemu:///system", "xen:///system"))
    assert level(db, "hypervisor") is Level.LOST


def test_what_pacemaker_leaves_alone_may_be_taken_in_while_it_runs() -> None:
    assert [vm.unmanaged for vm in vms()] == [False, False]
    one = vms(('name="target-role" value="Stopped"', 'name="is-managed" value="false"'))
    assert [vm.unmanaged for vm in one] == [False, True]
    everything = vms(('name="no-quorum-policy" value="stop"', 'name="maintenance-mode" value="true"'))
    assert [vm.unmanaged for vm in everything] == [True, True]


def test_the_report_says_that_pacemaker_must_let_go() -> None:
    assert "pcs resource disable" in next(one.words for one in cib().findings if one.what == "Pacemaker")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('type="VirtualDomain"', 'type="Dummy"'), "no primitive of"),
        (('name="config" value="/etc/pacemaker/vm/web.xml"', 'name="x" value="y"'), "no parameter config"),
    ],
)
def test_a_cib_without_vms_or_definitions_is_refused(change: tuple[str, str], words: str) -> None:
    with pytest.raises(NotImportable, match=words):
        cib(change)


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(NotImportable, match="vm-db, vm-web"):
        cib(name="web")


def test_a_broken_definition_is_refused_with_its_path() -> None:
    with pytest.raises(NotImportable, match=r"/etc/pacemaker/vm/db\.xml"):
        pacemaker.convert(sample("cib.xml"), {**FILES, "/etc/pacemaker/vm/db.xml": "<domain>"})
