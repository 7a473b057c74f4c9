"""How do the service's answers become rows of tables? One function per answer, used wherever it is listed."""

from collections.abc import Iterable, Mapping, Sequence

from outlast.cli import times
from outlast.cli.output import Cell, Row, state
from outlast.core.group import dependencies
from outlast.model.answers import GroupRow, NodeRow, ResourceRow, VmChecked, VmRow
from outlast.model.type_answers import CallTime, TypeOffer

NODE_TITLES = ("node", "state", "address", "groups", "fencing", "watchdog")
GROUP_TITLES = ("group", "state", "owner", "protected", "failures")
VM_TITLES = ("VM", "state", "owner", "protected", "memory", "vCPUs")
MEMBER_TITLES = ("resource", "type", "state", "needs")
RESOURCE_TITLES = ("resource", "type", "group", "state", "owner", "protected", "is alive every")
TYPE_TITLES = ("type", "node", "version", "digest", "state")


def node(row: NodeRow) -> Row:
    name = f"{row.name} (coordinator)" if row.coordinator else row.name
    return Row(
        (
            name,
            state(row.state),
            row.address,
            str(row.groups),
            ", ".join(row.fence) or Cell("none", "yellow"),
            watchdog(row),
        ),
        why=node_why(row),
    )


def watchdog(row: NodeRow) -> str | Cell:
    if not row.watchdog_s:
        return Cell("fails", "bold red") if row.watchdog_problem else Cell("none", "dim")
    words = f"{row.watchdog_s:g} s"
    return words if row.watchdog_proves else Cell(f"{words}, no proof", "yellow")


def node_why(row: NodeRow) -> str:
    problems = [f"{name}: {problem}" for name, problem in sorted(row.types.items()) if problem]
    problems += [f"watchdog: {row.watchdog_problem}"] if row.watchdog_problem else []
    return "; ".join([row.why] * bool(row.why) + [problem for problem in problems if problem not in row.why])


def group(row: GroupRow) -> Row:
    failures = f"{len(row.failures)} of {row.failover_threshold}" if row.failures else Cell("none", "dim")
    cells = (row.name, state(row.state), row.owner, protected(row), failures)
    return Row(cells, why=group_why(row))


def group_why(row: GroupRow) -> str:
    reasons = [row.why] if row.why else []
    if row.state == "offline" and row.wanted == "offline" and row.wanted_by:
        reasons.append(f"wanted so by {row.wanted_by}")
    if row.locked:
        reasons.append(f"locked: {row.locked}")
    return "; ".join(reasons + why_not_protected(row))


def vm(row: VmRow) -> Row:
    return Row(
        (
            row.name,
            state(row.state),
            row.owner,
            protected(row) if row.group else Cell("not managed", "dim"),
            f"{row.memory_mib} MiB" if row.memory_mib else "",
            str(row.vcpus) if row.vcpus else "",
        ),
        why=vm_why(row),
    )


def vm_why(row: VmRow) -> str:
    reasons = [row.why] if row.why else []
    if row.group:
        reasons += why_not_protected(row)
    return "; ".join(reasons)


def resource(row: ResourceRow) -> Row:
    interval = times.setting(row.is_alive_interval_s)
    cells = (row.name, row.type, row.group, state(row.state), row.owner, protected(row), interval)
    return Row(cells, why="; ".join(filter(None, (member_why(row), *why_not_protected(row)))))


def tree(members: Sequence[ResourceRow]) -> Iterable[Row]:
    """Below each resource what it needs. What several need stands below each of them, once with all of its own."""
    known = {row.name: row for row in members}
    needs = {row.name: [name for name in dependencies.names(row.depends_on) if name in known] for row in members}
    needed = {name for names in needs.values() for name in names}
    told: set[str] = set()

    def below(name: str, lead: str, branch: str) -> Iterable[Row]:
        row, again = known[name], name in told
        told.add(name)
        title = Cell(f"{lead}{branch}{name}", "dim" if again else "")
        yield Row((title, row.type, state(row.state), row.depends_on), why="" if again else member_why(row))
        if branch:
            lead += "│  " if branch == "├─ " else "   "
        children = [] if again else needs[name]
        for child in children:
            yield from below(child, lead, "└─ " if child == children[-1] else "├─ ")

    for row in members:
        if row.name not in needed:
            yield from below(row.name, "", "")


def member_why(row: ResourceRow) -> str:
    reasons = [row.why] if row.why else []
    if row.wanted == "offline" and not row.why:
        reasons.append("wanted offline")
    if row.maintenance:
        reasons.append(f"in maintenance: {row.maintenance}")
    return "; ".join(reasons)


def type_offer(row: TypeOffer) -> Row:
    able = Cell("cannot run it", "bold red") if row.problem else Cell("can run it", "green")
    return Row((row.type, row.node, row.version, row.digest[:12], able), why=row.problem, why_style="red")


CALL_TITLES = ("call", "node", "calls", "median", "slowest", "deadline")


def call_time(row: CallTime) -> Row:
    near = row.missed or row.slowest_s >= row.deadline_s / 2
    slowest = Cell(milliseconds(row.slowest_s), "yellow" if near else "")
    why = f"{row.missed} missed the deadline: its resource host was replaced" if row.missed else ""
    figures = (str(row.calls), milliseconds(row.median_s), slowest, f"{row.deadline_s:g} s")
    return Row((row.call, row.node, *figures), why=why)


def milliseconds(took_s: float) -> str:
    return f"{took_s * 1000:.1f} ms"


Shielded = GroupRow | VmRow | ResourceRow


def protected(row: Shielded) -> Cell:
    if not row.protected:
        return Cell("no", "bold yellow")
    return Cell("at risk", "yellow") if row.at_risk_because else Cell("yes", "green")


def why_not_protected(row: Shielded) -> list[str]:
    """Also of what is not protected: what else is weak, for it may stay when that is mended."""
    found = [] if row.protected else [f"not protected: {'; '.join(row.not_protected_because) or 'no reason was given'}"]
    found += [f"at risk: {'; '.join(row.at_risk_because)}"] if row.at_risk_because else []
    return [*found, *row.protection_notes]


def shield(row: Shielded) -> list[tuple[str, Cell | str]]:
    """The same as fields, for what is shown alone."""
    return [
        ("protected", protected(row)),
        ("why not", Cell("\n".join(row.not_protected_because), "yellow")),
        ("at risk", Cell("\n".join(row.at_risk_because), "yellow")),
        ("note", "\n".join(row.protection_notes)),
    ]


def placement(nodes: Mapping[str, str]) -> Iterable[Row]:
    """Node to why it could not take it; "" where it could."""
    for name, why in sorted(nodes.items()):
        yield Row((name, Cell("no", "yellow") if why else Cell("yes", "green")), why=why)


def placement_live(nodes: Mapping[str, str], live: Mapping[str, str]) -> Iterable[Row]:
    """The same of what is online, and whether it could go there as it runs: `live`, of every other node."""
    for row in placement(nodes):
        name = str(row.cells[0])
        if row.why or name not in live:
            yield Row((*row.cells, ""), why=row.why)
        else:
            why = live[name]
            yield Row((*row.cells, Cell("no", "yellow") if why else Cell("yes", "green")), why=why)


def sightings(found: VmChecked) -> Iterable[Row]:
    for name, why in sorted(found.nodes.items()):
        if not why and name in found.doubts:
            yield Row((name, Cell("perhaps", "yellow")), why=found.doubts[name])
        else:
            yield from placement({name: "; ".join(why)})
