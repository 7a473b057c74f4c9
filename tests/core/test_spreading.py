"""Are the coordinators of shared volumes spread over the nodes?"""

import msgspec
import pytest
from volume_builders import cluster

from outlast.core.coordinator.failover import decide
from outlast.model.group import Wanted
from outlast.model.plan import WishMove
from outlast.model.view import ClusterView

UNEVEN = {"v1": "n1", "v2": "n1", "v3": "n2"}


def moves(view: ClusterView) -> list[tuple[str, str]]:
    return [(action.group, action.to) for action in decide(view).actions if isinstance(action, WishMove)]


def test_one_goes_from_the_node_that_has_the_most_to_one_that_has_two_fewer() -> None:
    assert moves(cluster(volumes_on=UNEVEN)) == [("v1", "n3")]


@pytest.mark.parametrize(
    "places",
    [
        {"v1": "n1", "v2": "n1", "v3": "n2", "v4": "n3"},
        {"v1": "n1"},
        {"v1": "n1", "v2": "n2"},
        {"v1": "n1", "v2": "n1", "v3": "n2", "v4": "n2", "v5": "n3"},
    ],
)
def test_what_is_as_even_as_can_be_stays(places: dict[str, str]) -> None:
    assert moves(cluster(volumes_on=places)) == []


def test_not_before_everything_has_been_calm_for_a_while() -> None:
    seen = cluster(volumes_on=UNEVEN)
    stirred = msgspec.structs.replace(seen, observed=msgspec.structs.replace(seen.observed, calm_s=10.0))
    assert moves(stirred) == []
    assert decide(stirred).wake_in_s == 20.0


def test_one_at_a_time() -> None:
    seen = cluster(volumes_on={"v1": "n1", "v2": "n1", "v3": "n1", "v4": "n1"})
    assert len(moves(seen)) == 1
    going = msgspec.structs.replace(seen.groups["v1"], move_to="n2")
    assert moves(msgspec.structs.replace(seen, groups={**seen.groups, "v1": going})) == []


def test_nor_to_a_node_that_does_not_see_the_volume() -> None:
    assert moves(cluster(volumes_on=UNEVEN, lost=("n3",))) == [("v2", "n3")]


@pytest.mark.parametrize("change", [{"locked": "it stays"}, {"wanted": Wanted.OFFLINE}, {"preferred_owners": ("n1",)}])
def test_what_is_to_stay_where_it_is_stays(change: dict[str, object]) -> None:
    seen = cluster(volumes_on=UNEVEN)
    kept = {name: msgspec.structs.replace(seen.groups[name], **change) for name in ("v1", "v2")}
    assert moves(msgspec.structs.replace(seen, groups={**seen.groups, **kept})) == []
