"""Who has what, as far as placing is concerned."""

from typing import Any

import pytest

from build import group, node, resource, session, silence, status, view
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates, why_not
from outlast.model.group import Group, Wanted
from outlast.model.node import ProofKind
from outlast.model.status import State

WEB = group("web", on="n1")


def seen(*groups: Group, has_mib: int = 1000, needs_mib: int = 600, **changes: Any) -> Placed:
    """Nodes of 1000 MiB, groups of 600."""
    sizes: dict[str, Any] = {
        "sessions": [session(name, memory_mib=has_mib) for name in ("n1", "n2", "n3")],
        "resources": [resource(one.name, memory_mib=needs_mib) for one in groups],
    }
    return Placed(view(*groups, **(sizes | changes)))


def test_what_is_wanted_online_counts_on_its_owner_whatever_its_state() -> None:
    for state in State:
        found = seen(WEB, statuses=[status(WEB, state)])
        assert found.used("n1").memory_mib == 600, state


@pytest.mark.parametrize(
    ("state", "counted"),
    [(State.OFFLINE, 0), (State.FAILED, 0), (State.ONLINE, 600), (State.OFFLINE_PENDING, 600), (State.UNKNOWN, 600)],
)
def test_what_is_wanted_offline_counts_until_its_owner_has_said_that_nothing_runs(state: State, counted: int) -> None:
    web = group("web", on="n1", wanted=Wanted.OFFLINE)
    assert seen(web, statuses=[status(web, state)]).used("n1").memory_mib == counted


@pytest.mark.parametrize("report", [{"epoch": 2}, {"by": "n2"}], ids=str)
def test_a_report_of_another_epoch_or_node_says_nothing(report: dict[str, Any]) -> None:
    web = group("web", on="n1", wanted=Wanted.OFFLINE)
    assert seen(web, statuses=[status(web, State.OFFLINE, **report)]).used("n1").memory_mib == 600


def test_what_its_dead_owner_had_counts_nowhere_and_what_a_doubted_one_has_counts_there() -> None:
    assert seen(WEB, silences=[silence("n1", proof=ProofKind.FENCE)]).nodes("web") == ()
    assert seen(WEB, silences=[silence("n1")]).nodes("web") == ("n1",)


def test_what_the_owner_left_behind_when_it_left_in_order_counts_nowhere() -> None:
    assert seen(WEB, sessions=[session("n2"), session("n3")]).nodes("web") == ()


def test_a_moving_group_counts_where_it_is_and_where_it_goes() -> None:
    found = seen(group("web", on="n1", move_to="n2"))
    assert (found.used("n1").memory_mib, found.used("n2").memory_mib) == (600, 600)


def test_a_moving_group_has_its_room_already_where_it_goes() -> None:
    web = group("web", on="n1", move_to="n2")
    assert why_not(web, "n2", seen(web)) == ""


def test_what_was_placed_a_moment_ago_takes_room() -> None:
    a, b = group("a", on=""), group("b", on="")
    found = seen(a, b)
    found.put(a, "n1")
    assert why_not(b, "n1", found) == "it has 400 MiB of memory left of 1000, and 600 are needed"
    assert candidates(b, found).nodes == ("n2", "n3")


def test_what_is_placed_anew_leaves_its_old_room() -> None:
    found = seen(WEB)
    found.put(WEB, "n2")
    assert (found.used("n1").memory_mib, found.used("n2").memory_mib) == (0, 600)
    assert (found.used("n1").groups, found.used("n2").groups) == (0, 1)


def test_an_owner_is_not_too_small_for_what_it_has() -> None:
    assert why_not(WEB, "n1", seen(WEB), here="n1") == ""


def test_an_owner_whose_memory_was_made_smaller_is_told_so() -> None:
    found = seen(WEB, has_mib=500)
    assert why_not(WEB, "n1", found, here="n1") == "it has 500 MiB of memory left of 500, and 600 are needed"


def test_a_group_of_a_node_that_was_evicted_is_in_nobodys_way() -> None:
    found = seen(WEB, nodes=[node("n2"), node("n3")])
    assert found.nodes("web") == ()
    assert found.stand("web") is None


def test_what_is_wanted_offline_counts_no_more_when_its_owner_begins_another_life() -> None:
    web = group("web", on="n1", wanted=Wanted.OFFLINE)
    before = status(web, State.ONLINE, life=1)
    again = [session("n1", life=2, memory_mib=1000), *(session(name, memory_mib=1000) for name in ("n2", "n3"))]
    assert seen(web, statuses=[before], sessions=again).used("n1").memory_mib == 0
    assert seen(web, statuses=[before]).used("n1").memory_mib == 600
