"""What is the next step for the whole cluster? The coordinator's decision.

Level-triggered: it looks at everything each time and says the next steps only. Rules it keeps:

- a silent node's groups are given away only after its silence stands in the database *and* its death is proven
  (rule 4; `core/fence/proof.py`);
- a living owner loses a group only when it has reported, at the present epoch, that nothing of it runs (rules 1, 8);
- *unknown* never leads to a start elsewhere (rule 8);
- a group that was switched off on purpose stays off (rule 10).
"""

from collections.abc import Sequence

from outlast.core.coordinator import (
    adopting,
    arming,
    balance,
    drain,
    failback,
    failing,
    handing_over,
    intake,
    network_loss,
    quarantine,
    restarts,
    rule_keeping,
    spreading,
    storm,
    volume_loss,
)
from outlast.core.coordinator.round import Round
from outlast.core.fence import proof
from outlast.core.group.group_state import nothing_runs, reported
from outlast.core.membership.watchdog import proving_s
from outlast.core.placement import placement
from outlast.model.group import AWAY, Failure, Group, Stop, Wanted
from outlast.model.plan import ClearMove, DeclareSilent, Fence, ForgetFailures, LeaveOff, Plan
from outlast.model.policy import Priority
from outlast.model.status import GroupStatus, Handover, State
from outlast.model.view import ClusterView

NO_NODE = "a node that can take it"
"""What a group waits for that can go nowhere."""
MOST_NAMED = 5
"""So many nodes are named one by one."""


def decide(view: ClusterView) -> Plan:
    """The next steps, what each waiting group waits for, and when time alone could change the answer."""
    if not view.settings.armed:
        return _arrivals(view)
    round = Round(view)
    looking = _Looking(round)
    looking.declare_silences()
    for group in placement.in_order(view):
        looking.look_at(group)
    looking.plan_moves()
    looking.doubt_voters()
    looking.pursue_proofs()
    looking.switch_on_again()
    return round.plan()


def _arrivals(view: ClusterView) -> Plan:
    """Also while the cluster is not armed: what was handed over before that stands still, and would for long."""
    round = Round(view)
    looking = _Looking(round)
    arrived = {group.name for group in placement.in_order(view) if looking.arrives(group)}
    waits = tuple(one for one in arming.waiting(view) if one.group not in arrived)
    return Plan(actions=round.plan().actions, waiting=waits)


class _Looking:
    """Looks at everything that there is, one after the other."""

    def __init__(self, round: Round) -> None:
        self.round = round
        self.view = round.view

    def declare_silences(self) -> None:
        for node, silent_s in self.view.observed.silent_s.items():
            session = self.view.sessions.get(node)
            if session is None or node in self.view.silences or node == self.view.me:
                continue
            # A node with a longer time-out of its own is silent later (rule 3); a promise is kept (rule 11).
            left_s = max(session.node_timeout_s - silent_s, self.view.observed.promised_s.get(node, 0.0))
            if left_s > 0:
                self.round.wake(left_s)
                continue
            why = f"{node} wrote no session record for {silent_s:.1f} s"
            self.round.act(DeclareSilent(node, session.incarnation, proving_s(session, self.view.settings), why))

    def look_at(self, group: Group) -> None:
        if self.view.settings.hold:
            if group.wanted is Wanted.ONLINE and not self._runs(group):
                self.round.wait(group, f"`outlast cluster confirm-ownership`, since {self.view.settings.hold}")
            return
        if self.arrives(group):
            return
        old = restarts.outdated(group, self.view)
        if old:
            self.round.act(ForgetFailures(group.name, old))
        elif group.failures:
            self.round.wake(restarts.next_expiry_s(group, self.view))
        if group.wanted is Wanted.OFFLINE and not group.move_to:
            return
        if not group.owner:
            self._place(group, "it had no owner")
        elif self._leaves_off(group) or self._runs_elsewhere(group):
            return
        elif group.owner in self.view.silences:
            self._owner_declared_silent(group)
        elif group.owner in self.view.observed.silent_s:
            self.round.wait(group, f"{group.owner} is silent")
        elif group.owner not in self.view.sessions:
            self._place(group, f"{group.owner} left the cluster in order")
        else:
            self._owner_alive(group)

    def arrives(self, group: Group) -> bool:
        """Its owner has handed it over. Also when it was called back too late, when it is to go elsewhere or offline by
        now, and whatever keeps that node from taking groups: there its state stands, and nowhere else."""
        target = handing_over.stands_on(group, self.round.placed.members, self.view)
        if target:
            self.round.assign(group, target, f"handed over by {group.owner} as it ran", received_from=group.owner)
        return bool(target) or (group.appeared is not None and self._adopts(group))

    def _adopts(self, group: Group) -> bool:
        """Somebody brought or started it elsewhere past the cluster, and it certainly runs nowhere else."""
        if node := adopting.brought(group, self.view):
            why = f"migrated there from {group.owner} at the host's console"
            doubts = adopting.doubts(group, node, self.round.placed)
            self.round.assign(group, node, why, doubts, received_from=group.owner)
        elif node := adopting.started(group, self.view):
            why = "started there at the host's console, while nothing of it ran anywhere else"
            by = f"started at the host's console, on {node}"
            self.round.assign(group, node, why, received_from=node, wanted_by=by)
        return bool(node)

    def plan_moves(self) -> None:
        """What is moved although nothing is wrong with it; and which nodes are trusted with nothing for a while."""
        if self.view.settings.hold:
            return
        drain.drain(self.round)
        failback.failback(self.round)
        network_loss.follow_networks(self.round)
        rule_keeping.keep_rules(self.round)
        volume_loss.follow_volumes(self.round)
        quarantine.quarantine(self.round)
        spreading.spread(self.round)
        balance.balance(self.round)

    def doubt_voters(self) -> None:
        """A silent node that votes in the database weakens all others, so its death is worth a proof, too."""
        for node in self.view.observed.voters:
            silence = self.view.silences.get(node)
            if silence is not None and silence.proof is None:
                left_s = self.view.settings.vote_removal_s - self.view.observed.silence_age_s.get(node, 0.0)
                if left_s > 0:
                    self.round.wake(left_s)
                else:
                    self.round.unproven.setdefault(node, [])

    def _runs(self, group: Group) -> bool:
        session = placement.members(self.view).get(group.owner)
        status = reported(group, self.view.statuses.get(group.name), session.incarnation) if session else None
        return status is not None and status.state is State.ONLINE

    def pursue_proofs(self) -> None:
        """Only for nodes whose death a group or the vote waits for: nobody is fenced for nothing."""
        guard = storm.Guard(self.view)
        for node, groups in self.round.unproven.items():
            silence = self.view.silences[node]
            spared = guard.spares(silence)
            actions, waits, wake_in_s = proof.pursue(silence, self.view, spared)
            if any(isinstance(action, Fence) for action in actions):
                guard.fenced(node)
            self.round.act(*actions, *storm.noted(silence, spared, self.view))
            self.round.wake(wake_in_s)
            for name in groups:
                self.round.wait(self.view.groups[name], waits or f"{node}'s death to be recorded")
        outdated, wake_in_s = storm.forget(self.view)
        self.round.act(*outdated)
        self.round.wake(wake_in_s)

    def switch_on_again(self) -> None:
        for silence in self.view.silences.values():
            self.round.act(*proof.afterwards(silence, self.view))

    def _owner_declared_silent(self, group: Group) -> None:
        silence = self.view.silences[group.owner]
        if silence.proof is not None:
            self._place(group, f"{group.owner} is dead: {silence.proof.words}", avoid=group.owner)
        elif group.wanted is Wanted.ONLINE:
            self.round.unproven.setdefault(group.owner, []).append(group.name)
        else:
            self._place(group, f"{group.owner} is silent")  # it is wanted offline: nobody is fenced for that

    def _runs_elsewhere(self, group: Group) -> bool:
        """Its owner is gone, and had said that somebody migrated it away: his death proves nothing of where it went."""
        silence = self.view.silences.get(group.owner)
        gone = silence.proof is not None if silence is not None else group.owner not in self.view.sessions
        if not gone or not adopting.went_away(group, self.view):
            return False
        self._wait_for_a_word(group, "said before it ended")
        return True

    def _wait_for_a_word(self, group: Group, says: str) -> None:
        said = f"{group.owner} {says} that it was migrated away past the cluster"
        how = f"when it runs nowhere, `outlast group online {group.name}`"
        self.round.wait(group, f"an administrator: {said}; {how}")

    def _leaves_off(self, group: Group) -> bool:
        """It starts by an administrator's word only, and its node is gone. That word was carried out when its owner
        reported anything of it but *offline*; one that came later still stands."""
        if group.priority is not Priority.NO_AUTO_START or group.wanted is Wanted.OFFLINE:
            return False
        owner, view = group.owner, self.view
        silence = view.silences.get(owner)
        gone = silence.proof is not None if silence is not None else owner not in view.sessions
        status = view.statuses.get(group.name)
        known = (group.epoch, group.intents, owner)
        if not gone or status is None or (status.epoch, status.intents, status.node) != known:
            return False
        if all(one.state is State.OFFLINE for one in status.resources.values()):
            return False
        happened = f"{owner} is dead" if silence is not None else f"{owner} left the cluster"
        self.round.act(LeaveOff(group.name, f"{happened}, and its priority is {group.priority.value}", released=True))
        return True

    def _owner_alive(self, group: Group) -> None:
        incarnation = self.view.sessions[group.owner].incarnation
        report = self.view.statuses.get(group.name)
        status = reported(group, report, incarnation)
        if group.move_to:
            doubt = f" ({status.why})" if status is not None and status.state is State.UNKNOWN else ""
            self._moving(group, nothing_runs(group, report, incarnation), doubt)
        elif status is None or report is None:
            return  # the owner is about to report
        elif status.state is State.FAILED:
            self._failed(group, report, all_off=nothing_runs(group, report, incarnation))
        elif status.state is State.UNKNOWN:
            self.round.wait(group, f"{group.owner} to find out whether it runs: {status.why}")
        elif status.state is State.OFFLINE and not failing.in_maintenance(group, self.view.resources):
            problem = placement.why_not(group, group.owner, self.round.placed, here=group.owner)
            problem = problem or self._better_off_elsewhere(group)
            if problem:
                self._place(group, f"{group.owner} cannot run it: {problem}", avoid=group.owner)

    def _better_off_elsewhere(self, group: Group) -> str:
        """It is off, a network of it is lost where it would start, and another node has that; "" otherwise."""
        lost = placement.cut_off(group, group.owner, self.round.placed)
        return lost if lost and placement.candidates(group, self.round.placed).nodes else ""

    def _moving(self, group: Group, all_off: bool, doubt: str) -> None:
        """`doubt`: why its owner cannot tell whether it runs, for people."""
        said = handing_over.word(group, self.view.statuses.get(group.name))
        if group.move_to == AWAY and (said is None or not said.why or all_off):
            drain.look_away(group, self.round, all_off=all_off)
            return
        if said is not None and said.why and not all_off:
            self._not_handed_over(group, said)
            return
        in_need = intake.keeps_nothing(group.owner, self.view)
        problem = placement.why_not(group, group.move_to, self.round.placed, here=group.owner, in_need=in_need)
        kept = failing.in_maintenance(group, self.view.resources)
        if group.move_to == group.owner:
            self.round.act(ClearMove(group.name, f"it is on {group.owner}"))
        elif problem and not drain.goes_elsewhere(group, self.round, problem):
            self.round.act(ClearMove(group.name, f"it cannot move to {group.move_to}: {problem}"))
        elif problem:
            return
        elif kept and not all_off:
            self.round.act(ClearMove(group.name, f"it is in maintenance: {kept}"))
        elif all_off:
            self.round.assign(group, group.move_to, self._why_moved(group), ())
        elif adopting.went_away(group, self.view):
            self._wait_for_a_word(group, "says")
        elif group.queued:
            self._its_turn(group)
        elif group.stop is Stop.LIVE:
            self.round.wait(group, f"{group.owner} to hand it over to {group.move_to}{_come_so_far(said)}")
        elif group.stop is Stop.SAVE:
            self.round.wait(group, f"{group.owner} to save it before it moves to {group.move_to}")
        else:
            self.round.wait(group, f"{group.owner} to take it offline before it moves to {group.move_to}{doubt}")

    def _its_turn(self, group: Group) -> None:
        """Asked for by hand, and nothing was done for it yet."""
        if full := self.round.moves.full(group.owner, group.move_to):
            self.round.wait(group, f"its turn to move to {group.move_to}: {full}")
        else:
            self.round.begin_move(group)

    def _not_handed_over(self, group: Group, said: Handover) -> None:
        """It runs on where it is."""
        why = handing_over.why_in_vain(said)
        if handing_over.shuts_down_instead(group, self.view):
            stop = handing_over.instead(group, said, self.view)
            words = {Stop.SAVE: "saved", Stop.TURN_OFF: "turned off"}.get(stop, "shut down")
            self.round.wish_move(group, group.move_to, f"{why}; so it is {words}", stop=stop)
        else:
            self.round.act(ClearMove(group.name, why))

    def _why_moved(self, group: Group) -> str:
        for failure in group.failures:
            if failure.id == _failure_id(group):
                return f"it failed on {failure.node}: {failure.why}"
        return f"moved from {group.owner} to {group.move_to} as asked"

    def _failed(self, group: Group, report: GroupStatus, *, all_off: bool) -> None:
        stays = failing.why_it_stays(group, report, self.view)
        if stays:
            self.round.wait(group, stays)
            return
        why = failing.words(group, report, self.view)
        counted = any(failure.id == _failure_id(group) for failure in group.failures)
        spent = "" if counted else restarts.exhausted(group, self.view)
        if spent:
            self._spent(group, spent, why, all_off=all_off)
            return
        # The time of the failure is filled in where it is written: the core has no clock.
        failure = None if counted else Failure(id=_failure_id(group), node=group.owner, why=why, at_s=0.0)
        happened = f"it failed on {group.owner}: {why}"
        if all_off:
            self._place(group, happened, avoid=group.owner, failure=failure, failed=True)
        else:
            self._move_what_runs(group, report, happened, failure)

    def _move_what_runs(self, group: Group, report: GroupStatus, why: str, failure: Failure | None) -> None:
        """Some of it still runs here, so it is taken offline first; and not before somebody can take it."""
        doubtful = [name for name, one in report.resources.items() if one.state is State.UNKNOWN]
        if doubtful:
            words = report.resources[doubtful[0]].why
            self.round.wait(group, f"{group.owner} to find out whether {doubtful[0]} runs: {words}; {why}")
            return
        found = placement.candidates(group, self.round.placed)
        nodes = [name for name in _untried_first(group, group.owner, found.nodes) if name != group.owner]
        if nodes:
            self.round.wish_move(group, nodes[0], why, failure=failure)
            return
        refused = placement.told({name: no for name, no in found.refused.items() if name != group.owner})
        others = "; ".join(refused) or "there is no other node"
        if placement.why_not(group, group.owner, self.round.placed, here=group.owner):
            self.round.wait(group, f"a node that can take it, while the rest of it runs on here ({why}; {others})")
        elif not self._pauses(group, group.owner, why):
            # The same node at a new epoch: what failed is tried again beside what runs.
            words = f"{group.owner} again, beside what runs: no other node can take it"
            self.round.assign(group, group.owner, why, (words, *refused), failure)

    def _spent(self, group: Group, spent: str, why: str, *, all_off: bool) -> None:
        """It stays failed; but what made it fail may be over after a while."""
        again_s = restarts.retry_in_s(group, self.view)
        if again_s is None or again_s > 0 or not (group.failures or all_off):
            later = f", or {restarts.duration(group.retry_after_s)} to pass" if again_s is not None else ""
            self.round.wait(group, f"an administrator{later}: {spent} (last failure: {why})")
            self.round.wake(again_s or None)
        elif group.failures:
            words = f"its failures are forgotten, and it is tried anew: {restarts.duration(group.retry_after_s)} passed"
            self.round.act(ForgetFailures(group.name, tuple(failure.id for failure in group.failures), words))
        else:
            self.round.assign(group, group.owner, f"it failed here ({why}), and may not go elsewhere: tried again")

    def _place(
        self, group: Group, why: str, *, avoid: str = "", failure: Failure | None = None, failed: bool = False
    ) -> None:
        """On the best node, but on `avoid` only when no other can take it. `failed`: because it failed just now."""
        if group.wanted is Wanted.OFFLINE:
            self.round.act(ClearMove(group.name, "it is wanted offline and has no living owner"))
            return
        found = placement.candidates(group, self.round.placed)
        nodes = _untried_first(group, avoid, found.in_need)
        if not nodes and group.owner and not placement.why_not(group, group.owner, self.round.placed, here=group.owner):
            nodes = [group.owner]  # paused, as all others are: what it has it keeps
        reasons = placement.told(found.refused)
        if not nodes:
            self.round.wait(group, f"{NO_NODE} ({why}; {'; '.join(reasons)})")
            return
        best = group.move_to if group.move_to in nodes else nodes[0]
        if failed and self._pauses(group, best, why):
            return
        chosen, home = self._why_this(group, best, avoid, nodes), failback.comes_back_to(group, best, self.view)
        self.round.assign(group, best, why, (chosen, *reasons), failure, return_to=home)

    def _pauses(self, group: Group, node: str, why: str) -> bool:
        """It failed there before, so it is not tried there again at once."""
        pause = restarts.pause(group, node, _failure_id(group), self.view)
        if pause is None:
            return False
        self.round.wait(group, f"{pause.words}, and no other node can take it that it has not failed on ({why})")
        self.round.wake(pause.left_s)
        return True

    def _why_this(self, group: Group, node: str, avoid: str, nodes: list[str]) -> str:
        if lost := placement.cut_off(group, node, self.round.placed):
            return f"{node}: no node that can take it has its network ({lost}), and it is better without than down"
        if node == avoid:
            return f"{node} again: no other node can take it"
        if node == group.move_to:
            return f"{node}: an administrator asked for it"
        if node in group.preferred_owners:
            return f"{node}: first of its preferred owners that can take it"
        if len(nodes) == 1:
            return f"{node}: the only node that can take it"
        return f"{node}: {self._has(node)} of {_able(nodes)}"

    def _has(self, node: str) -> str:
        used = self.round.placed.used(node)
        groups = f"{used.groups} group{'' if used.groups == 1 else 's'}"
        if used.free_mib is None:
            return f"fewest groups ({used.groups})"
        return f"the least loaded ({groups}, {max(0, used.free_mib)} of {used.has_mib} MiB of memory left)"


def _come_so_far(said: Handover | None) -> str:
    if said is None or not (said.percent or said.transfer):
        return ""
    return f" ({said.transfer.words})" if said.transfer is not None else f" ({said.percent} % of it is there)"


def _able(nodes: Sequence[str]) -> str:
    if len(nodes) > MOST_NAMED:
        return f"the {len(nodes)} nodes that can take it"
    return f"the nodes that can take it ({', '.join(nodes)})"


def _failure_id(group: Group) -> str:
    """Of the failure at this epoch: one that made it wish to move is not counted again when it is moved."""
    return f"{group.name}-{group.epoch}"


def _untried_first(group: Group, avoid: str, nodes: Sequence[str]) -> list[str]:
    """Where it has not failed yet, if there is such a node: else its failovers could be spent on two of three nodes."""
    failed_on = {failure.node for failure in group.failures} | {avoid}
    untried = [name for name in nodes if name not in failed_on]
    return untried or [name for name in nodes if name != avoid] or list(nodes)
