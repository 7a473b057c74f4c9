"""Pacemaker's fence devices become commands to type, and no secret is in them."""

from outlast.core.importing.cib import primitives, root_of
from outlast.core.importing.pacemaker_fencing import devices
from outlast.model.imported import Finding, Level


def found(agent: str, topology: str = "", **parameters: str) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    pairs = "".join(f'<nvpair name="{name}" value="{value}"/>' for name, value in parameters.items())
    device = f'<primitive id="f1" class="stonith" type="{agent}"><instance_attributes>{pairs}'
    device += "</instance_attributes></primitive>"
    root = root_of(f"<cib><configuration><resources>{device}</resources>{topology}</configuration></cib>")
    return devices(root, primitives(root))


def test_a_secret_is_asked_for_and_never_told() -> None:
    commands, findings = found("fence_ipmilan", ip="10.0.9.1", passwd="hunter2", pcmk_host_list="n1")
    assert commands == ("outlast fence add n1 fence_ipmilan ip=10.0.9.1 passwd=- --name f1",)
    assert "hunter2" not in str((commands, findings))


def test_each_node_of_a_device_gets_its_own_with_its_outlet() -> None:
    commands, _ = found("fence_apc", ip="10.0.9.1", pcmk_host_map="n1:1;n2:7")
    assert commands == (
        "outlast fence add n1 fence_apc ip=10.0.9.1 plug=1 --name f1",
        "outlast fence add n2 fence_apc ip=10.0.9.1 plug=7 --name f1",
    )


def test_levels_and_delays_go_with_it() -> None:
    level = '<fencing-topology><fencing-level target="n1" index="2" devices="f0,f1"/></fencing-topology>'
    commands, _ = found("fence_ipmilan", level, pcmk_host_list="n1", pcmk_delay_base="5s")
    assert commands == ("outlast fence add n1 fence_ipmilan --delay-s 5 --level 2 --name f1",)


def test_a_device_that_alone_knows_its_nodes_leaves_the_node_to_say() -> None:
    commands, findings = found("fence_xvm")
    assert commands == ("outlast fence add NODE fence_xvm --name f1",)
    assert "say for which NODE" in findings[0].words


def test_what_is_not_called_as_a_fence_agent_is_lost() -> None:
    commands, findings = found("external/sbd")
    assert (commands, findings[0].level) == ((), Level.LOST)


def test_how_pacemaker_calls_it_is_reported() -> None:
    _, findings = found("fence_ipmilan", pcmk_host_list="n1", pcmk_reboot_timeout="60s", pcmk_delay_base="1s")
    told = {finding.what: finding.level for finding in findings}
    assert told["f1 pcmk_reboot_timeout"] is Level.LOST
    assert told["f1 pcmk_host_list"] is told["f1 pcmk_delay_base"] is Level.KEPT
