"""What the type `ip_address` promises, on a real link with a real other host. Run in namespaces of its own only, by
test_ip_address.py: `eth0` is this node's, its other end is the other host's, in a network namespace called `other`.
"""

import contextlib
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outlast.plugin import CannotStart, Condition, Health, Resource, ResourceType, Spec, TypeHost
from outlast.plugin_contract import PluginContract, RecordingHost
from outlast.resources.ip_address import IpAddressType
from outlast.resources.ip_address.neighbours import ANNOUNCE_AFTER_S
from outlast.resources.ip_address.rtnetlink import OURS

HANG_S = 30.0
OTHER_MAC = "02:00:00:00:00:02"
IPV4, IPV6 = "192.0.2.100", "2001:db8::100"


def ip(*arguments: str, other: bool = False) -> str:
    inside = ["-n", "other"] if other else []
    return subprocess.run(["ip", *inside, *arguments], capture_output=True, text=True, check=True).stdout


def addresses_here(text: str) -> list[dict[str, object]]:
    shown = json.loads(ip("-json", "address", "show"))
    return [one | {"link": link["ifname"]} for link in shown for one in link["addr_info"] if one.get("local") == text]


def wait_until(happened: Callable[[], object]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not happened():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


class AddressContract(PluginContract):
    address: str

    def setup_method(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-ip-"))

    def make_type(self, host: TypeHost) -> ResourceType:
        return IpAddressType(host, self.directory)

    def make_spec(self) -> Spec:
        return Spec("ip1", "ip_address", properties={"address": self.address})

    def runs(self, spec: Spec) -> bool:
        return bool(addresses_here(self.address))

    def kill_from_outside(self, spec: Spec) -> bool:
        ip("address", "delete", f"{self.address}/{'128' if ':' in self.address else '32'}", "dev", "eth0")
        return True


class TestContractIPv4(AddressContract):
    address = IPV4


class TestContractIPv6(AddressContract):
    address = IPV6


# -- bringing it online ---------------------------------------------------------------------------------------------


class Opened:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = RecordingHost()
        self.plugin = IpAddressType(self.host, directory)
        self.resources: list[Resource] = []

    def open(self, address: str, name: str = "ip1", interface: str = "") -> Resource:
        properties = {"address": address} | ({"interface": interface} if interface else {})
        self.resources.append(self.plugin.open(Spec(name, "ip_address", properties=properties)))
        return self.resources[-1]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path)
    yield opened
    for resource in opened.resources:
        resource.terminate()


@pytest.fixture
def a_dead_link() -> Iterator[str]:
    ip("link", "add", "name", "dead0", "type", "veth", "peer", "name", "dead1")
    ip("link", "set", "dead0", "up")  # Its other end is switched off.
    ip("address", "add", "198.51.100.1/24", "dev", "dead0")
    yield "dead0"
    ip("link", "delete", "dead0")


@pytest.fixture
def taken() -> Iterator[None]:
    """The other host has both addresses."""
    ip("address", "add", f"{IPV4}/24", "dev", "eth0", other=True)
    ip("address", "add", f"{IPV6}/64", "dev", "eth0", "nodad", other=True)
    yield
    ip("address", "delete", f"{IPV4}/24", "dev", "eth0", other=True)
    ip("address", "delete", f"{IPV6}/64", "dev", "eth0", other=True)


def ignore(_word: str) -> None:
    pass


def refusal(resource: Resource) -> str:
    with pytest.raises(CannotStart) as refused:
        resource.online(ignore)
    assert not resource.health().running
    return str(refused.value)


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_it_answers_the_other_host_and_is_on_the_interface_of_its_network(opened: Opened, address: str) -> None:
    opened.open(address).online(ignore)
    assert [one["link"] for one in addresses_here(address)] == ["eth0"]
    ping = ["ip", "netns", "exec", "other", "ping", "-c", "1", "-W", "5", address]
    assert subprocess.run(ping, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_an_address_that_somebody_has_is_refused_and_his_hardware_address_is_named(
    opened: Opened, taken: None, address: str
) -> None:
    assert refusal(opened.open(address)) == (
        f"{OTHER_MAC} on eth0 has {address} already: two hosts must not have one address"
    )
    assert addresses_here(address) == []


def test_the_other_host_learns_at_once_who_has_it_now(opened: Opened) -> None:
    """It knew another hardware address, as after a failover."""
    old = "02:00:00:00:00:99"
    ip("neigh", "replace", IPV4, "lladdr", old, "nud", "stale", "dev", "eth0", other=True)
    ip("neigh", "replace", IPV6, "lladdr", old, "nud", "stale", "dev", "eth0", other=True)
    for address in (IPV4, IPV6):
        opened.open(address, name=address).online(ignore)
        wait_until(lambda address=address: "02:00:00:00:00:01" in ip("neigh", "show", address, other=True))  # type: ignore[misc]


def test_announcements_are_repeated_as_long_as_it_is_here(opened: Opened) -> None:
    """The other host is deaf to the first ones: it learns from a later one."""
    resource = opened.open(IPV4)
    ip("neigh", "replace", IPV4, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", "eth0", other=True)
    resource.online(ignore)
    ip("neigh", "replace", IPV4, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0", other=True)
    wait_until(lambda: "02:00:00:00:00:01" in ip("neigh", "show", IPV4, other=True))


def test_what_somebody_deleted_is_not_announced_any_more(opened: Opened) -> None:
    """Else every other node that is to have it would be told that this one has it already."""
    opened.open(IPV4).online(ignore)
    ip("address", "delete", f"{IPV4}/32", "dev", "eth0")
    time.sleep(0.1)  # an announcement that was under way
    other = "02:00:00:00:00:99"
    ip("neigh", "replace", IPV4, "lladdr", other, "nud", "stale", "dev", "eth0", other=True)
    time.sleep(ANNOUNCE_AFTER_S[1] + ANNOUNCE_AFTER_S[2] + 0.3)
    assert other in ip("neigh", "show", IPV4, other=True)


@pytest.mark.parametrize(("address", "own"), [(IPV4, f"{IPV4}/24"), (IPV6, f"{IPV6}/64")])
def test_the_nodes_own_address_is_never_taken_away(opened: Opened, address: str, own: str) -> None:
    ip("address", "add", own, "dev", "eth0", "nodad")
    resource = opened.open(address)
    assert resource.health() == Health(Condition.OFFLINE)
    assert refusal(resource) == f"{address} is on eth0 of this node already: it has it by itself, not from the cluster"
    resource.terminate()
    resource.forget()
    assert len(addresses_here(address)) == 1
    ip("address", "delete", own, "dev", "eth0")


def test_an_address_of_the_nodes_own_in_the_same_network_stays_when_ours_goes(opened: Opened) -> None:
    """Although the kernel deletes secondary addresses with their primary one (promote_secondaries is off)."""
    resource = opened.open("203.0.113.100/24", interface="eth0")
    resource.online(ignore)
    ip("address", "add", "203.0.113.1/24", "dev", "eth0")
    resource.terminate()
    assert addresses_here("203.0.113.100") == []
    assert len(addresses_here("203.0.113.1")) == 1
    ip("address", "delete", "203.0.113.1/24", "dev", "eth0")


@pytest.mark.parametrize(
    ("address", "neighbour"), [("203.0.113.100", "203.0.113.2"), ("2001:db8:1::100", "2001:db8:1::2")]
)
def test_alone_in_its_network_it_reaches_its_neighbours_and_leaves_no_route_behind(
    opened: Opened, address: str, neighbour: str
) -> None:
    length = 64 if ":" in address else 24
    ip("address", "add", f"{neighbour}/{length}", "dev", "eth0", "nodad", other=True)
    family = "-6" if ":" in address else "-4"
    before = ip(family, "route", "show", "table", "all")
    resource = opened.open(f"{address}/{length}", interface="eth0")
    resource.online(ignore)
    ping = ["ip", "netns", "exec", "other", "ping", "-c", "1", "-W", "5", address]
    assert subprocess.run(ping, capture_output=True, check=False).returncode == 0
    resource.terminate()
    assert ip(family, "route", "show", "table", "all") == before
    ip("address", "delete", f"{neighbour}/{length}", "dev", "eth0", other=True)


def test_the_nodes_own_connections_do_not_use_it(opened: Opened) -> None:
    for address, to in ((IPV4, "192.0.2.2"), (IPV6, "2001:db8::2")):
        opened.open(address, name=address).online(ignore)
        assert address not in ip("route", "get", to)


def test_two_resources_cannot_have_one_address_and_the_second_takes_nothing_away(opened: Opened) -> None:
    opened.open(IPV4, name="ip1").online(ignore)
    second = opened.open(IPV4, name="ip2")
    with pytest.raises(CannotStart, match="its resource ip1 has it"):
        second.online(ignore)
    second.terminate()
    assert len(addresses_here(IPV4)) == 1


@pytest.mark.parametrize(
    ("address", "interface", "why"),
    [
        ("10.1.2.3", "", "no interface of this node is in a network with 10.1.2.3 (there is eth0 192.0.2.1, eth0 "),
        ("10.1.2.3", "eth7", "this node has no interface eth7 (it has "),
        ("nonsense", "", '"nonsense" is no address'),
        ("fe80::1", "", "fe80::1 is good on one link only; say on which"),
        ("224.0.0.1", "", "224.0.0.1 is no address that a host can have"),
    ],
)
def test_what_cannot_be_is_refused_in_words(opened: Opened, address: str, interface: str, why: str) -> None:
    assert why.replace("192.0.2.1,", "192.0.2.1/24,") in refusal(opened.open(address, interface=interface))


@pytest.mark.parametrize(
    ("properties", "problems"),
    [
        ({"address": IPV4}, []),
        ({"address": "198.51.100.100"}, []),  # Its interface has no carrier now, and may have one later.
        (
            {"address": "10.1.2.3", "interface": "eth7"},
            ["this node has no interface eth7 (it has dead0, dead1, eth0, lo)"],
        ),
        (
            {"address": "10.1.2.300"},
            ["\"10.1.2.300\" is no address: '10.1.2.300' does not appear to be an IPv4 or IPv6 address"],
        ),
    ],
)
def test_properties_are_checked_before_anything_is_made_with_them(
    opened: Opened, a_dead_link: str, properties: dict[str, str], problems: list[str]
) -> None:
    assert opened.plugin.control("check", {"name": "ip1", "properties": properties, "definition": ""}) == problems


def test_without_a_carrier_it_is_refused(opened: Opened, a_dead_link: str) -> None:
    assert refusal(opened.open("198.51.100.100")) == "dead0 has no carrier"


# -- what becomes of it ---------------------------------------------------------------------------------------------


def test_an_address_that_somebody_deleted_is_reported_failed_at_once_with_that_reason(opened: Opened) -> None:
    resource = opened.open(IPV4)
    resource.online(ignore)
    ip("address", "delete", f"{IPV4}/32", "dev", "eth0")
    failed = Health(Condition.FAILED, f"somebody deleted {IPV4} from eth0")
    assert opened.host.wait_for(Condition.FAILED) == failed
    assert resource.health() == failed
    resource.terminate()
    assert resource.health() == Health(Condition.OFFLINE)


def test_one_that_somebody_added_anew_is_not_ours_any_more(opened: Opened) -> None:
    resource = opened.open(IPV4)
    resource.online(ignore)
    ip("address", "delete", f"{IPV4}/32", "dev", "eth0")
    ip("address", "add", f"{IPV4}/24", "dev", "eth0")
    wait_until(lambda: "added it anew" in resource.health().why)
    resource.terminate()
    assert len(addresses_here(IPV4)) == 1
    ip("address", "delete", f"{IPV4}/24", "dev", "eth0")


def test_a_link_without_carrier_is_reported_failed_at_once_and_online_when_it_is_back(opened: Opened) -> None:
    resource = opened.open(IPV4)
    resource.online(ignore)
    ip("link", "set", "eth0", "down", other=True)
    failed = Health(Condition.FAILED, "eth0 has no carrier", running=True)
    assert opened.host.wait_for(Condition.FAILED) == failed
    ip("link", "set", "eth0", "up", other=True)
    wait_until(lambda: opened.host.health[-1][1].condition is Condition.ONLINE)
    assert resource.health() == Health(Condition.ONLINE, running=True)


def test_an_interface_that_goes_takes_its_address_along(opened: Opened) -> None:
    ip("link", "add", "name", "tmp0", "type", "veth", "peer", "name", "tmp1")
    ip("link", "set", "tmp1", "up")
    ip("link", "set", "tmp0", "up")
    resource = opened.open("203.0.113.100", interface="tmp0")
    resource.online(ignore)
    ip("link", "delete", "tmp0")
    wait_until(lambda: "tmp0 is gone, and 203.0.113.100 with it" in resource.health().why)
    assert opened.host.wait_for(Condition.FAILED)


def test_a_start_that_a_killed_host_did_not_end_is_failed_and_can_be_cleared(opened: Opened) -> None:
    def start() -> None:
        with contextlib.suppress(CannotStart):  # What the new host does to it, as it sees it.
            opened.open(IPV6).online(ignore)

    started = threading.Thread(target=start, daemon=True)
    started.start()
    wait_until(lambda: addresses_here(IPV6))
    new = Opened(opened.directory)
    resource = new.open(IPV6)
    health = resource.health()
    assert (health.condition, health.running) == (Condition.FAILED, True)
    resource.terminate()
    assert addresses_here(IPV6) == []
    started.join(HANG_S)


def test_the_mark_is_in_the_kernel(opened: Opened) -> None:
    """`ip` shows it, for people who wonder."""
    opened.open(IPV4).online(ignore)
    shown = ip("address", "show", "dev", "eth0")
    if "proto" in shown:  # iproute2 since 5.18
        assert f"proto {OURS:#x}" in shown


def test_a_new_property_counts_from_the_next_start_and_the_old_address_goes(opened: Opened) -> None:
    opened.open(IPV4).online(ignore)
    again = opened.open("192.0.2.101")
    assert again.health().condition is Condition.ONLINE
    again.online(ignore)
    assert addresses_here(IPV4) == []
    assert len(addresses_here("192.0.2.101")) == 1
