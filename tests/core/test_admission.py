"""Could so many nodes be lost, as was promised, and all that should run still find room on the others?"""

from typing import Any

import msgspec
import pytest

from build import group, node, resource, session, view
from outlast.core.placement.admission import Admission, admit, broken_promise, shortfall
from outlast.core.placement.placed import Placed
from outlast.model.group import Group, Wanted
from outlast.model.policy import Priority, Reserve
from outlast.model.rule import Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

NAMES = ("n1", "n2", "n3")


def seen(
    *groups: Group, survive: int = 1, size_mib: int = 400, reserve: Reserve = Reserve.WARN, **changes: Any
) -> ClusterView:
    """Nodes of 1000 MiB; groups of 400 each, if not said otherwise."""
    usual: dict[str, Any] = {
        "sessions": [session(name, memory_mib=1000) for name in NAMES],
        "resources": [resource(one.name, memory_mib=size_mib) for one in groups],
        "settings": Settings(survive_nodes=survive, reserve=reserve),
    }
    return view(*groups, **(usual | changes))


def spread(count: int, **more: Any) -> list[Group]:
    """Groups g1, g2, ... in turn on n1, n2, n3."""
    return [group(f"g{number + 1}", on=NAMES[number % 3], **more) for number in range(count)]


def test_without_a_promise_nothing_is_broken() -> None:
    assert shortfall(Placed(seen(*spread(9), survive=0))) is None


def test_the_promise_is_kept_while_each_nodes_groups_find_room_on_the_others() -> None:
    assert shortfall(Placed(seen(*spread(4)))) is None


def test_the_promise_is_broken_when_the_loss_of_some_node_leaves_something_without_room() -> None:
    placed = Placed(seen(*spread(5)))
    found = shortfall(placed)
    assert found is not None
    assert (found.lost, found.left_out) == (("n1",), ("g4",))
    assert broken_promise(placed) == (
        "the promise to survive the loss of 1 node is broken: if n1 was lost, no room is left for g4"
    )


def test_it_is_asked_on_what_is_and_changes_nothing() -> None:
    placed = Placed(seen(*spread(5)))
    before = [(placed.used(name).groups, placed.used(name).memory_mib) for name in NAMES]
    shortfall(placed)
    assert [(placed.used(name).groups, placed.used(name).memory_mib) for name in NAMES] == before


def test_rooms_are_not_added_up_where_a_group_fits_into_none_of_them() -> None:
    groups = [group("big", on="n1"), group("a", on="n2"), group("b", on="n3")]
    sizes = [resource("big", memory_mib=700), resource("a", memory_mib=400), resource("b", memory_mib=400)]
    found = shortfall(Placed(seen(*groups, resources=sizes)))
    assert found is not None
    assert found.left_out == ("big",)


def test_two_nodes_are_lost_at_once_when_that_was_promised() -> None:
    assert shortfall(Placed(seen(*spread(2), survive=2))) is None
    found = shortfall(Placed(seen(*spread(3), survive=2)))
    assert found is not None
    assert len(found.lost) == 2


def test_a_promise_of_all_nodes_is_broken_by_whatever_runs() -> None:
    assert shortfall(Placed(seen(survive=3))) is None
    found = shortfall(Placed(seen(*spread(1), survive=3)))
    assert found is not None
    assert found.left_out == ("g1",)


def test_what_is_down_for_want_of_room_breaks_the_promise_already() -> None:
    found = shortfall(Placed(seen(group("huge", on=""), size_mib=2000)))
    assert found is not None
    assert found.lost == ()
    assert found.words() == "there is no room for huge even now"


def test_what_could_go_nowhere_else_anyway_is_no_matter_of_room() -> None:
    pinned = group("g1", on="n1", possible_owners=("n1",))
    assert shortfall(Placed(seen(pinned, size_mib=900))) is None


@pytest.mark.parametrize("change", [{"priority": Priority.NO_AUTO_START}, {"wanted": Wanted.OFFLINE}], ids=str)
def test_what_would_not_be_started_needs_no_room(change: dict[str, Any]) -> None:
    large = group("large", on="n1")
    sizes = [*(resource(one.name, memory_mib=400) for one in spread(3)), resource("large", memory_mib=700)]
    assert shortfall(Placed(seen(*spread(3), large, resources=sizes))) is not None
    not_started = msgspec.structs.replace(large, **change)
    assert shortfall(Placed(seen(*spread(3), not_started, resources=sizes))) is None


def test_rules_are_minded() -> None:
    groups = [group("a", on="n1"), group("b", on="n2"), group("c", on="n3")]
    apart = Rule("apart", RuleKind.DIFFERENT, ("a", "b"), hard=True)
    sizes = [resource("a", memory_mib=400), resource("b", memory_mib=100), resource("c", memory_mib=900)]
    found = shortfall(Placed(seen(*groups, rules=[apart], resources=sizes)))
    assert found is not None
    assert found.lost == ("n1",)


def test_a_paused_node_is_no_room() -> None:
    nodes = [node("n1"), node("n2"), node("n3", paused=True)]
    assert shortfall(Placed(seen(*spread(3), nodes=nodes))) is None
    groups = [*spread(3), group("g4", on="n1"), group("g5", on="n2")]
    assert shortfall(Placed(seen(*groups, nodes=nodes))) is not None


def test_a_new_group_that_breaks_the_promise_is_warned_of_or_refused_as_chosen() -> None:
    new, of_it = group("new", on="", epoch=0), [resource("new", memory_mib=400)]
    warned = admit(seen(*spread(4)), new, of_it)
    assert warned.refused == ""
    assert warned.warning.startswith("the promise to survive the loss of 1 node would be broken")
    refused = admit(seen(*spread(4), reserve=Reserve.REFUSE), new, of_it)
    assert refused.warning == ""
    assert refused.refused.endswith("Make room, or `outlast cluster set reserve=warn`")
    assert admit(seen(*spread(3), reserve=Reserve.REFUSE), new, of_it) == Admission()


def test_a_group_that_is_off_counts_where_it_is_when_it_is_to_run() -> None:
    off = group("g5", on="n2", wanted=Wanted.OFFLINE)
    groups = spread(4)
    known = seen(*groups, off, reserve=Reserve.REFUSE)
    assert admit(known, off).refused != ""


def test_of_many_sets_of_nodes_the_hardest_are_tried() -> None:
    names = [f"n{number:02}" for number in range(40)]
    groups = [group(f"g{name}", on=name) for name in names]
    big = [group("big1", on="n38"), group("big2", on="n39")]
    sizes = [resource(one.name, memory_mib=100) for one in groups] + [resource(one.name, memory_mib=850) for one in big]
    known = seen(
        *groups,
        *big,
        survive=2,
        nodes=[node(name) for name in names],
        sessions=[session(name, memory_mib=900) for name in names],
        resources=sizes,
    )
    found = shortfall(Placed(known))
    assert found is not None
    assert set(found.left_out) & {"big1", "big2"}
