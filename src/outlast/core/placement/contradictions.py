"""Which hard rules can never be kept, whatever runs where?

Looked at before a rule is added or enabled: each group's nodes (its possible owners, and the rules about nodes), what
must be together, and whether there are enough nodes, racks or sites for what must be apart. Rooms, pauses and deaths
pass, so they are not looked at; and rules that keep apart are counted one by one: several of them together may be more
than there are nodes for, which shows in groups that wait.
"""

from collections.abc import Iterable, Iterator, Mapping

from outlast.core.placement.affinity import domains
from outlast.model.node import Node
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.view import ClusterView

_WITHIN = {Domain.NODE: 0, Domain.RACK: 1, Domain.SITE: 2}
"""Who is on one node is in one rack, and who is in one rack is in one site."""


def new_contradictions(rule: Rule, view: ClusterView) -> tuple[str, ...]:
    """What could never be kept with this rule and could without it, for people."""
    before = {name: one for name, one in view.rules.items() if name != rule.name}
    known = set(contradictions(view, before.values()))
    return tuple(words for words in contradictions(view, [*before.values(), rule]) if words not in known)


def contradictions(view: ClusterView, rules: Iterable[Rule]) -> list[str]:
    """What cannot be kept, each in words that name the rules."""
    hard = [rule for rule in rules if rule.hard and rule.enabled]
    return list(_Judging(view, hard).found()) if hard else []


class _Judging:
    def __init__(self, view: ClusterView, hard: list[Rule]) -> None:
        self._view = view
        self._hard = hard
        self._of_group: dict[str, list[Rule]] = {}
        for rule in hard:
            for name in rule.groups:
                self._of_group.setdefault(name, []).append(rule)
        self._domains = {kind: domains(kind, view.nodes) for kind in Domain}
        self._allowed = {name: self._nodes_of(name) for name in self._of_group}

    def found(self) -> Iterator[str]:
        nowhere = [name for name, nodes in self._allowed.items() if not nodes]
        for name in nowhere:
            yield f"{name} could run nowhere: {self._why_nowhere(name)}"
        for rule in self._hard:
            if set(rule.groups) & set(nowhere):
                continue  # said already
            if rule.kind is RuleKind.SAME:
                yield from self._cannot_be_together(rule)
            elif rule.kind is RuleKind.DIFFERENT:
                yield from self._cannot_be_apart(rule)

    def _nodes_of(self, group: str) -> set[str]:
        record = self._view.groups.get(group)
        nodes = set(record.possible_owners if record and record.possible_owners else self._view.nodes)
        for rule in self._of_group[group]:
            if rule.kind is RuleKind.ON:
                nodes &= set(rule.nodes)
            elif rule.kind is RuleKind.NOT_ON:
                nodes -= set(rule.nodes)
        return nodes & set(self._view.nodes)

    def _why_nowhere(self, group: str) -> str:
        record = self._view.groups.get(group)
        reasons = []
        if record and record.possible_owners:
            reasons.append(f"its possible owners are {', '.join(record.possible_owners)}")
        for rule in self._of_group[group]:
            if rule.kind in (RuleKind.ON, RuleKind.NOT_ON):
                how = "on" if rule.kind is RuleKind.ON else "off"
                reasons.append(f"rule {rule.name} keeps it {how} {', '.join(rule.nodes)}")
        return ", and ".join(reasons)

    def _cannot_be_together(self, rule: Rule) -> Iterator[str]:
        members, chain = self._together(rule.groups[0], rule.domain)
        shared = self._shared(members, rule.domain)
        if shared or chain[-1] != rule.name:
            return  # each such set is told of once
        where = "; ".join(f"{name} may run on {', '.join(sorted(self._allowed[name]))}" for name in sorted(members))
        keep = f"{_rules(chain)} {_keeps(chain)} {_listed(members)} together"
        yield f"{keep}, and no {rule.domain.value} may have all: {where}"

    def _cannot_be_apart(self, rule: Rule) -> Iterator[str]:
        sets: dict[str, set[str]] = {}
        for name in rule.groups:
            members, chain = self._together(name, rule.domain)
            both = sorted(members & set(rule.groups) - {name})
            if both:
                pair = _listed((name, both[0]))
                yield f"rule {rule.name} keeps {pair} apart, and {_rules(chain)} {_keeps(chain)} them together"
                return
            sets[name] = self._shared(members, rule.domain)
        unlucky = _unmatched(sets)
        if unlucky and all(sets.values()):
            reach = set().union(*(sets[name] for name in unlucky))
            apart = f"rule {rule.name} keeps {_listed(unlucky)} on {len(unlucky)} different {rule.domain.value}s"
            yield f"{apart}, and there {'is' if len(reach) == 1 else 'are'} only {len(reach)} where they may run"

    def _together(self, group: str, domain: Domain) -> tuple[set[str], list[str]]:
        """All that must be in the same domain as this group, and the rules that say so, in order of their names."""
        members: set[str] = set()
        chain: set[str] = set()
        new = {group}
        while new:
            members |= new
            rules = [rule for name in new for rule in self._of_group[name]]
            same = [one for one in rules if one.kind is RuleKind.SAME and _WITHIN[one.domain] <= _WITHIN[domain]]
            chain |= {rule.name for rule in same}
            new = {name for rule in same for name in rule.groups} - members
        return members, sorted(chain)

    def _shared(self, members: set[str], domain: Domain) -> set[str]:
        """The domains in which each of them has a node that it may run on."""
        return set.intersection(*({self._domains[domain][node] for node in self._allowed[name]} for name in members))


def unknown_domains(rule: Rule, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Nodes of which it is not known in which rack or site they are, for a rule that is about those."""
    if rule.kind not in (RuleKind.SAME, RuleKind.DIFFERENT) or rule.domain is Domain.NODE:
        return ()
    known = {name: node.rack if rule.domain is Domain.RACK else node.site for name, node in nodes.items()}
    return tuple(sorted(name for name, where in known.items() if not where))


def _unmatched(sets: Mapping[str, set[str]]) -> list[str]:
    """Who cannot all have a domain of their own: a set of groups that share too few; empty when all can."""
    taken: dict[str, str] = {}

    def give(name: str, seen: set[str]) -> bool:
        for domain in sorted(sets[name] - seen):
            seen.add(domain)
            if domain not in taken or give(taken[domain], seen):
                taken[domain] = name
                return True
        return False

    for name in sorted(sets, key=lambda one: (len(sets[one]), one)):
        seen: set[str] = set()
        if not give(name, seen):
            return sorted({name} | {taken[domain] for domain in seen})
    return []


def _listed(names: Iterable[str]) -> str:
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last


def _rules(names: list[str]) -> str:
    return f"{'rule' if len(names) == 1 else 'rules'} {_listed(names)}"


def _keeps(names: list[str]) -> str:
    return "keeps" if len(names) == 1 else "keep"
