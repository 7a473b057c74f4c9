"""Resources that are processes, on real nodes: a kill, a killed resource host, a power cut, and never two at once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from outlast.client.control import ControlError
from outlast.lab.cluster import LabCluster
from outlast.lab.node import processes
from outlast.model.health import Json
from ran_twice import RanTwice

pytestmark = pytest.mark.lab

NODES = ("n1", "n2", "n3")
APACHE = """\
ServerRoot /run
PidFile /run/shop-apache.pid
Listen 127.0.0.1:8642
ServerName localhost
ErrorLog /run/shop-apache.log
DocumentRoot /run
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
<Location /server-status>
SetHandler server-status
</Location>
"""


class Resource:
    """One in a group of its own, and on which nodes a process of it runs, read from the processes."""

    def __init__(self, cluster: LabCluster, program: str, marker: str) -> None:
        self.cluster = cluster
        self._program, self._marker = program, marker
        self.twice: set[tuple[str, ...]] = set()

    def pids(self, node: str) -> list[int]:
        """As the host counts. Apache's agent has it read its configuration on any node ("-t"), and pgrep look for it:
        neither of them serves."""
        return [one.pid for one in processes(self.cluster.lab.node(node)) if self._serves(one.arguments)]

    def _serves(self, arguments: Sequence[str]) -> bool:
        program = arguments[0] if arguments else ""
        return program.endswith(self._program) and self._marker in arguments and "-t" not in arguments

    def where(self) -> list[str]:
        return [node for node in NODES if self.pids(node)]

    def kill(self, node: str) -> None:
        for pid in self.pids(node):
            os.kill(pid, signal.SIGKILL)

    def watch(self, ended: threading.Event) -> None:
        while not ended.wait(0.02):
            at = tuple(self.where())
            if len(at) > 1:
                self.twice.add(at)

    def wait_online(self, *, not_on: str = "") -> str:
        """Where it is online then."""
        status = self.cluster.wait(
            lambda s: any(
                row.name == "shop" and row.state == "online" and row.settled and row.owner != not_on for row in s.groups
            ),
            f"it is online{f' and not on {not_on}' if not_on else ''}",
        )
        return next(row.owner for row in status.groups if row.name == "shop")


@contextmanager
def resource(
    cluster: LabCluster, type: str, program: str, marker: str, properties: dict[str, Json]
) -> Iterator[Resource]:
    """Its processes are those of that program with that argument."""
    cluster.call("group.create", name="shop", values={"preferred_owners": "n1"})
    cluster.call("resource.create", name="app", type=type, group="shop", properties=properties)
    cluster.call("group.online", name="shop")
    found, ended = Resource(cluster, program, marker), threading.Event()
    watch = threading.Thread(target=found.watch, args=(ended,))
    watch.start()
    try:
        yield found
    finally:
        ended.set()
        watch.join()
        print(*(event.words for event in cluster.story()), sep="\n")
        delete(cluster)
    if found.twice:
        raise RanTwice(f"it ran on several nodes at once: {found.twice}")


def delete(cluster: LabCluster) -> None:
    for node in NODES:
        if not cluster.lab.is_on(node):
            cluster.lab.power_on(node)
    cluster.wait_for_members()
    cluster.call("group.offline", name="shop")
    cluster.wait(lambda s: all(row.state == "offline" for row in s.groups if row.name == "shop"), "it is offline")
    cluster.call("group.delete", name="shop", with_resources=True)


def goes_on_and_fails_over(found: Resource) -> None:
    lab = found.cluster.lab
    first = found.wait_online()
    pids = found.pids(first)
    assert pids

    lab.kill(first, "outlast-rhs")
    # A new host has it open, and knows.
    lab.wait(lambda: found.cluster.pid(first, "outlast-rhs"), 60, "a new host has started")
    assert found.wait_online() == first
    assert found.pids(first) == pids, "it was touched"

    found.kill(first)
    second = found.wait_online(not_on=first)
    lab.wait(lambda: found.where() == [second], 60, f"it runs on {second} only")

    lab.power_off(second)
    third = found.wait_online(not_on=second)
    lab.wait(lambda: found.where() == [third], 60, f"it runs on {third} only")
    lab.power_on(second)
    found.cluster.wait_for_members()
    assert found.wait_online() == third
    assert found.where() == [third]


def test_a_script_fails_over_and_is_not_touched_by_its_hosts_end(cluster: LabCluster) -> None:
    entries = cluster.lab.paths.shared / "shop-entries"
    entries.mkdir(exist_ok=True)
    runs = "readlink /proc/$(cat /run/shop-pid)/exe >/dev/null 2>&1"
    texts = {
        "online": f"{runs} && exit 0\nsetsid sleep 6402 >/dev/null 2>&1 </dev/null &\necho $! >/run/shop-pid",
        "offline": f"while {runs}; do kill $(cat /run/shop-pid); sleep 0.02; done",
        "is-alive": f"{runs} || exit 2",
    }
    for name, text in texts.items():
        (entries / name).write_text(f"#!/bin/sh\n{text}\n")
        (entries / name).chmod(0o755)
    with resource(cluster, "script", "sleep", "6402", {"directory": str(entries)}) as found:
        goes_on_and_fails_over(found)


def test_what_no_node_can_take_is_refused_with_the_reason(cluster: LabCluster) -> None:
    cluster.call("group.create", name="shop")
    try:
        for type, properties, words in (
            ("ocf", {"agent": "IPaddr2", "ipp": "10.0.0.1"}, "IPaddr2 has no parameter ipp; did you mean ip"),
            ("ocf", {"agent": "pgsql"}, "one of them promoted"),
            ("generic_application", {"comand": "sleep 1"}, "did you mean command"),
            ("script", {"directory": "entries"}, "directory cannot be"),
            ("service", {"unit": "shop"}, "systemd does not run here"),
        ):
            with pytest.raises(ControlError, match=words):
                cluster.call("resource.create", name="app", type=type, group="shop", properties=properties)
    finally:
        cluster.call("group.delete", name="shop")


def test_a_generic_application_fails_over_and_is_not_touched_by_its_hosts_end(cluster: LabCluster) -> None:
    with resource(cluster, "generic_application", "sleep", "6401", {"command": "sleep 6401", "settle_s": 0.2}) as found:
        goes_on_and_fails_over(found)


def test_apache_by_its_ocf_agent_fails_over_and_is_not_touched_by_its_hosts_end(cluster: LabCluster) -> None:
    configuration = cluster.lab.paths.shared / "shop-apache.conf"
    configuration.write_text(APACHE)
    properties: dict[str, Json] = {
        "agent": "heartbeat:apache",
        "configfile": str(configuration),
        "httpd": "/usr/sbin/apache2",
        "statusurl": "http://127.0.0.1:8642/server-status",
    }
    with resource(cluster, "ocf", "apache2", str(configuration), properties) as found:
        goes_on_and_fails_over(found)


def test_an_address_and_what_needs_it_move_together_by_their_ocf_agents(cluster: LabCluster) -> None:
    address = {"agent": "heartbeat:IPaddr2", "ip": "10.77.0.200", "cidr_netmask": 24, "nic": "eth0"}
    link = {"agent": "symlink", "link": "/run/shop-link", "target": "/etc/hostname"}

    def has(node: str) -> tuple[bool, bool]:
        shown = cluster.lab.run(node, "ip", "-4", "address", "show", "dev", "eth0").stdout
        return "10.77.0.200/24" in shown, cluster.lab.run(node, "test", "-L", "/run/shop-link").returncode == 0

    with resource(cluster, "ocf", "no process", "", address) as found:
        cluster.call(
            "resource.create", name="link", type="ocf", group="shop", properties=link, values={"depends_on": "app"}
        )
        first = found.wait_online()
        wait_for(lambda: [has(node) for node in NODES] == [(node == first,) * 2 for node in NODES])
        cluster.lab.exec(first, "ip", "address", "delete", "10.77.0.200/24", "dev", "eth0")
        second = found.wait_online(not_on=first)
        wait_for(lambda: [has(node) for node in NODES] == [(node == second,) * 2 for node in NODES])
        cluster.lab.power_off(second)
        third = found.wait_online(not_on=second)
        assert has(third) == (True, True)


def wait_for(true: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.05)
