"""How do the service's answers become rows of tables? One function per answer, used wherever it is listed."""

from collections.abc import Iterable, Mapping

from outlast.cli import times
from outlast.cli.output import Cell, Row, state
from outlast.model.answers import GroupRow, NodeRow, ResourceRow, TypeOffer, VmRow

NODE_TITLES = ("node", "state", "address", "groups", "fencing", "watchdog")
GROUP_TITLES = ("group", "state", "owner", "protected", "failures")
VM_TITLES = ("VM", "state", "owner", "protected", "memory", "vCPUs")
RESOURCE_TITLES = ("resource", "type", "group", "state", "owner", "is alive every")
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
    cells = (row.name, state(row.state), row.owner, protected(row.protected), failures)
    return Row(cells, why=group_why(row))


def group_why(row: GroupRow) -> str:
    reasons = [row.why] if row.why else []
    if row.state == "offline" and row.wanted == "offline" and row.wanted_by:
        reasons.append(f"wanted so by {row.wanted_by}")
    return "; ".join(reasons + _not_protected(row.protected, row.not_protected_because))


def vm(row: VmRow) -> Row:
    return Row(
        (
            row.name,
            state(row.state),
            row.owner,
            protected(row.protected) if row.group else Cell("not managed", "dim"),
            f"{row.memory_mib} MiB" if row.memory_mib else "",
            str(row.vcpus) if row.vcpus else "",
        ),
        why=vm_why(row),
    )


def vm_why(row: VmRow) -> str:
    reasons = [row.why] if row.why else []
    if row.group:
        reasons += _not_protected(row.protected, row.not_protected_because)
    return "; ".join(reasons)


def resource(row: ResourceRow) -> Row:
    interval = times.setting(row.is_alive_interval_s)
    return Row((row.name, row.type, row.group, state(row.state), row.owner, interval), why=row.why)


def type_offer(row: TypeOffer) -> Row:
    able = Cell("cannot run it", "bold red") if row.problem else Cell("can run it", "green")
    return Row((row.type, row.node, row.version, row.digest[:12], able), why=row.problem, why_style="red")


def protected(is_protected: bool) -> Cell:
    return Cell("yes", "green") if is_protected else Cell("no", "bold yellow")


def placement(nodes: Mapping[str, str]) -> Iterable[Row]:
    """Node to why it could not take it; "" where it could."""
    for name, why in sorted(nodes.items()):
        yield Row((name, Cell("no", "yellow") if why else Cell("yes", "green")), why=why)


def _not_protected(is_protected: bool, reasons: Iterable[str]) -> list[str]:
    return [] if is_protected else [f"not protected: {'; '.join(reasons) or 'no reason was given'}"]
