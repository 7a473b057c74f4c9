"""Is what lives in VMs left alone as long as it works? Invariant 21.

21. No guest is reset that works, answers, or has done neither for less than is set; none more often within its period,
    on one owner, than is set; and none at all where that was not asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from outlast.model.guest import OnHang
from outlast.sim.seen import Seen

_SLACK_S = 1.0
"""Clocks differ a little, and an answer takes a moment."""


@dataclass(slots=True)
class Guests:
    facts: Seen
    ails: Callable[[str, str], bool] = lambda node, vm: False
    """Is something wrong in that VM there, or was until it ended, for which it may be stopped?"""
    _resets: dict[tuple[str, str, str, int], list[float]] = field(default_factory=dict)
    """By VM, node, its life (one that has lost power knows nothing of what was before), and epoch."""

    def least_s(self, vm: str) -> float:
        """For so long it must have given no sign of life before anything is done about it."""
        care = self.facts.resources[vm].guest
        return (care.heartbeat_threshold - 1) * care.heartbeat_interval_s - _SLACK_S

    def reset(self, node: str, vm: str, lifeless_s: float) -> Iterator[str]:
        """`lifeless_s`: for how long it has neither answered nor worked; 0: it does."""
        resource = self.facts.resources.get(vm)
        kept = self.facts.groups.get(self.facts.group_of.get(vm, ""))
        if resource is None or kept is None or self.facts.recent(self.facts.resources_changed_at_s):
            return
        care, now_s, session = resource.guest, self.facts.now(), self.facts.life(node).session
        if care.on_hang is not OnHang.RESET:
            yield f"{vm} was reset on {node}, and nobody wants that"
        if lifeless_s < self.least_s(vm):
            words = f"gave no sign of life for {lifeless_s:.1f} s only" if lifeless_s else "works"
            yield f"{vm} was reset on {node}, and {words}"
        done = self._resets.setdefault((vm, node, session.incarnation if session else "", kept.record.epoch), [])
        done.append(now_s)
        within = [at_s for at_s in done if now_s - at_s < care.reset_period_s - _SLACK_S]
        if len(within) > care.resets:
            times = f"{len(within)} times within {care.reset_period_s:g} s"
            yield f"{vm} was reset {times} on {node}: {care.resets} are allowed"
