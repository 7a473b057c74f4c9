"""Pacemaker's CIB: scores, times, and what holds where a primitive says nothing."""

import pytest

from outlast.core.importing.cib import INFINITY, nodes, primitives, properties, root_of, score, seconds
from outlast.core.importing.places import NotImportable

INHERITED = """<cib><configuration><nodes><node uname="a"/><node uname="b"/></nodes><resources>
<template id="t" class="ocf" provider="heartbeat" type="VirtualDomain">
 <instance_attributes><nvpair name="hypervisor" value="qemu:///system"/></instance_attributes>
 <operations><op name="monitor" interval="20s"/></operations></template>
<group id="g"><meta_attributes><nvpair name="priority" value="5"/></meta_attributes>
 <primitive id="vm" template="t"><instance_attributes><nvpair name="config" value="/x.xml"/></instance_attributes>
 <meta_attributes><nvpair name="target-role" value="Stopped"/></meta_attributes></primitive></group>
<clone id="c"><primitive id="dlm" class="ocf" provider="pacemaker" type="controld"/></clone>
</resources><rsc_defaults><meta_attributes><nvpair name="priority" value="1"/></meta_attributes></rsc_defaults>
<crm_config><cluster_property_set><nvpair name="stonith-enabled" value="true"/></cluster_property_set></crm_config>
</configuration></cib>"""


@pytest.mark.parametrize(
    ("text", "value"),
    [("100", 100), ("-INFINITY", -INFINITY), ("+INFINITY", INFINITY), ("99999999", INFINITY), ("-5", -5), ("x", 0)],
)
def test_nothing_is_more_than_infinity(text: str, value: int) -> None:
    assert score(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("30", 30.0), ("30s", 30.0), ("5min", 300.0), ("PT1M", 60.0), ("250ms", 0.25), ("soon", None)]
)
def test_times_have_units(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_a_primitive_has_what_its_template_and_its_group_say() -> None:
    vm, dlm = primitives(root_of(INHERITED))
    assert vm.agent == "ocf:heartbeat:VirtualDomain"
    assert vm.parameters == {"hypervisor": "qemu:///system", "config": "/x.xml"}
    assert (vm.effective("priority"), vm.effective("target-role"), vm.group) == ("5", "Stopped", "g")
    assert vm.operations == ({"name": "monitor", "interval": "20s"},)
    assert (dlm.clone, dlm.group) == ("c", "")


def test_nodes_and_properties_are_found() -> None:
    root = root_of(INHERITED)
    assert nodes(root) == ("a", "b")
    assert properties(root) == {"stonith-enabled": "true"}


@pytest.mark.parametrize("text", ["", "<domain/>", "name: web", "<cib/>"])
def test_what_is_no_cib_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(NotImportable, match="cibadmin -Q"):
        root_of(text)
