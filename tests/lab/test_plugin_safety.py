"""Plugins that hang, crash, lie, are slow, damaged or gone, in a real cluster: `dummy` resources beside a VM.

Whatever they do, the VM beside them runs on untouched, with the same QEMU.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import outlast
from lab.guarded import Guarded
from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.model.answers import GroupRow

pytestmark = pytest.mark.lab

DUMMY_FILE = Path(outlast.__file__).parent / "resources/dummy.py"
WITHIN_S = 90.0


class Beside:
    """web runs on n1, and beside it the dummy `it` in the group `shop`, which then misbehaves."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster = cluster
        self.qemu = cluster.qemu_pid("n1", "web")
        self.dummy = self.dummy_pid()

    def dummy_pid(self) -> str:
        return self.cluster.lab.exec("n1", "cat", "/run/outlast/dummy/it.json")

    def misbehave(self, **properties: object) -> None:
        self.cluster.call("resource.set", name="it", properties=properties)
        self.restart()

    def restart(self) -> None:
        self.cluster.call("type.restart", type="dummy", nodes=["n1"])

    def wait(self, happened: Callable[[GroupRow], object], what: str) -> GroupRow:
        self.cluster.wait(lambda _: happened(self.cluster.group("shop")), what, WITHIN_S)
        return self.cluster.group("shop")

    def events(self, kind: str) -> list[str]:
        return [event.words for event in self.cluster.story() if event.kind == kind]

    def untouched(self) -> None:
        assert self.cluster.qemu_pid("n1", "web") == self.qemu
        assert self.cluster.running() == {"web": ["n1"]}
        web = self.cluster.call("vm.show", name="web")["vm"]
        assert (web["state"], web["protected"]) == ("online", True)


@pytest.fixture
def beside(guarded: Guarded) -> Iterator[Beside]:
    cluster = guarded("plugins", nodes=2)
    cluster.protect("beacon", "web", preferred_owners=["n1"])
    cluster.call("group.create", name="shop", values={"preferred_owners": ["n1"]})
    values = {"is_alive_interval_s": 0.5, "offline_timeout_s": 1.0}
    cluster.call("resource.create", name="it", type="dummy", group="shop", values=values)
    cluster.call("group.online", name="shop")
    cluster.wait_online("shop")
    found = Beside(cluster)
    yield found
    with contextlib.suppress(ControlError):
        found.misbehave(**dict.fromkeys(("hang_in", "crash_in", "lie", "false_stop")))
    cluster.call("group.offline", name="shop")
    cluster.wait(lambda _: cluster.group("shop").state == "offline", "shop is offline", WITHIN_S)
    cluster.call("group.delete", name="shop", with_resources=True)


@pytest.mark.parametrize("fault", ["hang_in", "crash_in"])
def test_a_type_that_keeps_hanging_or_crashing_is_held_back_and_not_protected_and_nothing_is_stopped(
    beside: Beside, fault: str
) -> None:
    cluster = beside.cluster
    beside.misbehave(**{fault: ["is_alive"]})
    shop = beside.wait(lambda row: row.state == "unknown" and "held back" in row.why, "it is held back")
    assert not shop.protected
    assert "held back: its resource host ended 4 times in a row" in " ".join(shop.not_protected_because)
    assert beside.dummy_pid() == beside.dummy, "it was neither stopped nor started anew"
    beside.untouched()
    listed = cluster.lab.exec("n1", "outlast", "resource-type", "list")
    assert "held back: its resource host ended 4 times in a row" in " ".join(listed.split())
    assert "dummy: held back" in " ".join(cluster.lab.exec("n2", "outlast", "status").split())
    assert sum("n1 cannot run dummy: held back" in words for words in beside.events("type")) == 1
    why = {"hang_in": "did not answer is_alive within 3 s", "crash_in": "signal 6"}[fault]
    assert any(why in words for words in beside.events("host-died"))
    beside.misbehave(**{fault: None})
    beside.wait(lambda row: row.state == "online" and row.protected, "an administrator ends it")
    cluster.wait(lambda _: "n1 can run dummy again" in beside.events("type"), "it is told")
    assert beside.dummy_pid() == beside.dummy


def test_a_type_that_hangs_does_not_delay_the_question_whether_a_vm_lives(beside: Beside) -> None:
    """A bound for a busy machine; `bench/plugin_hang.py` measures."""
    cluster = beside.cluster
    cluster.call("resource.set", name="web", values={"is_alive_interval_s": 0.1})
    beside.misbehave(hang_in=["is_alive", "looks_alive", "discover", "control", "offline", "terminate"])
    beside.wait(lambda row: "held back" in row.why, "it hung again and again")
    calls = {(one["node"], one["call"]): one for one in cluster.call("type.show", type="vm")["calls"]}
    asked = calls["n1", "is_alive"]
    assert asked["calls"] > 50
    assert (asked["missed"], asked["median_s"] < 0.2, asked["slowest_s"] < 2.5) == (0, True, True), asked
    hung = {one["call"]: one for one in cluster.call("type.show", type="dummy")["calls"] if one["node"] == "n1"}
    assert hung["is_alive"]["missed"] >= 1
    beside.untouched()
    beside.misbehave(hang_in=None)


def test_what_a_plugin_calls_failed_and_lists_as_running_is_not_believed(beside: Beside) -> None:
    beside.misbehave(lie="failed")
    shop = beside.wait(lambda row: row.state == "unknown", "it contradicts itself")
    assert "says that it does not run, and lists it as running" in shop.why
    assert (shop.owner, shop.protected) == ("n1", False)
    assert "n1 cannot tell whether it runs: the plugin for dummy says" in " ".join(shop.not_protected_because)
    beside.cluster.wait(lambda _: beside.events("doubted"), "it is told", WITHIN_S)
    assert len(beside.events("doubted")) == 1
    assert beside.dummy_pid() == beside.dummy
    beside.untouched()
    beside.misbehave(lie=None)
    beside.wait(lambda row: row.state == "online" and row.protected, "it tells the truth")


def test_what_a_plugin_says_it_has_stopped_and_lists_as_running_is_not_started_elsewhere(beside: Beside) -> None:
    cluster = beside.cluster
    beside.misbehave(false_stop=True)
    cluster.call("group.move", name="shop", to="n2")
    beside.cluster.wait(lambda _: beside.events("doubted"), "it contradicts itself", WITHIN_S)
    assert cluster.owner("shop") == "n1"
    assert beside.dummy_pid() == beside.dummy
    beside.untouched()
    beside.misbehave(false_stop=None)
    beside.wait(lambda row: (row.owner, row.state) == ("n2", "online"), "stopped, and started on n2")
    cluster.call("group.move", name="shop", to="n1")
    beside.wait(lambda row: (row.owner, row.state) == ("n1", "online"), "back")


def test_what_a_plugin_calls_online_and_does_not_list_is_unknown_within_a_minute(beside: Beside) -> None:
    beside.misbehave(lie="online")
    pid = beside.cluster.lab.exec("n1", "sh", "-c", "grep -o 'pid\":[0-9]*' /run/outlast/dummy/it.json | cut -d: -f2")
    beside.cluster.lab.exec("n1", "kill", "-9", pid.strip())
    shop = beside.wait(lambda row: row.state == "unknown", "it contradicts itself")
    assert "says that it runs, and does not list it" in shop.why
    beside.untouched()
    beside.misbehave(lie=None)
    beside.wait(lambda row: row.state == "online", "it failed, and was brought online again")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("import no_such_library", "no_such_library"),
        ("this is (no Python", "line 1"),
        ("import time; time.sleep(1000)", "hung as it loaded the plugin for dummy"),
        ("import os; os.abort()", "signal 6"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_told_and_harms_nobody(beside: Beside, head: str, words: str) -> None:
    cluster = beside.cluster
    with replaced(cluster, f"{{ echo '{head}'; cat {DUMMY_FILE}; }}"):
        told = cluster.call("type.restart", type="dummy", nodes=["n1"])
        cluster.wait(lambda s: "dummy: " in s.nodes[0].why and words in s.nodes[0].why, words, WITHIN_S)
        assert told[0]["problem"]
        cluster.wait(lambda _: not cluster.group("shop").protected, "its VMs would not be protected", WITHIN_S)
        assert beside.dummy_pid() == beside.dummy
        beside.untouched()
    cluster.call("type.restart", type="dummy", nodes=["n1"])
    beside.wait(lambda row: row.state == "online" and row.protected, "whole again")


def test_a_plugin_for_another_api_is_told(beside: Beside) -> None:
    cluster = beside.cluster
    with replaced(cluster, f"sed 's/api_version = 1/api_version = 9/' {DUMMY_FILE}"):
        beside.restart()
        cluster.wait(lambda s: "version 9 of the plugin API" in s.nodes[0].why, "told", WITHIN_S)
        beside.untouched()
    beside.restart()
    beside.wait(lambda row: row.state == "online" and row.protected, "whole again")


def test_a_plugin_whose_files_change_is_told_and_serves_on_until_it_is_restarted(beside: Beside) -> None:
    cluster = beside.cluster
    with replaced(cluster, f"{{ cat {DUMMY_FILE}; echo '# another one'; }}"):
        cluster.wait(lambda s: "its files changed since it was loaded" in s.nodes[0].why, "seen", WITHIN_S)
        assert cluster.group("shop").state == "online"
        beside.restart()
        cluster.wait(lambda s: "dummy" not in s.nodes[0].why, "the new ones are loaded", WITHIN_S)
        beside.untouched()
        assert beside.dummy_pid() == beside.dummy
    beside.restart()


@contextlib.contextmanager
def replaced(cluster: LabCluster, make: str) -> Iterator[None]:
    """The plugin's file, as n1 alone sees it, is what this shell command writes; and whole again afterwards."""
    script = f"{make} >/run/other_dummy.py && mount --bind /run/other_dummy.py {DUMMY_FILE}"
    cluster.lab.exec("n1", "sh", "-c", script)
    try:
        yield
    finally:
        cluster.lab.exec("n1", "umount", str(DUMMY_FILE))
