"""Is what runs in a guest well, as its probes find it?

A probe is red after `threshold` bad answers in a row; one good answer makes it green. An answer that nobody could give
(the agent is away, the VM stands still) is neither: that is told by the heartbeat. What was never green since the VM
started is told as red too, but nothing is restarted for it: it would be restarted for ever.
"""

import enum
from collections.abc import Collection

import msgspec

from outlast.model.guest import OnRed, Probe
from outlast.model.inside import Answer, Finding

MOST_WORDS = 200
"""Of what a probe said."""


class P(enum.Enum):
    AWAITED = "not green yet"
    GREEN = "green"
    RED = "red"


class Probed(msgspec.Struct, frozen=True):
    state: P = P.AWAITED
    was_green: bool = False
    """Since the VM was started."""
    bad: int = 0
    """Bad answers in a row."""
    why: str = ""


def heard(before: Probed, found: Finding, probe: Probe) -> Probed:
    if found.stands or found.answer not in (Answer.YES, Answer.NO):
        return msgspec.structs.replace(before, bad=0)
    if found.answer is Answer.YES:
        return Probed(P.GREEN, was_green=True)
    bad = before.bad + 1
    state = P.RED if bad >= probe.threshold else before.state
    why = found.why[:MOST_WORDS] if state is not P.GREEN else ""
    return Probed(state, before.was_green, bad, why)


def has_failed(probed: Probed, probe: Probe) -> bool:
    """Is the VM to be restarted for it?"""
    return probed.state is P.RED and probed.was_green and probe.on_red is OnRed.RESTART


def all_green(probed: Collection[Probed]) -> bool:
    return bool(probed) and all(one.state is P.GREEN for one in probed)
