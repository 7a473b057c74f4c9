"""Makes the rows that people and scripts see, from a view of the cluster."""

import msgspec

from outlast.core.coordinator import drain, handing_over, restarts, rule_keeping
from outlast.core.coordinator.alarms import alarms
from outlast.core.coordinator.failover import decide
from outlast.core.fence.agents import proving
from outlast.core.foresight.protection import Level, Protection, Protections
from outlast.core.group import intent
from outlast.core.group.group_state import reported
from outlast.core.membership.watchdog import proving_s
from outlast.core.owner.heartbeat import H
from outlast.core.owner.probing import P
from outlast.core.placement import networks, placement
from outlast.core.placement.admission import broken_promise
from outlast.core.placement.placed import Placed
from outlast.model.answers import ClusterStatus, FailureRow, GroupRow, NodeRow, ResourceRow, VmRow
from outlast.model.group import Group, Resource, Stop, Wanted
from outlast.model.guest import GuestStatus
from outlast.model.node import Session
from outlast.model.status import ResourceStatus, State
from outlast.model.transfer import Transfer
from outlast.model.view import ClusterView

VM = "vm"


class Rows:
    """All rows from one view; what several rows need is found once."""

    def __init__(self, view: ClusterView, *, tell_age: bool = True, no_session: str = "") -> None:
        """`tell_age`: a view that is old says so beside each state; False: whoever shows it says it once for all.
        `no_session`: why this node has none."""
        self.view = view
        self._no_session = no_session
        self._age = f"as of {view.observed.unread_s:.0f} s ago" if tell_age and view.observed.unread_s else ""
        self.waiting = {waiting.group: waiting.why for waiting in decide(view).waiting}
        self.placed = Placed(view)
        self._promise = broken_promise(self.placed)
        self._protections = Protections(view, self.placed, self._promise)
        self._loads = placement.loads(view)

    def status(self, answered_by: str, last_record_s: dict[str, float]) -> ClusterStatus:
        view = self.view
        return ClusterStatus(
            name=view.settings.name,
            answered_by=answered_by,
            coordinator=view.coordinator.node if view.coordinator else "",
            term=view.coordinator.term if view.coordinator else 0,
            node_timeout_s=view.settings.node_timeout_s,
            revision=view.revision,
            session=self._no_session,
            age_s=round(view.observed.unread_s, 1),
            nodes=tuple(self.node(name, last_record_s.get(name, -1.0)) for name in sorted(view.nodes)),
            groups=tuple(self.group(view.groups[name]) for name in sorted(view.groups)),
            vms=self.vms(),
            alarms=self.alarms(),
            armed=view.settings.armed,
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
        found += [self._promise[0].upper() + self._promise[1:]] if self._promise else []
        return (*found, *alarms(self.view), *rule_keeping.alarms(self.placed), *self._protections.alarms())

    def node(self, name: str, last_record_s: float) -> NodeRow:
        view = self.view
        node, session, used = view.nodes[name], view.sessions.get(name), self.placed.used(name)
        state, why = self._node_state(name, session)
        if name != view.me:
            why = "; ".join(filter(None, (why, self._age)))
        return NodeRow(
            name=name,
            state=state,
            why=why,
            address=node.address,
            coordinator=view.coordinator is not None and view.coordinator.node == name,
            incarnation=session.incarnation if session else "",
            groups=self._loads.get(name, 0),
            fence=tuple(device.agent for device in proving(node.fence)),
            watchdog_s=session.watchdog_s if session else 0.0,
            watchdog=session.watchdog.value if session and session.watchdog else "",
            watchdog_proves=session is not None and proving_s(session, view.settings) > 0,
            watchdog_problem=session.watchdog_problem if session else "",
            types={offer.type: offer.problem for offer in session.offers} if session else {},
            last_record_s=round(last_record_s, 1),
            rack=node.rack,
            site=node.site,
            drained_by=node.drained_by,
            quarantined=node.quarantined,
            losses=len(node.losses),
            memory_mib=used.has_mib,
            memory_used_mib=used.memory_mib,
            cpus=used.has_cpus,
            cpus_used=used.cpus,
            networks={one.network: one.lost for one in session.networks} if session else {},
        )

    def group(self, group: Group) -> GroupRow:
        status = self.group_status(group)
        shield = self.protection(group)
        waits = self.waiting.get(group.name, "")
        as_wanted = not group.move_to and self._as_wanted(group, status)
        return GroupRow(
            name=group.name,
            state=status.state.value,
            why=f"waits for {waits}" if waits else status.why or self._going_offline(group, status),
            owner=group.owner,
            wanted=group.wanted.value,
            wanted_by=group.wanted_by,
            epoch=group.epoch,
            move_to=group.move_to,
            transfer=self._transfer(group),
            protected=shield.protected,
            not_protected_because=shield.reasons,
            protection=shield.level.value,
            at_risk_because=shield.risks,
            protection_notes=shield.notes,
            preferred_owners=group.preferred_owners,
            possible_owners=group.possible_owners,
            failures=tuple(FailureRow(f.node, f.why, f.at_s) for f in group.failures),
            failover_threshold=restarts.threshold(group, self.view),
            failover_period_s=restarts.period_s(group, self.view),
            resources=group.resources,
            settled=as_wanted or self._stays_failed(group, status),
            priority=group.priority.value,
            start_after=group.start_after,
            start_limit_s=group.start_limit_s,
            retry_after_s=group.retry_after_s,
            failback=group.failback.value,
            failback_hours=group.failback_hours,
            return_to=group.return_to,
            balance=group.balance.value,
            networks=self._networks(group),
            offline_action=group.offline_action.value,
            locked=group.locked,
            maintenance=group.maintenance,
        )

    def _networks(self, group: Group) -> dict[str, str]:
        lost = self.placed.lost_networks.get(group.owner, {})
        names = networks.needed(group, self.view.resources)
        return {name: lost[name].lost if name in lost else "" for name in names}

    def _transfer(self, group: Group) -> Transfer | None:
        said = handing_over.word(group, self.view.statuses.get(group.name)) if group.move_to else None
        return said.transfer if said is not None else None

    def group_with_members(self, group: Group) -> GroupRow:
        known = self.view.resources
        members = tuple(self.resource(known[name]) for name in group.resources if name in known)
        return msgspec.structs.replace(self.group(group), members=members)

    def _stays_failed(self, group: Group, status: ResourceStatus) -> bool:
        """Until somebody does something about it."""
        return status.state is State.FAILED and group.name in self.waiting and not group.move_to

    def _as_wanted(self, group: Group, status: ResourceStatus) -> bool:
        """Is all online that is to be, and nothing else?"""
        to_be_online = intent.to_be_online(group, self.view.resources)
        if not to_be_online:
            return status.state is State.OFFLINE
        if len(to_be_online) == len(group.resources):
            return status.state is State.ONLINE
        known = self.view.resources
        states = {name: self.resource_status(known[name], group).state for name in group.resources if name in known}
        right = {True: (State.ONLINE,), False: (State.OFFLINE, State.FAILED)}
        return all(state in right[name in to_be_online] for name, state in states.items())

    def _going_offline(self, group: Group, status: ResourceStatus) -> str:
        if status.state is not State.OFFLINE_PENDING or group.wanted is not Wanted.OFFLINE:
            return ""
        if group.stop is Stop.TURN_OFF:
            return f"{group.owner} turns it off"
        if group.stop is Stop.SAVE:
            return f"{group.owner} saves its state"
        known = self.view.resources
        limits_s = [known[name].offline_timeout_s for name in group.resources if name in known]
        return f"{group.owner} shuts it down, by force after {max(limits_s, default=0.0):g} s"

    def group_status(self, group: Group) -> ResourceStatus:
        """What can be said of the group: its owner's word, as far as it still counts."""
        owner, view = group.owner, self.view
        if owner == view.me and group.name in view.observed.own:
            return view.observed.own[group.name]
        status = self.reported_status(group)
        return ResourceStatus(status.state, "; ".join(filter(None, (status.why, self._age))))

    def reported_status(self, group: Group) -> ResourceStatus:
        """What stands in the database of it. A decision rests on that, not on what this node may be about to say."""
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
        return self._protections.of(group)

    def resource(self, resource: Resource) -> ResourceRow:
        group = self.view.groups.get(resource.group)
        owner = group.owner if group else ""
        status = self.resource_status(resource, group)
        shield = self.protection(group) if group else Protection(Level.NOT_PROTECTED, ("its group is gone",))
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
            wanted=resource.wanted.value,
            depends_on=resource.depends_on,
            restart_action=resource.restart_action.value,
            restart_threshold=resource.restart_threshold,
            restart_period_s=resource.restart_period_s,
            restart_delay_s=resource.restart_delay_s,
            retry_after_s=resource.retry_after_s,
            on_console_stop=resource.on_console_stop.value,
            on_guest_shutdown=resource.on_guest_shutdown.value,
            looks_alive_interval_s=resource.looks_alive_interval_s,
            deadlock_timeout_s=resource.deadlock_timeout_s,
            separate_host=resource.separate_host,
            state_dir=resource.state_dir,
            saved=resource.saved.words if resource.saved is not None else "",
            memory_mib=resource.memory_mib,
            vcpus=resource.vcpus,
            properties=resource.properties,
            maintenance=resource.maintenance,
            guest=resource.guest if resource.type == VM else None,
            guest_status=self._guest(resource, group),
            settled=group is None or self._resource_settled(resource, group, status),
            protected=shield.protected,
            not_protected_because=shield.reasons,
            protection=shield.level.value,
            at_risk_because=shield.risks,
            protection_notes=shield.notes,
        )

    def _guest(self, resource: Resource, group: Group | None) -> GuestStatus | None:
        """By its owner's word, as far as it still counts."""
        status = self.view.statuses.get(group.name) if group is not None else None
        session = self.placed.members.get(group.owner) if group is not None else None
        if group is None or session is None or status is None or reported(group, status, session.incarnation) is None:
            return None
        found = status.resources.get(resource.name)
        return found.guest if found is not None else None

    def _resource_settled(self, resource: Resource, group: Group, status: ResourceStatus) -> bool:
        if resource.name in intent.to_be_online(group, self.view.resources):
            return self._stays_failed(group, status) or (status.state is State.ONLINE and not group.move_to)
        return status.state in (State.OFFLINE, State.FAILED)

    def vms(self) -> tuple[VmRow, ...]:
        return tuple(self.vm(resource) for _, resource in sorted(self.view.resources.items()) if resource.type == VM)

    def vm(self, resource: Resource) -> VmRow:
        group = self.view.groups[resource.group]
        status = self.resource_status(resource, group)
        row = self.group(group)
        guest = self._guest(resource, group)
        inside = _ails(guest) if guest is not None else ""
        return VmRow(
            name=resource.name,
            state=status.state.value,
            # Of several, its own words say more than the group's, unless the group waits for something.
            why=(row.why if group.name in self.waiting or not status.why else status.why) or inside,
            owner=group.owner,
            wanted=group.wanted.value if resource.wanted is Wanted.ONLINE else resource.wanted.value,
            protected=row.protected,
            not_protected_because=row.not_protected_because,
            protection=row.protection,
            at_risk_because=row.at_risk_because,
            protection_notes=row.protection_notes,
            identity=resource.identity,
            memory_mib=resource.memory_mib,
            vcpus=resource.vcpus,
            group=group.name,
        )

    def resource_status(self, resource: Resource, group: Group | None) -> ResourceStatus:
        if group is None:
            return ResourceStatus(State.UNKNOWN, "its group is gone")
        whole = self.group_status(group)
        session = self.placed.members.get(group.owner)
        status = self.view.statuses.get(group.name)
        own = group.owner == self.view.me and group.name in self.view.observed.own
        if own or len(group.resources) == 1 or session is None or status is None:
            return whole
        if reported(group, status, session.incarnation) is None:
            return whole
        found = status.resources.get(resource.name, ResourceStatus(State.UNKNOWN, "not reported"))
        return ResourceStatus(found.state, "; ".join(filter(None, (found.why, self._age))))

    def _node_state(self, name: str, session: Session | None) -> tuple[str, str]:
        silence = self.view.silences.get(name)
        if silence is not None:
            if silence.proof is not None:
                return "dead", silence.proof.words
            return "silent", f"{silence.words}; its death is not proven"
        if session is None:
            return "out", "it has no session: it has not started, or left in order"
        if name == self.view.me and self._no_session:
            return "out", "it has no session now, and may run nothing until it has"
        if name in self.view.observed.silent_s:
            return "silent", f"no session record for {self.view.observed.silent_s[name]:.1f} s"
        held = drain.standing(self.view, name)
        if held is not None:
            return held
        problems = [f"{offer.type}: {offer.problem}" for offer in session.offers if offer.problem]
        return "up", "; ".join(problems)


def _ails(guest: GuestStatus) -> str:
    """What is wrong inside, for people; empty when nothing is."""
    red = [name for name, probe in guest.probes.items() if probe.state == P.RED.value]
    hangs = "its guest hangs" if guest.heartbeat == H.HANGS.value else ""
    return "; ".join(filter(None, (hangs, f"red: {', '.join(red)}" if red else "")))
