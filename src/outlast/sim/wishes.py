"""What have people done to what runs: at a host's console, inside a guest, or by asking for it? What of it the cluster
has to make its intent, and has not yet; and what is nobody's fault, because somebody broke it on purpose.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from outlast.model.group import Group, Stop, Wanted
from outlast.model.policy import OnStop, Priority
from outlast.model.status import State
from outlast.sim.checks_order import Order
from outlast.sim.seen import Seen


@dataclass(slots=True)
class Wishes(Seen):
    wishes: dict[str, list[Wanted]] = field(default_factory=dict)
    """What people have done that may change what is wanted of a group."""
    switched_off: dict[str, str] = field(default_factory=dict)
    """VM, and the node where somebody switched it off by hand, as long as the cluster has not written that down."""
    wishes_of_resources: dict[str, list[Wanted]] = field(default_factory=dict)
    order: Order = field(init=False)

    def wish(self, group: str, wanted: Wanted) -> None:
        """Somebody who may has asked for this, or did it by hand."""
        self.wishes.setdefault(group, []).append(wanted)
        if wanted is Wanted.ONLINE:  # the last word counts
            for vm in [vm for vm in self.switched_off if self.group_of.get(vm) == group]:
                del self.switched_off[vm]

    def wish_resource(self, name: str, wanted: Wanted) -> None:
        """Likewise of one resource."""
        self.wishes_of_resources.setdefault(name, []).append(wanted)
        if wanted is Wanted.ONLINE:
            self.switched_off.pop(name, None)

    def switched_by_hand(self, node: str, vm: str, wanted: Wanted, *, by_guest: bool = False) -> None:
        """Somebody switched it at the console, or inside the guest: the cluster has to make that its intent. But not of
        what the cluster is just stopping, told or not: whose doing its end is nobody can say; nor of what it is
        just starting, in place perhaps, told or not: such a start has failed."""
        group = self.group_of.get(vm)
        if group is None:
            return
        record, resource = self.groups[group].record, self.resources[vm]
        maintained = bool(record.maintenance or resource.maintenance)
        known = not self.recent(self.groups[group].record_at_s) and not self.recent(self.resources_changed_at_s)
        if maintained and known:  # then it is no intent
            self.switched_off.pop(vm, None)
            return
        if wanted is Wanted.ONLINE:
            self.groups[group].by_hand_on = node
        self.wish(group, wanted)
        self.wish_resource(vm, wanted)
        if maintained:
            self.switched_off.pop(vm, None)
            return
        policy = resource.on_guest_shutdown if by_guest else resource.on_console_stop
        if policy is OnStop.RESTART:  # unless that was so too often
            self.switched_off.pop(vm, None)
            return
        starts = self.copies.get(vm, {}).get(node) == "the cluster" and not self.order.has_served(node, vm)
        ran = self._told_since_its_session(record, vm) and not starts and not self.order.is_asked_off(node, vm)
        if wanted is Wanted.OFFLINE and record.wanted is Wanted.ONLINE and ran:
            self.switched_off[vm] = node
        else:
            self.switched_off.pop(vm, None)

    def changes_by_itself(self, old: Group, new: Group) -> bool:
        """It starts by an administrator's word only, and is left off; or it could not be saved, and runs on."""
        if new.wanted is Wanted.OFFLINE:
            return new.priority is Priority.NO_AUTO_START
        return old.stop is Stop.SAVE and any(new.owner in self.copies.get(vm, {}) for vm in new.resources)

    def is_tried_again(self, old: Group, new: Group) -> bool:
        """On the same owner, where something of it has failed, by its word."""
        return new.owner == old.owner and any(self.said(old, name, State.FAILED) for name in old.resources)

    def _told_since_its_session(self, group: Group, vm: str) -> bool:
        """Has its owner called it online since it opened its session? What was told before may have been stopped with
        that session; the start since then is under way, and one that ends meanwhile has failed."""
        status, session = self.statuses.get(group.name), self.life(group.owner).session
        known = status is not None and session is not None and status.incarnation == session.incarnation
        return known and self.said(group, vm, State.ONLINE)

    def distrust(self, vm: str) -> None:
        """Its plugin has lied about it: what the cluster concludes is not the cluster's fault."""
        self.distrusted.add(self.group_of.get(vm, ""))

    def disturb(self, node: str, for_s: float) -> None:
        """Something on this node is broken on purpose: stopping a VM there may be called for."""
        life = self.life(node)
        life.disturbed_until_s = max(life.disturbed_until_s, self.now() + for_s)

    def touch(self, node: str) -> None:
        """Something is done to it that may keep it from telling others how it is, or from hearing of them."""
        self.life(node).touched_at_s = self.now()

    def host_ended(self, node: str, names: Collection[str]) -> None:
        """A resource host of the node ended, by whatever hand, that had these open."""
        self.order.host_ended(node, names)

    def forget_hands(self, node: str) -> None:
        for vm in [vm for vm, where in self.switched_off.items() if where == node]:
            del self.switched_off[vm]
