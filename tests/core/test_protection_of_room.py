"""When room is short, it depends on who goes where whether all of a node finds room: is that said as it will be?"""

import msgspec

from build import BR0, LOST, NODES, group, resource, session, view
from outlast.core.coordinator.failover import decide
from outlast.core.foresight.protection import Protections
from outlast.model.group import Group
from outlast.model.plan import Assign
from outlast.model.policy import Priority
from outlast.model.view import ClusterView

URGENT = group("urgent", priority=Priority.HIGH)
LARGE = group("large", priority=Priority.LOW)


def world(node_mib: int, sizes: dict[str, int], *of: Group) -> ClusterView:
    return view(
        *of,
        resources=[resource(name, memory_mib=sizes[one.name], group=one.name) for one in of for name in one.resources],
        sessions=[session(name, memory_mib=node_mib) for name in NODES],
    )


def protected(of: ClusterView) -> dict[str, bool]:
    found = Protections(of)
    return {name: found.of(one).protected for name, one in of.groups.items() if one.owner == "n1"}


def run_again(of: ClusterView) -> set[str]:
    """What is placed when n1 has left."""
    left = {name: one for name, one in of.sessions.items() if name != "n1"}
    plan = decide(ClusterView(**{**{name: getattr(of, name) for name in of.__struct_fields__}, "sessions": left}))
    return {action.group for action in plan.actions if isinstance(action, Assign)}


def test_who_finds_no_room_because_the_urgent_one_takes_the_best_place_is_not_called_protected() -> None:
    sizes = {"urgent": 512, "large": 1024, "on2": 1536, "on3": 1024}
    of = world(2048, sizes, URGENT, LARGE, group("on2", on="n2"), group("on3", on="n3"))
    assert run_again(of) == {"urgent"}
    assert protected(of) == {"urgent": True, "large": False}


def test_where_there_is_room_wherever_the_others_go_all_are_protected() -> None:
    sizes = {"urgent": 512, "large": 1024, "on2": 1536, "on3": 1024}
    of = world(4096, sizes, URGENT, LARGE, group("on2", on="n2"), group("on3", on="n3"))
    assert run_again(of) == {"urgent", "large"}
    assert protected(of) == {"urgent": True, "large": True}


def test_who_goes_where_its_network_is_lost_takes_room_there_all_the_same() -> None:
    without = group("without", priority=Priority.HIGH)
    sizes = {"without": 1024, "large": 1024, "on2": 512, "on3": 2048}
    of = world(2048, sizes, without, LARGE, group("on2", on="n2"), group("on3", on="n3"))
    of = msgspec.structs.replace(
        of,
        resources={**of.resources, "without": msgspec.structs.replace(of.resources["without"], networks=(BR0,))},
        sessions={name: msgspec.structs.replace(one, networks=(LOST,)) for name, one in of.sessions.items()},
    )
    assert run_again(of) == {"without"}
    assert protected(of) == {"without": False, "large": False}
