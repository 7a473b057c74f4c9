"""Whatever a small cluster looks like: nothing is moved that need not be. Every other way to the same end is tried out.

What is judged is the whole sequence of moves, until the cluster wants no more: fewer must not do. A move costs a VM a
moment, or the network a copy of its memory.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as draw

from build import NODES, group, node, observed, resource, session, view
from outlast.core.coordinator.balance import CALM_S, moves
from outlast.core.coordinator.drain import drain
from outlast.core.coordinator.round import Round
from outlast.core.coordinator.rule_keeping import keep_rules
from outlast.model.plan import WishMove
from outlast.model.policy import Balance, BalanceMode
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.settings import Settings
from outlast.model.view import ClusterView

Owners = Mapping[str, str]
"""Group to its node."""
HAS_MIB = 1000
MOST_ROUNDS = 30
names = draw.sampled_from("abcdefg")
owners = draw.dictionaries(names, draw.sampled_from(NODES), min_size=1, max_size=7)
sizes_mib = draw.fixed_dictionaries({name: draw.integers(10, 250) for name in "abcdefg"})


def fewest(before: Owners, good: Callable[[Owners], bool]) -> int:
    """So few groups must be on another node for it to be good."""
    for many in range(len(before) + 1):
        for some in combinations(before, many):
            if any(good({**before, **dict(zip(some, to, strict=True))}) for to in product(NODES, repeat=many)):
                return many
    raise AssertionError("no placement is good")


# -- load balancing --------------------------------------------------------------------------------------------------


def loaded(before: Owners, sizes: Mapping[str, int] | None) -> ClusterView:
    """Without sizes, nobody knows how much memory nodes have, and groups are counted."""
    return view(
        *(group(name, on=on, balance=Balance.ALWAYS) for name, on in before.items()),
        sessions=[session(name, memory_mib=HAS_MIB if sizes else 0) for name in NODES],
        resources=[resource(name, memory_mib=sizes[name] if sizes else 0) for name in before],
        settings=Settings(balance=BalanceMode.CONTINUOUS),
        observed=observed(calm_s=CALM_S, open_s=dict.fromkeys(NODES, 9999.0)),
    )


def loads(placed: Owners, sizes: Mapping[str, int] | None) -> list[int]:
    """Of the nodes, the highest first: lower in this order is better balanced."""
    of = dict.fromkeys(NODES, 0)
    for name, on in placed.items():
        of[on] += sizes[name] if sizes else 1
    return sorted(of.values(), reverse=True)


def balanced(before: Owners, sizes: Mapping[str, int] | None) -> None:
    done = moves(loaded(before, sizes))
    after = {**before, **{move.group: move.target for move in done}}
    assert len({move.group for move in done}) == len(done), "one is moved twice"
    assert loads(after, sizes) <= loads(before, sizes)
    assert len(done) == fewest(before, lambda placed: loads(placed, sizes) <= loads(after, sizes))


@settings(max_examples=150, deadline=None)
@given(owners, sizes_mib)
def test_no_fewer_moves_would_have_balanced_the_memory_as_well(before: Owners, sizes: Mapping[str, int]) -> None:
    balanced(before, sizes)


@settings(max_examples=100, deadline=None)
@given(owners)
def test_no_fewer_moves_would_have_balanced_the_number_of_groups_as_well(before: Owners) -> None:
    balanced(before, None)


# -- rules -----------------------------------------------------------------------------------------------------------


@draw.composite
def rules(drawn: draw.DrawFn) -> Rule:
    kind = drawn(draw.sampled_from(RuleKind))
    about = drawn(draw.lists(names, min_size=2, max_size=3, unique=True))
    nodes = drawn(draw.lists(draw.sampled_from(NODES), min_size=1, max_size=2, unique=True))
    of_nodes = tuple(nodes) if kind in (RuleKind.ON, RuleKind.NOT_ON) else ()
    return Rule("rule", kind, tuple(about), of_nodes, Domain.NODE, hard=True)


def kept(rule: Rule, placed: Owners) -> bool:
    at = [placed[name] for name in rule.groups if name in placed]
    match rule.kind:
        case RuleKind.DIFFERENT:
            return len(set(at)) == len(at)
        case RuleKind.SAME:
            return len(set(at)) <= 1
        case RuleKind.ON:
            return all(on in rule.nodes for on in at)
        case RuleKind.NOT_ON:
            return not any(on in rule.nodes for on in at)


def played(before: Owners, what: Callable[[Round], None], make: Callable[[Owners], ClusterView]) -> Iterator[WishMove]:
    """One round after the other, each as if the moves of the last one had been made, until nothing more is moved."""
    placed = dict(before)
    for _ in range(MOST_ROUNDS):
        round = Round(make(placed))
        what(round)
        wishes = [action for action in round.plan().actions if isinstance(action, WishMove)]
        if not wishes:
            return
        for wish in wishes:
            placed[wish.group] = wish.to
            yield wish
    raise AssertionError("it does not come to an end")


@settings(max_examples=300, deadline=None)
@given(owners, rules())
def test_no_fewer_moves_would_have_put_a_broken_rule_right(before: Owners, rule: Rule) -> None:
    def seen(placed: Owners) -> ClusterView:
        return view(*(group(name, on=on) for name, on in placed.items()), rules=[rule])

    done = list(played(before, keep_rules, seen))
    after = {**before, **{wish.group: wish.to for wish in done}}
    assert kept(rule, after)
    assert len(done) == fewest(before, lambda placed: kept(rule, placed))


# -- drains ----------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(owners)
def test_a_drain_moves_what_is_on_the_node_once_and_nothing_else(before: Owners) -> None:
    nodes = [node("n1", paused=True, draining=True), node("n2"), node("n3")]

    def seen(placed: Owners) -> ClusterView:
        return view(*(group(name, on=on) for name, on in placed.items()), nodes=nodes)

    done = [wish.group for wish in played(before, drain, seen)]
    assert sorted(done) == sorted(name for name, on in before.items() if on == "n1")
