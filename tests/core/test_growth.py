"""Does its owner still have room for a group of which more is to run, or which is to need more?"""

from typing import Any

import msgspec

from build import group, node, resource, session, view
from outlast.core.placement.growth import why_no_room
from outlast.core.placement.placed import Placed
from outlast.model.group import Group, Wanted
from outlast.model.view import ClusterView

NAMES = ("n1", "n2", "n3")


def judged(web: Group, *others: Group, has_mib: int = 1000, cache_mib: int = 400, **changes: Any) -> str:
    """web has a disk of 300 MiB, and a cache that is to be switched on; the others take 600 MiB each."""
    web = msgspec.structs.replace(web, resources=("disk", "cache"))
    cache = resource("cache", group="web", memory_mib=cache_mib, wanted=Wanted.OFFLINE)
    sizes = [resource("disk", group="web", memory_mib=300), *(resource(one.name, memory_mib=600) for one in others)]
    usual: dict[str, Any] = {"sessions": [session(name, memory_mib=has_mib) for name in NAMES]}
    before: ClusterView = view(web, *others, resources=[*sizes, cache], **(usual | changes))
    on = msgspec.structs.replace(cache, wanted=Wanted.ONLINE)
    after = msgspec.structs.replace(before, resources={**before.resources, "cache": on})
    return why_no_room(web, Placed(before), Placed(after))


def test_where_there_is_room_nothing_is_said() -> None:
    assert judged(group("web")) == ""
    assert judged(group("web"), group("db", on="n2")) == ""


def test_without_room_the_numbers_are_told_and_where_to_move_it_first() -> None:
    assert judged(group("web"), group("db")) == (
        "with it web needs 700 MiB of memory, and n1, which owns it, has 400 of 1000 for it; "
        "move it first to n2, which has room: `outlast group move web --to n2`"
    )


def test_what_is_locked_must_be_unlocked_for_that() -> None:
    words = judged(group("web", locked="by hand"), group("db"))
    assert words.endswith("--to n2`, first `outlast group unlock web` (it is locked: by hand)")


def test_without_room_anywhere_each_nodes_reason_is_told() -> None:
    full = [group("db"), group("b2", on="n2"), group("b3", on="n3")]
    assert judged(group("web"), *full).endswith(
        "no other node has room: n2: it has 400 MiB of memory left of 1000, and 700 are needed; n3: it has 400 MiB of "
        "memory left of 1000, and 700 are needed"
    )
    alone = [session("n1", memory_mib=1000)]
    words = judged(group("web"), group("db"), nodes=[node("n1")], sessions=alone)
    assert words.endswith("no other node has room: there is none")


def test_what_needs_no_more_than_before_is_not_asked_again_however_full_its_node_is() -> None:
    assert judged(group("web"), group("db"), group("db2"), cache_mib=0) == ""


def test_a_group_on_its_way_is_asked_where_it_goes() -> None:
    words = judged(group("web", move_to="n2"), group("db", on="n2"))
    assert "and n2, where it moves to, has 400 of 1000 for it; move it first to n3" in words


def test_nodes_of_which_nothing_is_known_and_groups_that_are_nowhere_are_not_limited() -> None:
    assert judged(group("web"), group("db"), has_mib=0) == ""
    assert judged(group("web", on=""), group("db")) == ""
