"""Which times follow from `node_timeout`? All of them, here and nowhere else.

    renewal sent ──► permit ends ──► silent
    0                node_timeout    node_timeout
                     - guard

A node stops what it runs when its permit ends, counted from before the last acknowledged renewal was sent. An
observer calls it silent no earlier than `node_timeout` after it saw that renewal's record, which is later. So
the node has `guard` to stop by force before anybody may even ask for proof of its death.
"""

import msgspec

SHORTEST_NODE_TIMEOUT_S = 1.0
LONGEST_NODE_TIMEOUT_S = 300.0


class Impossible(ValueError):
    """These settings cannot work together. The text says why."""


class Timing(msgspec.Struct, frozen=True):
    """Seconds, all derived by `timing`."""

    node_timeout_s: float
    renew_interval_s: float
    """How often a session record is written."""
    renew_timeout_s: float
    """How long one attempt to write it may take: several fit into a permit, so that an outage of the database costs
    nothing as long as it ends in time."""
    overdue_s: float
    """After so long without an acknowledgement a node's renewal is overdue. It asks the others for promises from then
    on, and holds against nobody any more what it has counted."""
    guard_s: float
    """What a node keeps back to stop by force everything it runs."""
    permit_s: float
    """How long a renewal lets a node run what it owns, counted from before it was sent."""
    steady_gap_s: float
    """An observer whose own writes went unacknowledged for longer starts its timers again."""
    watchdog_s: float
    """The countdown of an armed watchdog, counted from its last feeding. Longer than a node needs to stop all."""


def watchdog_proof_s(watchdog_s: float) -> float:
    """Since a silence was written: when a watchdog with that countdown has certainly cut its node's power.

    What extends a node's permit feeds its watchdog, while the permit lasts: that is looked at right before feeding. The
    permit has ended before the node could be called silent (by its own time-out, which stands in its session). So at
    most one countdown is left; and half a second for a sluggish device, and for a step that is held up between that
    look and the feeding, by no more than that and the guard. It counts with the countdown that the node declared.
    """
    return watchdog_s + 0.5


def timing(node_timeout_s: float) -> Timing:
    """Raises `Impossible` with the reason when nothing sensible follows from it."""
    if not SHORTEST_NODE_TIMEOUT_S <= node_timeout_s <= LONGEST_NODE_TIMEOUT_S:
        raise Impossible(
            f"node_timeout_s cannot be {node_timeout_s:g}: below {SHORTEST_NODE_TIMEOUT_S:g} s a node has no time to "
            f"repeat a lost renewal and to stop its VMs, above {LONGEST_NODE_TIMEOUT_S:g} s nobody would call it "
            "failover; the default is 5"
        )
    renew = min(1.0, node_timeout_s / 6)
    guard = max(0.3, node_timeout_s * 0.15)
    permit = node_timeout_s - guard
    watchdog = 1.4 * node_timeout_s  # 7 s by default: devices count whole seconds
    return Timing(
        node_timeout_s=node_timeout_s,
        renew_interval_s=renew,
        renew_timeout_s=permit / 4,
        overdue_s=1.5 * renew,
        guard_s=guard,
        permit_s=permit,
        steady_gap_s=2.5 * renew,
        watchdog_s=watchdog,
    )
