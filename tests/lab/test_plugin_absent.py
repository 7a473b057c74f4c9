"""The plugin for VMs is missing on one node of a real cluster, and damaged on another: who takes what, what is told?

Missing is what a package is that nobody has installed there: no entry point names the type. Damaged is a file of it
that is no Python any more. Each as that node alone sees it.
"""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.guarded import Guarded
from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.model.answers import VmDetail

pytestmark = pytest.mark.lab

WITHIN_S = 60.0
DAMAGED = "its plugin for vm: cannot load: '(' was never closed (domain.py"


@pytest.fixture
def cluster(guarded: Guarded) -> Iterator[LabCluster]:
    """web runs on n1, and n2 is its next best place."""
    found = guarded("absent", nodes=3)
    found.protect("beacon", "web", preferred_owners=["n1", "n2", "n3"])
    found.wait(lambda _: found.owner("web") == "n1", "web is on n1", WITHIN_S)
    yield found
    for node in found.lab.state().nodes:
        if found.lab.is_on(node):
            load_anew(found, node)


def detail(cluster: LabCluster, node: str = "n3") -> VmDetail:
    return cluster.client(node).call("vm.show", {"name": "web"}, type=VmDetail)


def load_anew(cluster: LabCluster, node: str) -> None:
    cluster.call("type.restart", node=node, type="vm", nodes=[node])


@contextlib.contextmanager
def uninstalled(cluster: LabCluster, node: str) -> Iterator[None]:
    """No package offers the type there. What loads plugins from now on finds none."""
    with contextlib.ExitStack() as hidden:
        for number, file in enumerate(entry_points()):
            without = f"/run/without_vm_{number}.txt"
            script = f"grep -v '^vm *=' {file} >{without} && mount --bind {without} {file}"
            cluster.lab.exec(node, "sh", "-c", script)
            hidden.callback(cluster.lab.exec, node, "umount", str(file))
        yield


def entry_points() -> list[Path]:
    """All files in which the type is named: of the installed package, and of its sources where those are used."""
    found = (file for path in dict.fromkeys(sys.path) for file in Path(path or ".").glob("outlast*/entry_points.txt"))
    return [file for file in found if "\nvm = " in file.read_text()]


def test_where_its_plugin_is_missing_or_damaged_a_vm_is_never_placed_and_a_failover_goes_to_who_has_it(
    cluster: LabCluster,
) -> None:
    missing = "it has no plugin for vm"
    with contextlib.ExitStack() as on_n2, contextlib.ExitStack() as on_n3:
        on_n2.enter_context(uninstalled(cluster, "n2"))
        cluster.lab.kill("n2", "outlastd")  # the next one finds what is installed
        cluster.wait(lambda _: detail(cluster).placement["n2"] == missing, "n2 has none", WITHIN_S)
        on_n3.enter_context(cluster.damaged_plugin("n3"))
        load_anew(cluster, "n3")
        cluster.wait(lambda _: detail(cluster).placement["n3"].startswith(DAMAGED), "n3 cannot load it", WITHIN_S)

        cluster.wait(lambda s: not s.vms[0].protected, "no other node could take it", WITHIN_S)
        reasons = " ".join(detail(cluster).vm.not_protected_because)
        assert f"n2: {missing}" in reasons
        assert f"n3: {DAMAGED}" in reasons
        for node, why in (("n2", missing), ("n3", DAMAGED)):
            with pytest.raises(ControlError, match=re.escape(why)):
                cluster.call("group.move", name="web", to=node)
        assert cluster.owner("web") == "n1"

        qemu = cluster.qemu_pid("n1", "web")
        os.kill(qemu, signal.SIGKILL)
        cluster.wait(
            lambda _: cluster.qemu_pid("n1", "web") not in (0, qemu), "it fails over to where it was", WITHIN_S
        )

        cluster.lab.power_off("n1")
        waits = cluster.wait(lambda s: "waits for a node that can take it" in s.vms[0].why, "nobody can", WITHIN_S)
        assert f"n2: {missing}" in waits.vms[0].why
        assert f"n3: {DAMAGED}" in waits.vms[0].why
        assert cluster.running() == {}

        on_n3.close()
        load_anew(cluster, "n3")
        cluster.wait(lambda s: (s.vms[0].owner, s.vms[0].state) == ("n3", "online"), "n3 can, and does", WITHIN_S)
        assert f"n2: {missing}" in " ".join(detail(cluster).vm.not_protected_because), "n3 is the only one that can"

    load_anew(cluster, "n2")
    cluster.wait(lambda s: s.vms[0].protected, "n2 can take it too, since it is installed there", WITHIN_S)
    assert detail(cluster).placement["n2"] == ""
    cluster.lab.power_off("n3")
    cluster.wait(lambda s: (s.vms[0].owner, s.vms[0].state) == ("n2", "online"), "n2 takes it over", WITHIN_S)


def test_what_runs_where_its_plugin_is_taken_away_runs_on_and_is_told_to_be_not_protected(cluster: LabCluster) -> None:
    qemu = cluster.qemu_pid("n1", "web")
    with uninstalled(cluster, "n1"):
        load_anew(cluster, "n1")
        said = cluster.wait(lambda s: s.vms[0].state == "unknown", "nobody there can tell whether it runs", WITHIN_S)
        assert not said.vms[0].protected
        assert "no installed package offers it" in " ".join(detail(cluster).vm.not_protected_because)
        cluster.lab.kill("n1", "outlastd")
        cluster.wait(
            lambda s: "no plugin for vm" in " ".join(s.vms[0].not_protected_because), "nor the next service", WITHIN_S
        )
        assert cluster.running() == {"web": ["n1"]}
        assert cluster.owner("web") == "n1"
    load_anew(cluster, "n1")
    cluster.wait(lambda s: s.vms[0].state == "online" and s.vms[0].protected, "installed again", WITHIN_S)
    assert cluster.qemu_pid("n1", "web") == qemu
