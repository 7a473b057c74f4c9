"""What do the cluster's records say about a resource that is here?"""

from outlast.core.coordinator.going_off import SAVE
from outlast.core.membership.membership import Session as OwnSession
from outlast.core.owner.duty import may_start_elsewhere
from outlast.core.owner.own_stop import OwnStop
from outlast.core.owner.resource import S
from outlast.core.owner.telling import RUNS_NOTHING, is_promise
from outlast.model.group import Group, Wanted
from outlast.model.status import ResourceStatus, State
from outlast.ports.environment import Environment
from outlast.service.hosting.local import Local
from outlast.service.hosting.standing import StandingReports
from outlast.service.store import Store

_WENT_ON = (S.ONLINE, S.HANDING_OVER, S.CALLING_BACK)
NOT_ARMED = "the cluster is not armed (`outlast cluster set armed=yes`)"


class Records:
    def __init__(self, store: Store, env: Environment, session: OwnSession) -> None:
        self.standing = StandingReports()
        self._store = store
        self._env = env
        self._session = session

    def group(self, local: Local) -> Group | None:
        return self._store.groups.get(local.resource.group)

    def hold(self) -> bool:
        return bool(self._store.settings.hold)

    def maintenance(self, local: Local) -> str:
        """Why it is in maintenance, or its group is; "" when neither is."""
        group = self.group(local)
        why = local.resource.maintenance or (group.maintenance if group is not None else "")
        return f"in maintenance: {why}" if why else ""

    def started_by_hand(self, local: Local, group: Group) -> bool:
        """Did somebody start it, in the maintenance that it is in, after the last word of an administrator?"""
        return local.started_at == group.intents and bool(self.maintenance(local))

    def left_alone(self, local: Local) -> str:
        """Why it is neither healed nor moved; "" when it is."""
        return self.maintenance(local) or ("" if self._store.settings.armed else NOT_ARMED)

    def promised(self, local: Local, group: Group) -> bool:
        """Does a report of ours stand in the database that nothing of it runs, or may it?"""
        if self.standing.may_stand(local.name, group.epoch):
            return True
        status = self._store.statuses.get(group.name)
        if status is None or (status.epoch, status.node) != (group.epoch, self._store.me):
            return False
        reported = status.resources.get(local.name)
        return reported is not None and is_promise(reported)

    def about_to_go(self, local: Local) -> bool:
        group = self.group(local)
        if group is None or self.left_alone(local):
            return False
        failed_s = self._env.clock.now() - local.since if local.state is S.FAILED else None
        promised_off = self.promised(local, group) and not local.left_by_hand(group)
        return may_start_elsewhere(group, self._store.me, failed_s=failed_s, promised_off=promised_off)

    def forget_switch(self, local: Local, group: Group) -> None:
        """What somebody did past the cluster is over when the records know it, or an administrator has spoken since."""
        told, local.told = local.told, None
        if told is not None and told.stands(group, local.resource):
            local.switched_at = group.intents  # what was done while it was written down comes after it
        elif told is not None and group.intents == told.before:
            local.told = told
            return
        if group.intents != local.switched_at:
            local.switched_off = local.switched_on = ""
        if Wanted.OFFLINE in (local.resource.wanted, group.wanted):
            local.switched_off = ""
        else:
            local.switched_on = ""

    def permitted(self, local: Local) -> bool:
        """May it run here? When it may not, its end is the permit's doing and nobody's intent (rule 10)."""
        now = self._env.clock.now()
        if local.must_stop:
            return False
        return self._session.valid(now) or self._env.hosts.permit.until_s() > now

    def may_have_lapsed(self, local: Local) -> bool:
        """Was this node without a run permit until a moment ago, and ran it then?"""
        return self._session.may_have_ended(local.began_s, self._env.clock.now())

    def can_save(self, local: Local) -> bool:
        """Does its type put its state away, as this node offers it?"""
        session = self._store.sessions.get(self._store.me)
        offers = session.offers if session is not None else ()
        return any(SAVE in offer.functions for offer in offers if offer.type == local.resource.type)

    def was_online(self, local: Local) -> bool:
        """Was it seen online here, or did this life of the node report it so at the present epoch?"""
        if local.last_known is not None:
            return local.last_known in _WENT_ON
        if local.stop not in (OwnStop.NONE, OwnStop.HANDING):
            return False  # whatever was reported last: it was stopped since
        # With a hold the records are of the past: what was online then may have been moved since.
        return self.reported(local) is State.ONLINE and not self.hold()

    def may_be_received(self, local: Local) -> bool:
        """May what stands still here be what another node hands over, or an old copy that one had begun to? What is not
        this node's own, always; what is its own until it was seen to go on here."""
        group = self.group(local)
        if group is None:
            return False
        if group.owner != self._store.me or local.state is S.RECEIVED:
            return True
        reported = self.reported(local)
        if local.last_known in _WENT_ON or reported is State.ONLINE or local.kept.unfinished:
            return False  # what a service before this one had begun to save ran here, and stands still meanwhile
        if group.received_from and not self.hold():
            return True
        # An old copy, found by who comes too late to have seen it arrive. What was never to move is none.
        unseen = local.state in (S.OPENING, S.UNCERTAIN) and local.last_known is None
        arrives = group.moves > 0 or bool(local.resource.taken)  # a state was about to be gone on from
        return unseen and arrives and reported not in RUNS_NOTHING and not self.hold()

    def had_left(self, local: Local) -> bool:
        """Did an earlier service of this node tell that it was migrated away past the cluster, and nobody has spoken
        since? Another life of the node changes nothing about that."""
        return local.last_known is None and self._said_left(local) is not None

    def left_in(self, local: Local) -> str:
        """In which life of this node it was found to have left: this one, or one of an earlier service that told so
        (which it tells of nothing that it has started since: that is told before it is done)."""
        said = self._said_left(local)
        return said.left_in if said is not None else self._env.incarnations.load()

    def _said_left(self, local: Local) -> ResourceStatus | None:
        group, status = self.group(local), self._store.statuses.get(local.resource.group)
        if group is None or status is None:
            return None
        said = status.resources.get(local.name)
        same = (status.node, status.epoch, status.intents) == (self._store.me, group.epoch, group.intents)
        return said if same and said is not None and said.moved_away else None

    def had_failed(self, local: Local) -> bool:
        """Did an earlier service of this life report it failed, at the present epoch?"""
        return local.last_known is None and self.reported(local) is State.FAILED

    def reported(self, local: Local) -> State | None:
        """What this life of the node reported of it at the present epoch."""
        group, status = self.group(local), self._store.statuses.get(local.resource.group)
        if group is None or status is None or status.epoch != group.epoch:
            return None
        reported = status.resources.get(local.name)
        mine = status.incarnation == self._env.incarnations.load()
        return reported.state if mine and reported is not None else None
