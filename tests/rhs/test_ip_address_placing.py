"""On which interface is an address put, and how? Tables, no kernel."""

from ipaddress import IPv4Network, ip_address

import pytest

from outlast.plugin import CannotStart
from outlast.resources.ip_address.placing import Place, place, wanted_of
from outlast.resources.ip_address.rtnetlink import Link, NodeAddress


def link(index: int, name: str, *, carrier: bool = True, up: bool = True) -> Link:
    return Link(index, name, b"\2\0\0\0\0\1", is_up=up, has_carrier=carrier, is_loopback=name == "lo", resolves=True)


LINKS = {one.index: one for one in (link(1, "lo"), link(2, "eth0"), link(3, "eth1"), link(4, "eth2"))}
ADDRESSES = [
    NodeAddress(ip_address("127.0.0.1"), 8, 1),
    NodeAddress(ip_address("10.0.0.1"), 8, 2),
    NodeAddress(ip_address("10.1.0.1"), 16, 3),
    NodeAddress(ip_address("192.0.2.1"), 24, 2),
    NodeAddress(ip_address("192.0.2.2"), 24, 3),
    NodeAddress(ip_address("203.0.113.7"), 32, 2, is_ours=True),
    NodeAddress(ip_address("2001:db8::1"), 64, 4),
    NodeAddress(ip_address("198.51.100.9"), 24, 4, is_ours=True),
]


@pytest.mark.parametrize(
    ("address", "interface", "expected"),
    [
        ("10.1.2.3", "", Place(LINKS[3], 32)),  # The smaller of the networks that contain it.
        ("10.2.2.3", "", Place(LINKS[2], 32)),
        ("10.2.2.3/24", "", Place(LINKS[2], 32)),  # The network's route is there already.
        ("192.0.2.9", "eth0", Place(LINKS[2], 32)),
        ("203.0.113.8/24", "eth0", Place(LINKS[2], 32, IPv4Network("203.0.113.0/24"))),
        ("203.0.113.8", "eth0", Place(LINKS[2], 32)),  # Nobody has said which network that is.
        ("2001:db8::9", "", Place(LINKS[4], 128)),
        ("2001:db8:1::9/48", "eth2", Place(LINKS[4], 48)),
        ("fe80::9", "eth2", Place(LINKS[4], 128)),
    ],
)
def test_it_is_put_where_its_network_is(address: str, interface: str, expected: Place) -> None:
    assert place(wanted_of({"address": address, "interface": interface}), LINKS, ADDRESSES) == expected


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.0.2.9", "192.0.2.9 could be on eth0, eth1; say on which: --property interface=NAME"),
        (
            "198.51.100.8",
            "no interface of this node is in a network with 198.51.100.8",
        ),  # Only our own address is there.
    ],
)
def test_it_is_not_guessed(address: str, why: str) -> None:
    with pytest.raises(CannotStart) as refused:
        place(wanted_of({"address": address}), LINKS, ADDRESSES)
    assert str(refused.value).startswith(why)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (link(2, "eth0", carrier=False), "eth0 has no carrier"),
        (link(2, "eth0", up=False, carrier=False), "eth0 is switched off (ip link set up)"),
    ],
)
def test_a_link_that_carries_nothing_is_no_place(changed: Link, why: str) -> None:
    with pytest.raises(CannotStart) as refused:
        place(wanted_of({"address": "10.2.2.3"}), LINKS | {2: changed}, ADDRESSES)
    assert str(refused.value) == why


def test_a_property_that_does_not_exist_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="unknown field `nic`; see docs/types-network"):
        wanted_of({"address": "10.0.0.9", "nic": "eth0"})
