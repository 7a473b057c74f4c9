"""Rules about which groups run together or apart, and on which nodes: what is known of them, and changing them."""

import msgspec

from outlast.core.coordinator.rule_keeping import broken_by
from outlast.core.group import naming
from outlast.core.placement.contradictions import new_contradictions, unknown_domains
from outlast.core.placement.placed import Placed
from outlast.model import keys
from outlast.model.foresight import RuleChanged, RuleRow
from outlast.model.rule import Domain, Rule, RuleKind
from outlast.model.view import ClusterView
from outlast.ports.database import Compare, Delete, Write
from outlast.service.commands.admitting import allowed
from outlast.service.commands.context import Command, CommandError, Context, Missing, Named, Nothing, similar
from outlast.service.store import put

MOST_COMPARED = 100
"""A transaction holds 128 compares; what two rules of one moment would do to each other beyond that shows as broken."""
PAIRED = (RuleKind.SAME, RuleKind.DIFFERENT)


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    kind: RuleKind
    groups: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    domain: Domain = Domain.NODE
    hard: bool = False
    enabled: bool = True
    what_if: bool = False


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    what_if: bool = False


async def list_rules(context: Context, _: Nothing) -> list[RuleRow]:
    placed = Placed(context.view())
    return [_row(rule, placed) for _, rule in sorted(context.store.rules.items())]


async def show(context: Context, want: Named) -> RuleRow:
    return _row(_need(context, want.name), Placed(context.view()))


async def add(context: Context, want: Add) -> RuleChanged:
    rule = _checked(context, want)
    return await _change(context, rule, f"rule {rule.name} was added: {told(rule)}", what_if=want.what_if, new=True)


async def enable(context: Context, want: Switch) -> RuleChanged:
    rule = _need(context, want.name)
    if rule.enabled:
        raise CommandError("usage", f"rule {rule.name} is enabled already")
    enabled = msgspec.structs.replace(rule, enabled=True)
    return await _change(context, enabled, f"rule {rule.name} was enabled: {told(rule)}", what_if=want.what_if)


async def disable(context: Context, want: Switch) -> RuleChanged:
    rule = _need(context, want.name)
    if not rule.enabled:
        raise CommandError("usage", f"rule {rule.name} is disabled already")
    disabled = msgspec.structs.replace(rule, enabled=False)
    return await _change(context, disabled, f"rule {rule.name} was disabled: {told(rule)}", what_if=want.what_if)


async def delete(context: Context, want: Switch) -> RuleChanged:
    rule = _need(context, want.name)
    row = _row(rule, Placed(context.view()))
    if want.what_if:
        return RuleChanged(row, done=False, warnings=())

    def make() -> tuple[list[Compare], list[Write]]:
        key = keys.RULES + _need(context, want.name).name
        event = context.journal.event("rule", f"rule {rule.name} was deleted: {told(rule)}; {context.by}")
        return context.store.unchanged(key), [Delete(key), event]

    await context.write(make)
    return RuleChanged(row, done=True, warnings=())


def told(rule: Rule) -> str:
    """What it asks for, in words."""
    groups = ", ".join(rule.groups)
    where = "one node" if rule.domain is Domain.NODE else f"one {rule.domain.value}"
    words = {
        RuleKind.SAME: f"{groups} together on {where}",
        RuleKind.DIFFERENT: f"{groups} each on another {rule.domain.value}",
        RuleKind.ON: f"{groups} on {' or '.join(rule.nodes)}",
        RuleKind.NOT_ON: f"{groups} not on {', '.join(rule.nodes)}",
    }[rule.kind]
    return f"{words}, {'always' if rule.hard else 'if possible'}"


async def _change(context: Context, rule: Rule, words: str, *, what_if: bool, new: bool = False) -> RuleChanged:
    key = keys.RULES + rule.name
    warnings = _judged(context.view(), rule)
    if what_if:
        after = Placed(_with(context.view(), rule))
        return RuleChanged(_row(rule, after), done=False, warnings=warnings)

    def make() -> tuple[list[Compare], list[Write]]:
        _judged(context.view(), rule)
        event = context.journal.event("rule", f"{words}; {context.by}")
        compares = [Compare(key, 0)] if new else context.store.unchanged(key)
        # What was judged must still be so: another rule may be added at the same moment.
        others = sorted(_about(context, rule))[:MOST_COMPARED]
        compares += context.store.unchanged(*(keys.RULES + name for name in others))
        return compares, [put(key, rule), event]

    await context.write(make)
    return RuleChanged(_row(rule, Placed(context.view())), done=True, warnings=warnings)


def _judged(view: ClusterView, rule: Rule) -> tuple[str, ...]:
    """Raises for what could never be kept; returns what is not as it should be yet."""
    found = new_contradictions(rule, view)
    if found:
        raise CommandError(
            "usage",
            f"rule {rule.name} could never be kept: {'; '.join(found)}. Change the other rules first, or make this one "
            "soft (without --hard)",
        )
    warnings = []
    unknown = unknown_domains(rule, view.nodes)
    if unknown:
        counts = (
            "has no {0} set and counts as one of its own"
            if len(unknown) == 1
            else ("have no {0} set and count as one each of their own")
        )
        what = counts.format(rule.domain.value)
        warnings.append(f"{', '.join(unknown)} {what}: `outlast node set {unknown[0]} {rule.domain.value}=NAME`")
    if rule.enabled:
        warning = allowed(view, _with(view, rule), f"rule {rule.name} cannot be in force")
        warnings += [warning] if warning else []
        warnings += [f"broken now: {words}" for words in broken_by(rule, Placed(_with(view, rule)))]
    return tuple(warnings)


def _about(context: Context, rule: Rule) -> set[str]:
    """Other hard rules, as far as they share a group with this one."""
    if not rule.hard or not rule.enabled:
        return set()
    return {
        name
        for name, other in context.store.rules.items()
        if name != rule.name and other.hard and set(other.groups) & set(rule.groups)
    }


def _with(view: ClusterView, rule: Rule) -> ClusterView:
    return msgspec.structs.replace(view, rules={**view.rules, rule.name: rule})


def _checked(context: Context, want: Add) -> Rule:
    problem = naming.why_not(want.name)
    if problem:
        raise CommandError("usage", f'cannot name a rule "{want.name}": {problem}')
    if want.name in context.store.rules:
        raise CommandError("usage", f'there is a rule "{want.name}" already; see `outlast rule show {want.name}`')
    groups = tuple(dict.fromkeys(context.group(name).name for name in want.groups))
    nodes = tuple(dict.fromkeys(want.nodes))
    for name in nodes:
        context.need_node(name)
    _check_shape(want, groups, nodes)
    return Rule(want.name, want.kind, groups, nodes, want.domain, want.hard, want.enabled)


def _check_shape(want: Add, groups: tuple[str, ...], nodes: tuple[str, ...]) -> None:
    kind = want.kind.value
    checks: list[tuple[bool, str]] = [
        (not groups, "a rule is about groups: name them"),
        (want.kind in PAIRED and len(groups) == 1, f'a rule "{kind}" needs two groups or more'),
        (want.kind in PAIRED and bool(nodes), f'a rule "{kind}" names no nodes; "on" and "not on" do'),
        (want.kind not in PAIRED and not nodes, f'a rule "{kind}" needs nodes (--nodes n1,n2)'),
        (
            want.kind not in PAIRED and want.domain is not Domain.NODE,
            f'a rule "{kind}" is about nodes, and not about a {want.domain.value}',
        ),
    ]
    for wrong, words in checks:
        if wrong:
            raise CommandError("usage", words)


def _row(rule: Rule, placed: Placed) -> RuleRow:
    return RuleRow(
        name=rule.name,
        kind=rule.kind.value,
        domain=rule.domain.value,
        groups=rule.groups,
        nodes=rule.nodes,
        hard=rule.hard,
        enabled=rule.enabled,
        broken=broken_by(rule, placed) if rule.enabled else (),
    )


def _need(context: Context, name: str) -> Rule:
    found = context.store.rules.get(name)
    if found is None:
        raise Missing(f'there is no rule "{name}"{similar(name, context.store.rules)}')
    return found


COMMANDS: dict[str, Command] = {
    "rule.list": (Nothing, list_rules),
    "rule.show": (Named, show),
    "rule.add": (Add, add),
    "rule.delete": (Switch, delete),
    "rule.enable": (Switch, enable),
    "rule.disable": (Switch, disable),
}
