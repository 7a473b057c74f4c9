"""When does a node tell that a network is lost, or is up again?"""

from outlast.core.network.settling import Settling
from outlast.model.network import NetworkState

UP = NetworkState("bridge/br0", uplinks=("eth1",))
LOST = NetworkState("bridge/br0", "its uplink eth1 has no carrier", uplinks=("eth1",))
DELAY_S = 5.0


def told(settling: Settling, state: NetworkState, at: float) -> NetworkState:
    (one,) = settling.look({state.network: state}, at, DELAY_S)
    return one


def test_what_is_seen_first_is_told_at_once() -> None:
    assert told(Settling(), LOST, 0.0) == LOST


def test_a_loss_is_told_when_it_has_lasted() -> None:
    settling = Settling([UP])
    assert told(settling, LOST, 10.0) == UP
    assert settling.due_in_s(12.0, DELAY_S) == 3.0
    assert told(settling, LOST, 14.9) == UP
    assert told(settling, LOST, 15.0) == LOST
    assert settling.due_in_s(15.0, DELAY_S) is None


def test_one_that_flaps_stays_as_it_was_told() -> None:
    settling = Settling([UP])
    for at in range(0, 40, 4):
        assert told(settling, LOST, at) == UP
        assert told(settling, UP, at + 2.0) == UP


def test_that_it_is_back_must_last_as_well() -> None:
    settling = Settling([LOST])
    assert told(settling, UP, 0.0) == LOST
    assert told(settling, LOST, 3.0) == LOST
    assert told(settling, UP, 4.0) == LOST
    assert told(settling, UP, 8.9) == LOST
    assert told(settling, UP, 9.0) == UP


def test_what_is_not_needed_any_more_is_not_told() -> None:
    assert Settling([LOST]).look({}, 0.0, DELAY_S) == ()
