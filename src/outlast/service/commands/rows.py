"""Makes the rows that people and scripts see, from a view of the cluster."""

from outlast.core import placement, restarts
from outlast.core.failover import decide
from outlast.core.group_state import reported
from outlast.core.protection import Protection, protection
from outlast.core.watchdog import proving_s
from outlast.model.answers import ClusterStatus, FailureRow, GroupRow, NodeRow, ResourceRow, VmRow
from outlast.model.group import Group, Resource, Stop, Wanted
from outlast.model.node import Session
from outlast.model.status import ResourceStatus, State
from outlast.model.view import ClusterView

VM = "vm"


class Rows:
    """All rows from one view; what several rows need is found once."""

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.waiting = {waiting.group: waiting.why for waiting in decide(view).waiting}
        self._members = placement.members(view)
        self._loads = placement.loads(view)

    def status(self, answered_by: str, no_session: str, last_record_s: dict[str, float]) -> ClusterStatus:
        view = self.view
        return ClusterStatus(
            name=view.settings.name,
            answered_by=answered_by,
            coordinator=view.coordinator.node if view.coordinator else "",
            term=view.coordinator.term if view.coordinator else 0,
            node_timeout_s=view.settings.node_timeout_s,
            revision=view.revision,
            session=no_session,
            nodes=tuple(self.node(name, last_record_s.get(name, -1.0)) for name in sorted(view.nodes)),
            groups=tuple(self.group(view.groups[name]) for name in sorted(view.groups)),
            vms=self.vms(),
            alarms=self.alarms(),
        )

    def alarms(self) -> tuple[str, ...]:
        """What is down and stays down until somebody does something, first of all."""
        found = [self.view.observed.runs_on] if self.view.observed.runs_on else []
        if self.view.settings.hold:
            found.append(
                f"Nothing is started or stopped anywhere: {self.view.settings.hold}, and nobody has confirmed yet what "
                "runs where. Needed is "
                "`outlast cluster confirm-ownership` (--what-if shows what it would find)"
            )
        for node, silence in sorted(self.view.silences.items()):
            wanted = (group for group in self.view.groups.values() if group.wanted is Wanted.ONLINE)
            waiting = sorted(group.name for group in wanted if group.owner == node)
            if silence.proof is None and waiting:
                may = "may still run there, so it is" if len(waiting) == 1 else "may still run there, so they are"
                needs = self.waiting.get(waiting[0], f"proof that {node} is dead")
                found.append(f"{node} is silent, and {', '.join(waiting)} {may} started nowhere. Needed is {needs}")
        return tuple(found)

    def node(self, name: str, last_record_s: float) -> NodeRow:
        view = self.view
        node, session = view.nodes[name], view.sessions.get(name)
        state, why = self._node_state(name, session)
        return NodeRow(
            name=name,
            state=state,
            why=why,
            address=node.address,
            coordinator=view.coordinator is not None and view.coordinator.node == name,
            incarnation=session.incarnation if session else "",
            groups=self._loads.get(name, 0),
            fence=tuple(device.agent for device in node.fence),
            watchdog_s=session.watchdog_s if session else 0.0,
            watchdog=session.watchdog.value if session and session.watchdog else "",
            watchdog_proves=session is not None and proving_s(session, view.settings) > 0,
            watchdog_problem=session.watchdog_problem if session else "",
            types={offer.type: offer.problem for offer in session.offers} if session else {},
            last_record_s=round(last_record_s, 1),
        )

    def group(self, group: Group) -> GroupRow:
        status = self.group_status(group)
        shield = self.protection(group)
        waits = self.waiting.get(group.name, "")
        as_wanted = not group.move_to and status.state.value == group.wanted.value
        return GroupRow(
            name=group.name,
            state=status.state.value,
            why=f"waits for {waits}" if waits else status.why or self._going_offline(group, status),
            owner=group.owner,
            wanted=group.wanted.value,
            wanted_by=group.wanted_by,
            epoch=group.epoch,
            move_to=group.move_to,
            protected=shield.protected,
            not_protected_because=shield.reasons,
            preferred_owners=group.preferred_owners,
            possible_owners=group.possible_owners,
            failures=tuple(FailureRow(f.node, f.why, f.at_s) for f in group.failures),
            failover_threshold=restarts.threshold(group, self.view),
            failover_period_s=restarts.period_s(group, self.view),
            resources=group.resources,
            settled=as_wanted or (status.state is State.FAILED and bool(waits)),
        )

    def _going_offline(self, group: Group, status: ResourceStatus) -> str:
        if status.state is not State.OFFLINE_PENDING or group.wanted is not Wanted.OFFLINE:
            return ""
        if group.stop is Stop.TURN_OFF:
            return f"{group.owner} turns it off"
        known = self.view.resources
        limits_s = [known[name].offline_timeout_s for name in group.resources if name in known]
        return f"{group.owner} shuts it down, by force after {max(limits_s, default=0.0):g} s"

    def group_status(self, group: Group) -> ResourceStatus:
        """What can be said of the group: its owner's word, as far as it still counts."""
        owner, view = group.owner, self.view
        if not owner:
            return ResourceStatus(State.OFFLINE)
        if owner in view.silences:
            if view.silences[owner].proof is not None:
                return ResourceStatus(State.OFFLINE, f"{owner} is dead")
            return ResourceStatus(State.UNKNOWN, view.silences[owner].words)
        if owner in view.observed.silent_s:
            return ResourceStatus(State.UNKNOWN, f"{owner} is silent")
        session = view.sessions.get(owner)
        if session is None:
            return ResourceStatus(State.OFFLINE, f"{owner} has no session")
        status = reported(group, view.statuses.get(group.name), session.incarnation)
        if status is not None:
            return status
        if group.wanted is Wanted.ONLINE:
            return ResourceStatus(State.ONLINE_PENDING, f"{owner} is about to bring it online")
        return ResourceStatus(State.OFFLINE_PENDING, f"{owner} has not said yet whether it runs")

    def protection(self, group: Group) -> Protection:
        return protection(group, self.view)

    def resource(self, resource: Resource) -> ResourceRow:
        group = self.view.groups.get(resource.group)
        owner = group.owner if group else ""
        status = self._resource_status(resource, group)
        return ResourceRow(
            name=resource.name,
            type=resource.type,
            group=resource.group,
            state=status.state.value,
            why=status.why,
            owner=owner,
            identity=resource.identity,
            is_alive_interval_s=resource.is_alive_interval_s,
            online_timeout_s=resource.online_timeout_s,
            offline_timeout_s=resource.offline_timeout_s,
        )

    def vms(self) -> tuple[VmRow, ...]:
        return tuple(self.vm(resource) for _, resource in sorted(self.view.resources.items()) if resource.type == VM)

    def vm(self, resource: Resource) -> VmRow:
        group = self.view.groups[resource.group]
        status = self._resource_status(resource, group)
        row = self.group(group)
        return VmRow(
            name=resource.name,
            state=status.state.value,
            why=row.why or status.why,
            owner=group.owner,
            wanted=group.wanted.value,
            protected=row.protected,
            not_protected_because=row.not_protected_because,
            identity=resource.identity,
            memory_mib=resource.memory_mib,
            vcpus=resource.vcpus,
            group=group.name,
        )

    def _resource_status(self, resource: Resource, group: Group | None) -> ResourceStatus:
        if group is None:
            return ResourceStatus(State.UNKNOWN, "its group is gone")
        whole = self.group_status(group)
        status = self.view.statuses.get(group.name)
        if len(group.resources) == 1 or status is None or status.epoch != group.epoch:
            return whole
        return status.resources.get(resource.name, whole)

    def _node_state(self, name: str, session: Session | None) -> tuple[str, str]:
        silence = self.view.silences.get(name)
        if silence is not None:
            if silence.proof is not None:
                return "dead", silence.proof.words
            return "silent", f"{silence.words}; its death is not proven"
        if session is None:
            return "out", "it has no session: it has not started, or left in order"
        if name in self.view.observed.silent_s:
            return "silent", f"no session record for {self.view.observed.silent_s[name]:.1f} s"
        if self.view.nodes[name].paused:
            return "paused", "an administrator paused it: it keeps what it has and gets nothing new"
        problems = [f"{offer.type}: {offer.problem}" for offer in session.offers if offer.problem]
        return "up", "; ".join(problems)
