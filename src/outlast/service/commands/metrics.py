"""What this node has measured and counted, and how the cluster is: for `outlast-web`, which tells it to Prometheus.

Answered from memory, also while the database is away. Only the members of the database are asked how they are, no more
often than every ten seconds.
"""

import asyncio
import re
from contextlib import suppress

import outlast
from outlast.core.quorum.voting import is_healthy
from outlast.model.group import Group, Resource
from outlast.model.metrics import (
    FenceMetrics,
    GroupMetrics,
    Metrics,
    NodeMetrics,
    PhaseMetrics,
    QuorumMetrics,
    ResourceMetrics,
)
from outlast.model.plan import Action
from outlast.ports.database import Unavailable
from outlast.service.commands.context import Command, Context, Nothing
from outlast.service.commands.rows import Rows

VOTERS_AGE_S = 10.0
VOTERS_WITHIN_S = 4.0
"""Who is asked for its metrics answers within Prometheus' usual 10 s, also when the members of the database do not."""


async def metrics(context: Context, _: Nothing) -> Metrics:
    quorum = await _quorum(context)
    store, membership, view = context.store, context.membership, context.view()
    rows = Rows(view, tell_age=False, no_session=membership.why_not)
    last_record_s = context.observation.last_record_s()
    coordinator = view.coordinator
    nodes = tuple(_node(context, rows, name, last_record_s.get(name)) for name in sorted(view.nodes))
    return Metrics(
        cluster=view.settings.name,
        node=store.me,
        version=outlast.__version__,
        armed=view.settings.armed,
        held=bool(view.settings.hold),
        alarms=len(rows.alarms()),
        term=coordinator.term if coordinator is not None else 0,
        coordinates=any(node.coordinates for node in nodes if node.name == store.me),
        node_timeout_s=store.observer.timing.node_timeout_s,
        permit_s=store.observer.timing.permit_s,
        permit_left_s=membership.permit_left_s(),
        database_age_s=view.observed.unread_s,
        quorum=quorum,
        nodes=nodes,
        groups=tuple(_group(rows, group) for _, group in sorted(view.groups.items())),
        resources=tuple(_resource(rows, resource) for _, resource in sorted(view.resources.items())),
        decisions={_called(kind): count for kind, count in context.coordinating.decisions.items()},
        failovers=_failovers(context),
        database=context.measured.metrics() if context.measured is not None else (),
        calls=context.hosts.times.metrics(),
        hosts=context.hosts.ends(),
        fencing=_fencing(context),
    )


def _node(context: Context, rows: Rows, name: str, last_record_s: float | None) -> NodeMetrics:
    row = rows.node(name, -1.0)
    return NodeMetrics(
        name=name,
        state=row.state,
        coordinates=row.coordinator,
        groups=row.groups,
        last_record_s=last_record_s,
        gaps=context.store.gaps.of(name),
        watchdog_s=row.watchdog_s,
        memory_mib=row.memory_mib,
        memory_used_mib=row.memory_used_mib,
    )


def _group(rows: Rows, group: Group) -> GroupMetrics:
    state, level = rows.group_status(group).state, rows.protection(group).level
    return GroupMetrics(group.name, group.owner, state.value, group.wanted.value, level.value)


def _resource(rows: Rows, resource: Resource) -> ResourceMetrics:
    group = rows.view.groups.get(resource.group)
    state = rows.resource_status(resource, group).state
    owner = group.owner if group is not None else ""
    return ResourceMetrics(resource.name, resource.type, resource.group, owner, state.value)


def _called(kind: type[Action]) -> str:
    """DeclareSilent: declare_silent."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def _failovers(context: Context) -> tuple[PhaseMetrics, ...]:
    return context.failovers.metrics() if context.failovers is not None else ()


def _fencing(context: Context) -> tuple[FenceMetrics, ...]:
    return context.fencing.asked(context.store.nodes.values()) if context.fencing is not None else ()


async def _quorum(context: Context) -> QuorumMetrics | None:
    """As it was told last, when the members do not answer in time."""
    quorum = context.voters.quorum
    if quorum is None:
        return None
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(VOTERS_WITHIN_S):
            await quorum.look(VOTERS_AGE_S)
    seen = quorum.seen
    if seen is None or quorum.margin is None:
        return QuorumMetrics(quorum=False, margin=-1, voters=0, well=0)
    voters = [member for member in seen.members if member.name and not member.learner]
    well = sum(is_healthy(member, seen) for member in voters)
    return QuorumMetrics(quorum.agreed, quorum.margin.margin, len(voters), well)


COMMANDS: dict[str, Command] = {"metrics": (Nothing, metrics)}
