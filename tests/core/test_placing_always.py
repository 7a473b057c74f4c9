"""Whatever the cluster looks like: no node gets more memory than it has, no hard rule is broken, priority comes first.

The answers are checked by counting again from the records, without the code that gave them.
"""

from collections.abc import Mapping

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as draw

from build import group, node, resource, session, view
from outlast.core.coordinator.failover import decide
from outlast.model.group import Group
from outlast.model.plan import Assign
from outlast.model.policy import Priority
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.view import ClusterView

NODES = ("n1", "n2", "n3", "n4")
GROUPS = tuple("abcdefgh")
few_nodes = draw.lists(draw.sampled_from(NODES), unique=True, max_size=2).map(tuple)
one_or_two_nodes = draw.lists(draw.sampled_from(NODES), unique=True, min_size=1, max_size=2).map(tuple)
some_groups = draw.lists(draw.sampled_from(GROUPS), unique=True, min_size=2, max_size=4).map(tuple)


@draw.composite
def rules(drawn: draw.DrawFn) -> list[Rule]:
    """Of any kind, soft or hard; only the groups of one can contradict another's, and that is no matter here."""
    found = []
    for number in range(drawn(draw.integers(0, 4))):
        kind = drawn(draw.sampled_from(RuleKind))
        about_nodes = kind in (RuleKind.ON, RuleKind.NOT_ON)
        nodes = drawn(one_or_two_nodes) if about_nodes else ()
        domain = Domain.NODE if about_nodes else drawn(draw.sampled_from(Domain))
        found.append(Rule(f"r{number}", kind, drawn(some_groups), nodes, domain, drawn(draw.booleans())))
    return found


@draw.composite
def clusters(drawn: draw.DrawFn) -> ClusterView:
    """Four nodes in two racks; some groups are online where they may be, the others wait for a node."""
    nodes = [
        node(name, rack=drawn(draw.sampled_from(("r1", "r2", ""))), paused=drawn(draw.booleans())) for name in NODES
    ]
    rooms = {name: drawn(draw.integers(0, 12)) for name in NODES}
    sizes = {name: drawn(draw.integers(0, 6)) for name in GROUPS}
    groups, used = [], dict.fromkeys(NODES, 0)
    for name in GROUPS:
        owner = drawn(draw.sampled_from(("", "", *NODES)))
        if owner and rooms[owner] and used[owner] + sizes[name] > rooms[owner]:
            owner = ""
        if owner:
            used[owner] += sizes[name]
        groups.append(
            group(
                name,
                on=owner,
                priority=drawn(draw.sampled_from((Priority.HIGH, Priority.MEDIUM, Priority.LOW))),
                possible_owners=drawn(few_nodes),
                preferred_owners=drawn(few_nodes),
            )
        )
    return view(
        *groups,
        nodes=nodes,
        sessions=[session(name, memory_mib=room, cpus=4) for name, room in rooms.items()],
        resources=[resource(name, memory_mib=size, vcpus=1) for name, size in sizes.items()],
        rules=drawn(rules()),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(clusters())
def test_whatever_the_cluster_memory_and_hard_rules_are_kept_and_nobody_urgent_waits_for_somebody_less_so(
    seen: ClusterView,
) -> None:
    placed = {name: one.owner for name, one in seen.groups.items() if one.owner}
    plan = decide(seen)
    given_away = [action for action in plan.actions if isinstance(action, Assign)]
    for action in given_away:
        one = seen.groups[action.group]
        assert not one.owner, "what runs stays where it is"
        assert _fits(one, action.owner, placed, seen) == "", action
        placed[one.name] = action.owner
    waiting = {one.group for one in plan.waiting}
    assert waiting | set(placed) == set(seen.groups), "whoever is not placed waits, and says so"
    for name in waiting - set(placed):
        urgent = seen.groups[name]
        before = {
            other: owner
            for other, owner in placed.items()
            if seen.groups[other].owner or seen.groups[other].priority.rank <= urgent.priority.rank
        }
        assert [where for where in NODES if not _fits(urgent, where, before, seen)] == []


def _fits(one: Group, where: str, placed: Mapping[str, str], seen: ClusterView) -> str:
    """Why the group cannot be there beside the others; "" when it can."""
    if seen.nodes[where].paused or (one.possible_owners and where not in one.possible_owners):
        return "it is paused or no possible owner"
    sizes = {name: found.memory_mib for name, found in seen.resources.items()}
    beside = sum(sizes[name] for name, owner in placed.items() if owner == where)
    room = seen.sessions[where].memory_mib
    if room and sizes[one.name] and beside + sizes[one.name] > room:
        return "no room"
    for rule in seen.rules.values():
        if rule.hard and one.name in rule.groups and not _keeps(rule, one.name, where, placed, seen):
            return rule.name
    return ""


def _keeps(rule: Rule, name: str, where: str, placed: Mapping[str, str], seen: ClusterView) -> bool:
    if rule.kind is RuleKind.ON:
        return where in rule.nodes
    if rule.kind is RuleKind.NOT_ON:
        return where not in rule.nodes
    others = {_domain(placed[other], rule.domain, seen) for other in rule.groups if other in placed and other != name}
    mine = _domain(where, rule.domain, seen)
    if rule.kind is RuleKind.DIFFERENT:
        return mine not in others
    return not others or mine in others


def _domain(name: str, kind: Domain, seen: ClusterView) -> tuple[str, ...]:
    record = seen.nodes[name]
    if kind is Domain.RACK and record.rack:
        return ("rack", record.rack)
    return ("site", record.site) if kind is Domain.SITE and record.site else ("node", name)


def test_the_check_itself_finds_a_full_node() -> None:
    a = group("a", on="")
    full = view(a, sessions=[session("n1", memory_mib=4)], nodes=[node("n1")], resources=[resource("a", memory_mib=5)])
    assert _fits(a, "n1", {}, full) == "no room"
    assert _fits(a, "n1", {}, msgspec.structs.replace(full, sessions={"n1": session("n1", memory_mib=5)})) == ""
