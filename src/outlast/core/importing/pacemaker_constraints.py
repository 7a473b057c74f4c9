"""What do Pacemaker's constraints amount to: which nodes, after which others, together or apart?

Scores become an order: what is banned from a node leaves it out of the possible owners, what is drawn to nodes prefers
them, the highest score first. What is not about VMs alone has no counterpart, and is said so.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from outlast.core.importing.cib import INFINITY, Primitive, Tree, is_on, nodes, properties, score
from outlast.core.importing.places import changed, kept, lost
from outlast.model.imported import Finding


class Where(msgspec.Struct, frozen=True):
    possible: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    best: int = 0
    """The score of the node that it prefers most."""
    findings: tuple[Finding, ...] = ()


class Order(msgspec.Struct, frozen=True):
    start_after: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Together(msgspec.Struct, frozen=True):
    commands: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def locations(root: Tree, ids: Sequence[str]) -> dict[str, Where]:
    everywhere = nodes(root)
    opt_in = not is_on(properties(root).get("symmetric-cluster", "true"))
    return {one: _where(root, one, everywhere, opt_in=opt_in) for one in ids}


def orders(root: Tree, everything: Sequence[Primitive], names: Mapping[str, str]) -> dict[str, Order]:
    """By the primitive that comes second. A group of Pacemaker starts its members one after the other."""
    found: dict[str, Order] = {}
    pairs = [(first, then, f"group {group}", None) for group, first, then in _in_groups(everything)]
    constraints = [(*pair, one) for one in root.iterfind(".//rsc_order") for pair in _ordered(one)]
    for first, then, what, constraint in [*pairs, *constraints]:
        if then not in names and first not in names:
            continue
        second = then if then in names else first
        known = found.get(second, Order())
        finding, after = _one_order(first, then, what, constraint, names)
        start_after = (*known.start_after, after) if after and after not in known.start_after else known.start_after
        found[second] = Order(start_after, (*known.findings, finding))
    return found


def colocations(root: Tree, everything: Sequence[Primitive], names: Mapping[str, str]) -> Together:
    told = [
        _one_colocation(f"group-{group}", [one.id for one in everything if one.group == group], INFINITY, names)
        for group in dict.fromkeys(one.group for one in everything if one.group)
    ]
    for constraint in root.iterfind(".//rsc_colocation"):
        sets = [ref.get("id", "") for ref in constraint.iter("resource_ref")]
        members = sets or [constraint.get("rsc", ""), constraint.get("with-rsc", "")]
        points = score(constraint.get("score", "INFINITY"))
        told.append(_one_colocation(constraint.get("id", ""), members, points, names))
    tickets = [
        lost(ticket.get("id", "ticket"), "there are no tickets between clusters here")
        for ticket in root.iterfind(".//rsc_ticket")
    ]
    commands = tuple(command for one in told for command in one.commands)
    return Together(commands, (*(finding for one in told for finding in one.findings), *tickets))


def quoted(name: str) -> str:
    return shlex.quote(name)


def _where(root: Tree, one: str, everywhere: Sequence[str], *, opt_in: bool) -> Where:
    scores: dict[str, int] = {}
    findings: list[Finding] = []
    for constraint in root.iterfind(".//rsc_location"):
        if not _is_about(constraint, one):
            continue
        name = constraint.get("id", "location")
        for node, points, words in _scored(constraint):
            if words:
                findings.append(lost(name, words))
                continue
            scores[node] = max(-INFINITY, min(INFINITY, scores.get(node, 0) + points))
            findings.append(_about_location(name, node, points))
    banned = [node for node, points in scores.items() if points == -INFINITY]
    possible = [node for node in everywhere if node not in banned] if banned else []
    if opt_in:
        possible = [node for node, points in scores.items() if points >= 0]
        findings.append(kept("symmetric-cluster", "no: it may run only where it is said so"))
    preferred = sorted((node for node, points in scores.items() if points > 0), key=lambda node: -scores[node])
    return Where(tuple(possible), tuple(preferred), max(scores.values(), default=0), tuple(findings))


def _is_about(constraint: Tree, one: str) -> bool:
    pattern = constraint.get("rsc-pattern")
    refs = [ref.get("id") for ref in constraint.iter("resource_ref")]
    return constraint.get("rsc") == one or one in refs or bool(pattern and _matches(pattern, one))


def _matches(pattern: str, one: str) -> bool:
    try:
        return bool(re.search(pattern, one))
    except re.error:
        return False


def _scored(constraint: Tree) -> Iterator[tuple[str, int, str]]:
    """(node, score, why it means nothing here)"""
    if node := constraint.get("node"):
        yield node, score(constraint.get("score", "0")), ""
    for rule in constraint.iterfind("rule"):
        expressions = [part for part in rule if part.tag != "score"]
        plain = len(expressions) == 1 and expressions[0].get("attribute") == "#uname"
        operation = expressions[0].get("operation", "") if plain else ""
        points = score(rule.get("score", "0"))
        if operation == "eq":
            yield expressions[0].get("value", ""), points, ""
        else:
            yield "", 0, f"a rule by attributes or time has no counterpart: {_spelled(rule)}"


def _spelled(rule: Tree) -> str:
    parts = [" ".join(filter(None, map(part.get, ("attribute", "operation", "value")))) for part in rule]
    return f"{rule.get('score', rule.get('score-attribute', ''))} if {' and '.join(filter(None, parts)) or '...'}"


def _about_location(name: str, node: str, points: int) -> Finding:
    if points == -INFINITY:
        return kept(name, f"never on {node}: no possible owner")
    if points > 0:
        return (
            kept(name, f"{points} for {node}: a preferred owner")
            if points < INFINITY
            else kept(name, f"best on {node}: a preferred owner")
        )
    return lost(name, f"{points} for {node}: there is no half dislike; use preferred owners, or outlast rule add")


def _in_groups(everything: Sequence[Primitive]) -> Iterator[tuple[str, str, str]]:
    for group in dict.fromkeys(one.group for one in everything if one.group):
        members = [one.id for one in everything if one.group == group]
        yield from ((group, first, then) for first, then in pairwise(members))


def _ordered(constraint: Tree) -> Iterator[tuple[str, str, str]]:
    """(first, then, its name); the sets of one constraint follow each other, and so do the members of each."""
    name = constraint.get("id", "order")
    if "first" in constraint.attrib:
        yield constraint.get("first", ""), constraint.get("then", ""), name
        return
    before: list[str] = []
    for one in constraint.iterfind("resource_set"):
        members = [ref.get("id", "") for ref in one.iterfind("resource_ref")]
        yield from ((first, then, name) for first in before for then in members)
        if is_on(one.get("sequential", "true")):
            yield from ((first, then, name) for first, then in pairwise(members))
        before = members


def _one_order(
    first: str, then: str, what: str, constraint: Tree | None, names: Mapping[str, str]
) -> tuple[Finding, str]:
    """What it amounts to, and the VM after which the other starts ("" for none)."""
    attributes = {} if constraint is None else constraint.attrib
    if first not in names or then not in names:
        other = first if first not in names else then
        return lost(what, f"{first} before {then}: {other} is not taken in, so nothing can wait for it"), ""
    actions = {attributes.get("first-action", "start"), attributes.get("then-action", "start")}
    if actions != {"start"}:
        return lost(what, f"{first} before {then}: only starts are ordered here, not {', '.join(sorted(actions))}"), ""
    if attributes.get("kind") == "Serialize":
        return lost(what, f"{first} and {then} one at a time: no counterpart"), ""
    words = f"{names[then]} starts after {names[first]} (start_after)"
    if attributes.get("kind") == "Optional" or score(attributes.get("score", "INFINITY")) == 0:
        return kept(what, words), names[first]
    return changed(what, f"{words}; it is not restarted or stopped with it"), names[first]


def _one_colocation(name: str, members: Sequence[str], points: int, names: Mapping[str, str]) -> Together:
    vms = [names[one] for one in members if one in names]
    others = ", ".join(one for one in members if one not in names)
    if not vms:
        return Together()
    if len(vms) < 2:
        words = f"{vms[0]} with {others}: not taken in, so nothing can be near it"
        return Together(findings=(lost(name, words),) if others else ())
    kind = "same" if points > 0 else "different"
    hard = " --hard" if abs(points) == INFINITY else ""
    rule = re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:64] or "imported"
    words = f"{' and '.join(vms)} {'together' if kind == 'same' else 'apart'}: a rule makes the same (see below)"
    finding = changed(name, f"{words}; without {others}, not taken in" if others else words)
    return Together((f"outlast rule add {rule} {kind} {' '.join(map(quoted, vms))}{hard}",), (finding,))
