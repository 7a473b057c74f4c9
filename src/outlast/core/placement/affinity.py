"""Which rules would a group break on a node?

Rules are looked at with what has been decided so far (`core/placement/placed.py`). A group that is moving counts in two
places for those that must be apart from it, and only where it goes for those that must be with it. Who is on a draining
node binds nobody to it: all that must be together leaves it, one after the other. A node without a rack (or site) is a
rack of its own.
"""

from collections.abc import Callable, Mapping

import msgspec

from outlast.model.group import Group
from outlast.model.node import Node
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.view import ClusterView


class Stand(msgspec.Struct, frozen=True):
    """Where a group is, as far as rules are concerned."""

    nodes: tuple[str, ...]
    """Where something of it runs, or is about to."""
    stays_on: str
    """Where it will be; "": it is about to leave, and nobody knows where to."""


class Judgement(msgspec.Struct, frozen=True):
    """What the rules say of one group, at this moment."""

    group: str
    _node_domains: Mapping[Domain, Mapping[str, str]]
    rules: tuple[tuple[Rule, Mapping[str, str]], ...]
    """Each with the domains that matter for it, and for each the words for who is there."""

    def forbids(self, node: str) -> str:
        """Why a hard rule keeps the group off that node, for people; "" when none does."""
        for rule, where in self.rules:
            if rule.hard:
                words = self._broken(rule, where, node)
                if words:
                    return words
        return ""

    def breaks(self, node: str) -> int:
        """How many soft rules would be broken there."""
        return sum(1 for rule, where in self.rules if not rule.hard and self._broken(rule, where, node))

    def words(self, node: str) -> tuple[str, ...]:
        """All that would be broken there."""
        found = ((rule, self._broken(rule, where, node)) for rule, where in self.rules)
        return tuple(f"{words}{'' if rule.hard else ' (if possible)'}" for rule, words in found if words)

    def _broken(self, rule: Rule, where: Mapping[str, str], node: str) -> str:
        match rule.kind:
            case RuleKind.ON:
                return "" if node in rule.nodes else f"rule {rule.name} keeps it on {' or '.join(rule.nodes)}"
            case RuleKind.NOT_ON:
                return f"rule {rule.name} keeps it off {node}" if node in rule.nodes else ""
        there = self._node_domains[rule.domain].get(node, node)
        if rule.kind is RuleKind.DIFFERENT:
            other = where.get(there)
            return f"rule {rule.name} keeps it apart from {other}" if other else ""
        if not where or there in where:
            return ""
        return f"rule {rule.name} keeps it together with {next(iter(where.values()))}"


NO_RULES = Judgement("", {}, ())


class Affinity:
    """All rules that are enabled, by the groups that they are about."""

    def __init__(self, view: ClusterView, stand: Callable[[str], Stand | None]) -> None:
        """`stand`: where a group is now; None: nowhere."""
        self._stand = stand
        self._rules: dict[str, list[Rule]] = {}
        for rule in view.rules.values():
            if rule.enabled:
                for group in rule.groups:
                    self._rules.setdefault(group, []).append(rule)
        self._domains = {kind: domains(kind, view.nodes) for kind in Domain} if self._rules else {}

    def judge(self, group: Group) -> Judgement:
        rules = self._rules.get(group.name)
        if rules is None:
            return NO_RULES
        return Judgement(group.name, self._domains, tuple((rule, self._where(rule, group.name)) for rule in rules))

    def ruled(self, group: Group) -> bool:
        """Is any rule about it?"""
        return group.name in self._rules

    def companions(self, group: Group) -> set[str]:
        """Groups that a hard rule keeps on the same node as this one."""
        rules = self._rules.get(group.name, ())
        return {
            name
            for rule in rules
            if rule.hard and rule.kind is RuleKind.SAME and rule.domain is Domain.NODE
            for name in rule.groups
            if name != group.name
        }

    def _where(self, rule: Rule, group: str) -> Mapping[str, str]:
        if rule.kind in (RuleKind.ON, RuleKind.NOT_ON):
            return {}
        domain_of = self._domains[rule.domain]
        found: dict[str, str] = {}
        for other in rule.groups:
            stand = self._stand(other) if other != group else None
            if stand is None:
                continue
            nodes = (stand.stays_on,) if rule.kind is RuleKind.SAME else stand.nodes
            for node in nodes:
                if node:
                    words = _at(node, domain_of.get(node, node), rule.domain)
                    found.setdefault(domain_of.get(node, node), f"{other} ({words})")
        return found


def domains(kind: Domain, nodes: Mapping[str, Node]) -> dict[str, str]:
    """Node to what it fails together with. A node of which that is not known fails alone."""
    match kind:
        case Domain.NODE:
            return {name: name for name in nodes}
        case Domain.RACK:
            # A rack is named within its site; a node's own name can be no pair of them.
            return {name: f"{node.site}/{node.rack}" if node.rack else name for name, node in nodes.items()}
        case Domain.SITE:
            return {name: f"{node.site}/" if node.site else name for name, node in nodes.items()}


def _at(node: str, domain: str, kind: Domain) -> str:
    if kind is Domain.NODE or domain == node:
        return f"on {node}"
    site, _, rack = domain.partition("/")
    return f"on {node}, rack {rack}" if kind is Domain.RACK else f"on {node}, site {site}"
