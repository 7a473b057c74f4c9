"""Is a network up on this node, as its links are now?"""

import pytest

from outlast.core.network.links import places_of, state_of
from outlast.model.network import Link, NetworkState, Place

BR0 = Link("br0", "bridge")
ETH1 = Link("eth1", bridge="br0")
TAP = Link("vnet0", "tun", bridge="br0")
NO_CARRIER = Link("eth1", has_carrier=False, bridge="br0")


def state(*links: Link, network: str = "bridge/br0", before: NetworkState | None = None) -> NetworkState | None:
    place = places_of(network, {})
    assert place is not None
    return state_of(network, place, {link.name: link for link in links}, before)


@pytest.mark.parametrize(
    ("links", "lost"),
    [
        ([BR0, ETH1], ""),
        ([BR0, ETH1, TAP], ""),
        ([BR0], ""),  # an isolated one counts by itself
        ([BR0, TAP], ""),
        ([Link("br0", "bridge", has_carrier=False)], ""),  # as an isolated one with nobody on it is
        ([], "br0 does not exist"),
        ([Link("br0", "bridge", is_up=False), ETH1], "br0 is switched off"),
        ([BR0, NO_CARRIER], "its uplink eth1 has no carrier"),
        ([BR0, NO_CARRIER, TAP], "its uplink eth1 has no carrier"),  # a guest's tap is no uplink
        ([BR0, Link("eth1", is_up=False, bridge="br0")], "its uplink eth1 is switched off"),
        ([BR0, NO_CARRIER, Link("eth2", bridge="br0")], ""),
        ([BR0, NO_CARRIER, Link("eth2", "vlan", has_carrier=False, bridge="br0")], "its uplinks eth1, eth2 have no "),
        ([BR0, Link("bond0", "bond", bridge="br0")], ""),
        ([BR0, Link("veth0", "veth", has_carrier=False, bridge="br0")], "its uplink veth0 has no carrier"),
        ([BR0, Link("eth1", has_carrier=False, bridge="br1")], ""),  # another bridge's
    ],
)
def test_a_bridge_is_up_when_it_is_switched_on_and_an_uplink_of_it_is_if_it_has_any(
    links: list[Link], lost: str
) -> None:
    found = state(*links)
    assert found is not None
    assert found.lost.startswith(lost) if lost else not found.lost
    assert found.is_missing is (not links)


def test_a_bridge_that_has_lost_its_last_uplink_is_lost_and_not_an_isolated_one() -> None:
    before = state(BR0, ETH1)
    assert before is not None
    assert before.uplinks == ("eth1",)
    gone = state(BR0, before=before)
    assert gone is not None
    assert (gone.lost, gone.uplinks) == ("its uplink eth1 is gone", ("eth1",))
    assert state(BR0, ETH1, before=gone) == before


@pytest.mark.parametrize(
    ("links", "lost"),
    [
        ([Link("eth1")], ""),
        ([Link("eth1", has_carrier=False)], "eth1 has no carrier"),
        ([Link("eth1", is_up=False)], "eth1 is switched off"),
        ([], "eth1 does not exist"),
    ],
)
def test_what_a_macvtap_sits_on_is_up_when_it_has_carrier(links: list[Link], lost: str) -> None:
    found = state(*links, network="device/eth1")
    assert found is not None
    assert found.lost == lost


def test_what_open_vswitch_has_joined_is_not_judged() -> None:
    assert state(Link("ovsbr0", "openvswitch", is_up=False), network="bridge/ovsbr0") is None


def test_a_network_of_libvirt_is_whatever_it_amounts_to_here() -> None:
    assert places_of("network/lan", {}) is None, "nobody has said yet"
    links = {"br0": BR0, "eth1": NO_CARRIER, "eth2": Link("eth2")}
    lost = state_of("network/lan", Place(("br0",)), links, None)
    assert lost is not None
    assert lost.lost == "its uplink eth1 has no carrier"
    either = state_of("network/lan", Place(("eth1", "eth2")), links, None)
    assert either is not None
    assert not either.lost, "one of several devices is enough"
    stopped = state_of("network/lan", Place(problem='the libvirt network "lan" is not started'), links, None)
    assert stopped is not None
    assert stopped.is_missing
    assert state_of("network/lan", Place(), links, None) is None, "its guests own the device: nothing to be watched"
