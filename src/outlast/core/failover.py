"""What is the next step for the whole cluster? The coordinator's decision.

Level-triggered: it looks at everything each time and says the next steps only. Rules it keeps:

- a silent node's groups are given away only after its silence stands in the database *and* its death is proven
  (rule 4; `core/proof.py`);
- a living owner loses a group only when it has reported, at the present epoch, that nothing of it runs (rules 1, 8);
- *unknown* never leads to a start elsewhere (rule 8);
- a group that was switched off on purpose stays off (rule 10).
"""

from collections.abc import Sequence

from outlast.core import placement, proof, restarts
from outlast.core.group_state import reported
from outlast.core.watchdog import proving_s
from outlast.model.group import Failure, Group, Wanted
from outlast.model.plan import Action, Assign, ClearMove, DeclareSilent, ForgetFailures, Plan, Waiting
from outlast.model.status import ResourceStatus, State
from outlast.model.view import ClusterView


def decide(view: ClusterView) -> Plan:
    """The next steps, what each waiting group waits for, and when time alone could change the answer."""
    round_ = _Round(view)
    round_.declare_silences()
    for group in view.groups.values():
        round_.look_at(group)
    round_.doubt_voters()
    round_.pursue_proofs()
    round_.switch_on_again()
    return Plan(tuple(round_.actions), tuple(round_.waiting), round_.wake_in_s)


class _Round:
    """One decision in the making: what has been decided so far counts for what follows."""

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.actions: list[Action] = []
        self.waiting: list[Waiting] = []
        self.wake_in_s: float | None = None
        self._load = placement.loads(view)
        self._unproven: dict[str, list[str]] = {}

    def declare_silences(self) -> None:
        for node, silent_s in self.view.observed.silent_s.items():
            session = self.view.sessions.get(node)
            if session is None or node in self.view.silences or node == self.view.me:
                continue
            # A node with a longer time-out of its own is silent later (rule 3); a promise is kept (rule 11).
            left_s = max(session.node_timeout_s - silent_s, self.view.observed.promised_s.get(node, 0.0))
            if left_s > 0:
                self._wake(left_s)
                continue
            why = f"{node} wrote no session record for {silent_s:.1f} s"
            self.actions.append(DeclareSilent(node, session.incarnation, proving_s(session, self.view.settings), why))

    def look_at(self, group: Group) -> None:
        if self.view.settings.hold:
            if group.wanted is Wanted.ONLINE and not self._runs(group):
                self._wait(group, f"`outlast cluster confirm-ownership`, since {self.view.settings.hold}")
            return
        old = restarts.outdated(group, self.view)
        if old:
            self.actions.append(ForgetFailures(group.name, old))
        elif group.failures:
            self._wake(restarts.next_expiry_s(group, self.view))
        if group.wanted is Wanted.OFFLINE and not group.move_to:
            return
        if not group.owner:
            self._place(group, "it had no owner")
        elif group.owner in self.view.silences:
            self._owner_declared_silent(group)
        elif group.owner in self.view.observed.silent_s:
            self._wait(group, f"{group.owner} is silent")
        elif group.owner not in self.view.sessions:
            self._place(group, f"{group.owner} left the cluster in order")
        else:
            self._owner_alive(group)

    def doubt_voters(self) -> None:
        """A silent node that votes in the database weakens all others, so its death is worth a proof, too."""
        for node in self.view.observed.voters:
            silence = self.view.silences.get(node)
            if silence is not None and silence.proof is None:
                left_s = self.view.settings.vote_removal_s - self.view.observed.silence_age_s.get(node, 0.0)
                if left_s > 0:
                    self._wake(left_s)
                else:
                    self._unproven.setdefault(node, [])

    def _runs(self, group: Group) -> bool:
        session = placement.members(self.view).get(group.owner)
        status = reported(group, self.view.statuses.get(group.name), session.incarnation) if session else None
        return status is not None and status.state is State.ONLINE

    def pursue_proofs(self) -> None:
        """Only for nodes whose death a group or the vote waits for: nobody is fenced for nothing."""
        for node, groups in self._unproven.items():
            actions, waits, wake_in_s = proof.pursue(self.view.silences[node], self.view)
            self.actions.extend(actions)
            self._wake(wake_in_s)
            for name in groups:
                self.waiting.append(Waiting(name, waits or f"{node}'s death to be recorded"))

    def switch_on_again(self) -> None:
        for silence in self.view.silences.values():
            self.actions.extend(proof.afterwards(silence, self.view))

    def _owner_declared_silent(self, group: Group) -> None:
        silence = self.view.silences[group.owner]
        if silence.proof is not None:
            self._place(group, f"{group.owner} is dead: {silence.proof.words}", avoid=group.owner)
        elif group.wanted is Wanted.ONLINE:
            self._unproven.setdefault(group.owner, []).append(group.name)
        else:
            self._place(group, f"{group.owner} is silent")  # it is wanted offline: nobody is fenced for that

    def _owner_alive(self, group: Group) -> None:
        incarnation = self.view.sessions[group.owner].incarnation
        status = reported(group, self.view.statuses.get(group.name), incarnation)
        if group.move_to:
            self._moving(group, status)
        elif status is None:
            return  # the owner is about to report
        elif status.state is State.FAILED:
            self._failed(group, status)
        elif status.state is State.UNKNOWN:
            self._wait(group, f"{group.owner} to find out whether it runs: {status.why}")
        elif status.state is State.OFFLINE:
            problem = placement.why_not(group, group.owner, self.view, here=group.owner)
            if problem:
                self._place(group, f"{group.owner} cannot run it: {problem}", avoid=group.owner)

    def _moving(self, group: Group, status: ResourceStatus | None) -> None:
        problem = placement.why_not(group, group.move_to, self.view, here=group.owner)
        if group.move_to == group.owner:
            self.actions.append(ClearMove(group.name, f"it is on {group.owner}"))
        elif problem:
            self.actions.append(ClearMove(group.name, f"it cannot move to {group.move_to}: {problem}"))
        elif status is not None and status.state in (State.OFFLINE, State.FAILED):
            self._assign(group, group.move_to, f"moved from {group.owner} to {group.move_to} as asked", ())
        else:
            self._wait(group, f"{group.owner} to take it offline before it moves to {group.move_to}")

    def _failed(self, group: Group, status: ResourceStatus) -> None:
        spent = restarts.exhausted(group, self.view)
        if spent:
            self._wait(group, f"an administrator: {spent} (last failure: {status.why})")
            return
        # The time of the failure is filled in where it is written: the core has no clock.
        failure = Failure(id=f"{group.name}-{group.epoch}", node=group.owner, why=status.why, at_s=0.0)
        self._place(group, f"it failed on {group.owner}: {status.why}", avoid=group.owner, failure=failure)

    def _place(self, group: Group, why: str, *, avoid: str = "", failure: Failure | None = None) -> None:
        """On the best node, but on `avoid` only when no other can take it."""
        if group.wanted is Wanted.OFFLINE:
            self.actions.append(ClearMove(group.name, "it is wanted offline and has no living owner"))
            return
        found = placement.candidates(group, self.view, self._load)
        nodes = _untried_first(group, avoid, found.nodes)
        if not nodes and group.owner and not placement.why_not(group, group.owner, self.view, here=group.owner):
            nodes = [group.owner]  # paused, as all others are: what it has it keeps
        reasons = tuple(f"not {name}: {reason}" for name, reason in sorted(found.refused.items()))
        if not nodes:
            self._wait(group, f"a node that can take it ({why}; {'; '.join(reasons)})")
            return
        best = group.move_to if group.move_to in nodes else nodes[0]
        self._assign(group, best, why, (self._why_this(group, best, avoid, nodes), *reasons), failure)

    def _why_this(self, group: Group, node: str, avoid: str, nodes: list[str]) -> str:
        if node == avoid:
            return f"{node} again: no other node can take it"
        if node == group.move_to:
            return f"{node}: an administrator asked for it"
        if node in group.preferred_owners:
            return f"{node}: first of its preferred owners that can take it"
        if len(nodes) == 1:
            return f"{node}: the only node that can take it"
        return f"{node}: fewest groups ({self._load.get(node, 0)}) of the nodes that can take it ({', '.join(nodes)})"

    def _assign(
        self, group: Group, owner: str, why: str, reasons: tuple[str, ...], failure: Failure | None = None
    ) -> None:
        self.actions.append(Assign(group.name, owner, group.epoch + 1, why, reasons, failure))
        self._load[owner] = self._load.get(owner, 0) + 1

    def _wait(self, group: Group, why: str) -> None:
        self.waiting.append(Waiting(group.name, why))

    def _wake(self, in_s: float | None) -> None:
        if in_s is not None:
            self.wake_in_s = in_s if self.wake_in_s is None else min(self.wake_in_s, in_s)


def _untried_first(group: Group, avoid: str, nodes: Sequence[str]) -> list[str]:
    """Where it has not failed yet, if there is such a node: else its failovers could be spent on two of three nodes."""
    failed_on = {failure.node for failure in group.failures} | {avoid}
    untried = [name for name in nodes if name not in failed_on]
    return untried or [name for name in nodes if name != avoid] or list(nodes)
