"""When are groups moved although nothing is wrong with them? Nodes have 100 GiB each where memory matters."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from build import NODES, failure, group, node, observed, resource, session, silence, status, view
from outlast.core.coordinator.balance import (
    CALM_S,
    JOINED_S,
    MOST,
    SETTLED_S,
    balance,
    busy,
    moves,
    next_moves,
    why_it_stays,
)
from outlast.core.coordinator.failover import decide
from outlast.core.coordinator.round import Round
from outlast.model.group import Group, Wanted
from outlast.model.node import Node, Offer, ProofKind, Session
from outlast.model.plan import WishMove
from outlast.model.policy import Balance, BalanceMode, Priority
from outlast.model.rule import Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.status import State
from outlast.model.view import ClusterView

ALWAYS = Balance.ALWAYS
HAS_MIB = 100 * 1024
LONG_S = {name: 9999.0 for name in NODES}
CALM = observed(calm_s=CALM_S, open_s=LONG_S)
CONTINUOUS = Settings(balance=BalanceMode.CONTINUOUS, parallel_moves=2)


def groups(**numbers: int) -> list[Group]:
    """So many on each node; they may be moved."""
    return [group(f"{on}-{number}", on=on, balance=ALWAYS) for on, many in numbers.items() for number in range(many)]


def seen(*of: Group, settings: Settings = CONTINUOUS, **changes: Any) -> ClusterView:
    return view(*of, **{"settings": settings, "observed": CALM, **changes})


def weighed(sizes_mib: dict[str, tuple[int, ...]], **changes: Any) -> ClusterView:
    """Per node the memory of its groups; processors are not known."""
    of = [
        group(f"{on}-{number}", on=on, balance=ALWAYS)
        for on, sizes in sizes_mib.items()
        for number, _ in enumerate(sizes)
    ]
    resources = [
        resource(f"{on}-{number}", memory_mib=size)
        for on, sizes in sizes_mib.items()
        for number, size in enumerate(sizes)
    ]
    sessions = [session(name, memory_mib=HAS_MIB) for name in NODES]
    return seen(*of, **{"resources": resources, "sessions": sessions, **changes})


def wishes(of: ClusterView) -> dict[str, str]:
    """What one round of balancing alone decides: group to node."""
    round = Round(of)
    balance(round)
    return {action.group: action.to for action in round.plan().actions if isinstance(action, WishMove)}


def made(of: ClusterView) -> ClusterView:
    """The cluster after all proposed moves."""
    after = {move.group: move.target for move in moves(of)}
    changed = {name: msgspec.structs.replace(one, owner=after.get(name, one.owner)) for name, one in of.groups.items()}
    return msgspec.structs.replace(
        of, groups=changed, statuses={name: status(one, State.ONLINE) for name, one in changed.items()}
    )


def spread(of: ClusterView) -> list[int]:
    count = Counter(one.owner for one in of.groups.values())
    return sorted(count[name] for name in of.nodes)


# -- is it worth it? ------------------------------------------------------------------------------------------------


def test_an_empty_node_gets_its_share_and_then_nothing_is_moved_any_more() -> None:
    before = seen(*groups(n1=6, n2=6))
    after = made(before)
    assert len(moves(before)) == 4
    assert spread(after) == [4, 4, 4]
    assert moves(after) == []


@pytest.mark.parametrize("numbers", [{"n1": 2, "n2": 1, "n3": 1}, {"n1": 11, "n2": 10, "n3": 9}, {"n1": 1}])
def test_what_is_nearly_as_good_stays_as_it_is(numbers: dict[str, int]) -> None:
    assert moves(seen(*groups(**numbers))) == []


def test_memory_weighs_and_not_the_number_of_groups_where_all_nodes_say_what_they_have() -> None:
    gib = 1024
    uneven = weighed({"n1": (40 * gib, 40 * gib), "n2": (5 * gib,) * 4, "n3": (36 * gib,)})
    (move,) = moves(uneven)
    assert (move.source, move.target) == ("n1", "n2")
    assert move.why == "to balance the load (n1 has 40%, n2 10%)"


def test_processors_weigh_as_much_as_memory() -> None:
    of = weighed({"n1": (1024, 1024), "n2": (1024,), "n3": (1024,)})
    resources = {name: msgspec.structs.replace(one, vcpus=16) for name, one in of.resources.items()}
    sessions = {name: msgspec.structs.replace(one, cpus=32) for name, one in of.sessions.items()}
    assert moves(msgspec.structs.replace(of, resources=resources, sessions=sessions)) == []
    empty = {name: one for name, one in of.groups.items() if one.owner != "n3"}
    busy_node = msgspec.structs.replace(of, resources=resources, sessions=sessions, groups=empty)
    assert [(move.source, move.target) for move in moves(busy_node)] == [("n1", "n3")]


def test_few_moves_do_it_because_what_brings_the_most_goes_first() -> None:
    gib = 1024
    of = weighed({"n1": (38 * gib, 10 * gib, 2 * gib, 2 * gib, 2 * gib), "n2": (10 * gib,), "n3": (25 * gib,)})
    assert [(move.group, move.target) for move in moves(of)] == [("n1-1", "n2")]


def test_of_those_alike_the_least_urgent_goes() -> None:
    of = [*groups(n1=3), group("low", on="n1", balance=ALWAYS, priority=Priority.LOW)]
    assert moves(seen(*of))[0].group == "low"


@given(
    st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from([0, 1, 4, 8, 30])), min_size=1, max_size=25),
    st.booleans(),
)
def test_whatever_there_is_balancing_ends_and_never_comes_back_to_where_it_was(
    placed: list[tuple[str, int]], counted: bool
) -> None:
    of = [group(f"g{number}", on=on, balance=ALWAYS) for number, (on, _) in enumerate(placed)]
    resources = [resource(f"g{number}", memory_mib=gib * 1024) for number, (_, gib) in enumerate(placed)]
    sessions = [session(name, memory_mib=0 if counted else HAS_MIB) for name in NODES]
    now = seen(*of, resources=resources, sessions=sessions)
    been = []
    while moves(now):
        been.append([one.owner for one in now.groups.values()])
        now = made(now)
        assert [one.owner for one in now.groups.values()] not in been
    assert len(been) <= 3


@given(st.lists(st.sampled_from(NODES), min_size=1, max_size=25))
def test_whatever_there_is_the_fullest_node_never_gets_fuller(owners: list[str]) -> None:
    before = seen(*[group(f"g{number}", on=on, balance=ALWAYS) for number, on in enumerate(owners)])
    assert spread(made(before))[-1] <= spread(before)[-1]


def test_what_is_on_its_way_counts_where_it_goes_and_invites_no_more_moves() -> None:
    of = groups(n1=4, n2=2, n3=4)
    on_its_way = [msgspec.structs.replace(of[0], move_to="n2"), *of[1:]]
    assert len(moves(seen(*of))) == 1
    assert moves(seen(*on_its_way)) == []


# -- may it be moved? -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"balance": Balance.NEVER}, "balance=never"),
        ({"locked": "backup"}, "locked: backup"),
        ({"maintenance": "new disks"}, "in maintenance: new disks"),
        ({"return_to": "n3"}, "to return to n3"),
        ({"failures": (failure("x"),)}, "failed of late"),
        ({"balance": Balance.LIVE}, "vm cannot be migrated live on n1"),
    ],
)
def test_what_is_to_stay_stays_and_it_says_why(changes: dict[str, Any], why: str) -> None:
    of = [msgspec.structs.replace(one, **changes) for one in groups(n1=6)]
    assert moves(seen(*of)) == []
    assert why in why_it_stays(of[0], seen(*of))


@pytest.mark.parametrize("state", [State.OFFLINE, State.FAILED, State.UNKNOWN, State.ONLINE_PENDING])
def test_what_is_not_online_is_not_moved(state: State) -> None:
    of = groups(n1=6)
    assert moves(seen(*of, statuses=[status(one, state) for one in of])) == []


def test_what_is_wanted_offline_is_not_moved_and_burdens_nobody() -> None:
    off = [msgspec.structs.replace(one, wanted=Wanted.OFFLINE) for one in groups(n1=6)]
    assert moves(seen(*off, statuses=[status(one, State.OFFLINE) for one in off])) == []


def test_live_is_for_what_both_nodes_can_migrate() -> None:
    of = [msgspec.structs.replace(one, balance=Balance.LIVE) for one in groups(n1=6)]
    able = [session(name, offers=[Offer("vm", functions=("migrate",))]) for name in NODES]
    assert {move.target for move in moves(seen(*of, sessions=able))} == {"n2", "n3"}
    one_way = [*able[:2], session("n3")]
    assert {move.target for move in moves(seen(*of, sessions=one_way))} == {"n2"}
    not_set_up = [*able[:2], session("n3", offers=[Offer("vm", functions=("migrate",))], migration="")]
    assert {move.target for move in moves(seen(*of, sessions=not_set_up))} == {"n2"}


def test_nothing_goes_where_placing_would_not_put_it() -> None:
    of = groups(n1=6)
    hard = [Rule("here", RuleKind.NOT_ON, tuple(one.name for one in of), nodes=("n2",), hard=True)]
    assert {move.target for move in moves(seen(*of, rules=hard))} == {"n3"}
    assert {move.target for move in moves(seen(*of, nodes=[node("n1"), node("n2", paused=True), node("n3")]))} == {"n3"}
    only = [msgspec.structs.replace(one, possible_owners=("n1", "n2")) for one in of]
    assert {move.target for move in moves(seen(*only))} == {"n2"}


def test_no_soft_rule_is_broken_for_it_that_is_kept_now() -> None:
    of = groups(n1=6)
    soft = [Rule("here", RuleKind.ON, tuple(one.name for one in of), nodes=("n1", "n3"))]
    assert {move.target for move in moves(seen(*of, rules=soft))} == {"n3"}


def test_nothing_leaves_a_preferred_owner_for_one_that_is_less_so() -> None:
    of = [msgspec.structs.replace(one, preferred_owners=("n1",)) for one in groups(n1=6)]
    assert moves(seen(*of)) == []
    either = [msgspec.structs.replace(one, preferred_owners=("n3", "n1")) for one in groups(n1=6)]
    assert {move.target for move in moves(seen(*either))} == {"n3"}


def test_there_must_be_room() -> None:
    gib = 1024
    of = weighed({"n1": (30 * gib, 30 * gib), "n2": (), "n3": (25 * gib,)})
    small = [session("n1", memory_mib=HAS_MIB), session("n2", memory_mib=20 * gib), session("n3", memory_mib=HAS_MIB)]
    assert "n2" not in {move.target for move in moves(msgspec.structs.replace(of, sessions={s.node: s for s in small}))}


# -- when? ----------------------------------------------------------------------------------------------------------


def test_off_means_off() -> None:
    assert wishes(seen(*groups(n1=6), settings=Settings())) == {}


def test_continuous_moves_a_few_at_once() -> None:
    found = wishes(seen(*groups(n1=20)))
    assert len(found) == 2  # n1 gives away two at once
    assert set(found.values()) == {"n2", "n3"}


def test_however_large_the_cluster_only_so_many_moves_begin_at_once() -> None:
    names = [f"n{number}" for number in range(1, 41)]
    of = [group(f"{on}-{number}", on=on, balance=ALWAYS) for on in names[:20] for number in range(8)]
    large = seen(
        *of,
        nodes=[node(name) for name in names],
        observed=observed(calm_s=CALM_S, open_s=dict.fromkeys(names, 9999.0)),
    )
    assert len(wishes(large)) == MOST


def test_nothing_begins_before_the_cluster_has_been_calm_for_a_while_and_then_it_is_looked_at_again() -> None:
    stirred = seen(*groups(n1=6), observed=observed(calm_s=CALM_S - 10, open_s=LONG_S))
    assert wishes(stirred) == {}
    round = Round(stirred)
    balance(round)
    assert round.plan().wake_in_s == 10.0


def test_a_node_that_comes_and_goes_gets_nothing() -> None:
    fresh = observed(calm_s=CALM_S, open_s={**LONG_S, "n2": SETTLED_S - 1})
    assert set(wishes(seen(*groups(n1=6), observed=fresh)).values()) == {"n3"}


def test_on_join_gives_to_nodes_that_have_just_joined_only() -> None:
    on_join = Settings(balance=BalanceMode.ON_JOIN)
    assert wishes(seen(*groups(n1=6), settings=on_join)) == {}
    joined = observed(calm_s=CALM_S, open_s={**LONG_S, "n3": SETTLED_S})
    assert set(wishes(seen(*groups(n1=6), settings=on_join, observed=joined)).values()) == {"n3"}
    late = observed(calm_s=CALM_S, open_s={**LONG_S, "n3": JOINED_S})
    assert wishes(seen(*groups(n1=6), settings=on_join, observed=late)) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"silences": [silence("n3")]},
        {"observed": observed(calm_s=CALM_S, open_s=LONG_S, silent_s={"n3": 1.0})},
        {"settings": msgspec.structs.replace(CONTINUOUS, hold="restored")},
        {"settings": msgspec.structs.replace(CONTINUOUS, armed=False)},
    ],
)
def test_nothing_is_moved_while_something_is_wrong(changes: dict[str, Any]) -> None:
    assert wishes(seen(*groups(n1=6), **changes)) == {}
    assert busy(Round(seen(*groups(n1=6), **changes)))


@pytest.mark.parametrize("state", [State.ONLINE_PENDING, State.OFFLINE_PENDING, State.UNKNOWN])
def test_nothing_is_moved_while_another_group_is_on_its_way(state: State) -> None:
    of = groups(n1=6)
    reports = [status(one, State.ONLINE) for one in of]
    other = group("other", on="n2")
    assert wishes(seen(*of, other, statuses=[*reports, status(other, state)])) == {}
    moving = group("other", on="n2", move_to="n3")
    assert wishes(seen(*of, moving)) == {}
    assert wishes(seen(*of, other, statuses=reports)) == {}  # n2 has not said yet what becomes of it


def test_a_group_that_stays_failed_keeps_nobody_from_being_moved() -> None:
    of = groups(n1=6)
    reports = [status(one, State.ONLINE) for one in of]
    broken = group("other", on="n2", failures=(failure("1"), failure("2", on="n3")))
    assert wishes(seen(*of, broken, statuses=[*reports, status(broken, State.FAILED)]))


def test_whatever_else_is_decided_comes_first() -> None:
    dead = seen(*groups(n1=6), group("lost", on="n3"), silences=[silence("n3", proof=ProofKind.FENCE)])
    assert not [action for action in decide(dead).actions if isinstance(action, WishMove)]


def test_a_drained_node_neither_gives_nor_takes_for_the_sake_of_balance() -> None:
    nodes: list[Node] = [node("n1", paused=True, draining=True), node("n2"), node("n3")]
    assert [move for move in moves(seen(*groups(n1=6), nodes=nodes)) if move.source == "n1"] == []


def test_an_administrator_need_not_wait_for_calm_but_no_more_begin_at_once_than_may() -> None:
    asked = seen(*groups(n1=20), settings=Settings(), observed=observed())
    assert [(move.source, move.target) for move in next_moves(asked)] == [("n1", "n2"), ("n1", "n3")]


def sessions_of(memory_mib: int) -> list[Session]:
    return [session(name, memory_mib=memory_mib) for name in NODES]


def test_nodes_that_do_not_say_what_they_have_are_compared_by_their_groups() -> None:
    mixed = [*sessions_of(HAS_MIB)[:2], session("n3")]
    of = groups(n1=6)
    assert moves(seen(*of, sessions=mixed))[0].why == "to balance the load (n1 has 6 groups, n2 0 groups)"
