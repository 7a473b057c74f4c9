"""Which rules are broken now, and what is done about it?

A hard rule that what runs breaks (it was added later, or a rack was renamed) is put right by planned moves: one group
of a rule at a time, the least important first, and only to a node where it breaks no hard rule. What can go nowhere
runs on where it is: a rule is no reason to stop anything. Soft rules move nobody; load balancing minds them when it
moves something.
"""

from collections.abc import Iterable

from outlast.core.coordinator import failing, intake
from outlast.core.coordinator.round import Round
from outlast.core.group.group_state import reported
from outlast.core.placement.affinity import domains
from outlast.core.placement.contradictions import contradictions
from outlast.core.placement.placed import Placed
from outlast.core.placement.placement import candidates
from outlast.model.group import Group, Wanted
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.status import State


def keep_rules(round: Round) -> None:
    """Move what breaks a hard rule and could keep it elsewhere."""
    groups = round.view.groups
    hard = [rule for rule in round.view.rules.values() if rule.hard and rule.enabled]
    for rule in hard:
        known = [groups[name] for name in rule.groups if name in groups]
        for group in sorted(known, key=lambda one: (one.priority.rank, one.name), reverse=True):
            # One after the other, also of its other rules: what comes of the first decides about the next.
            with_it = {name for other in hard if group.name in other.groups for name in other.groups if name in groups}
            if any(groups[name].move_to or round.is_decided(groups[name]) for name in with_it):
                continue
            if _moved(group, round):
                break


def _moved(group: Group, round: Round) -> bool:
    if group.owner not in round.placed.members:
        return False
    broken = round.placed.judge(group).forbids(group.owner)
    if not broken or not _may_move(group, round):
        return False
    better = [name for name in candidates(group, round.placed).nodes if name != group.owner]
    if not better or round.moves.full(group.owner, better[0]):
        return False
    round.wish_move(group, better[0], f"{broken}, and it is on {group.owner}", return_to="")
    return True


def _may_move(group: Group, round: Round) -> bool:
    view = round.view
    if group.wanted is Wanted.OFFLINE or group.locked or failing.in_maintenance(group, view.resources):
        return False
    if intake.gives_away(group.owner, view):
        return False  # it leaves that node anyway (core/coordinator/drain.py)
    status = reported(group, view.statuses.get(group.name), view.sessions[group.owner].incarnation)
    return status is not None and status.state in (State.ONLINE, State.PARTIAL)


def broken_by(rule: Rule, placed: Placed) -> tuple[str, ...]:
    """How what runs breaks the rule now, in sentences; empty while it is kept."""
    where = {name: stand.stays_on for name in rule.groups if (stand := placed.stand(name)) and stand.stays_on}
    if rule.kind in (RuleKind.ON, RuleKind.NOT_ON):
        wrong = rule.kind is RuleKind.NOT_ON
        return tuple(f"{name} is on {node}" for name, node in sorted(where.items()) if (node in rule.nodes) is wrong)
    domain_of = domains(rule.domain, placed.view.nodes)
    found: dict[str, list[str]] = {}
    for name, node in sorted(where.items()):
        found.setdefault(domain_of.get(node, node), []).append(name)
    if rule.kind is RuleKind.SAME:
        apart = ", ".join(f"{_listed(names)} {_called(domain, rule.domain)}" for domain, names in found.items())
        return (apart,) if len(found) > 1 else ()
    return tuple(
        f"{_listed(names)} are {'both' if len(names) == 2 else 'all'} {_called(domain, rule.domain)}"
        for domain, names in found.items()
        if len(names) > 1
    )


def alarms(placed: Placed) -> list[str]:
    """Hard rules that are broken now, and those that can never be kept any more: a node is gone, a rack was renamed."""
    view = placed.view
    broken = [
        f"The rule {rule.name} is broken: {'; '.join(how)}"
        for _, rule in sorted(view.rules.items())
        if rule.hard and rule.enabled and (how := broken_by(rule, placed))
    ]
    never = [f"Rules that can never be kept: {words}" for words in contradictions(view, view.rules.values())]
    return broken + never


def _called(domain: str, kind: Domain) -> str:
    site, separator, rack = domain.partition("/")
    if not separator:
        return f"on {domain}"
    return f"in rack {rack}" if kind is Domain.RACK else f"in site {site}"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
