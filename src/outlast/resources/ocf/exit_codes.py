"""What does an exit code of an OCF agent mean? The one table; everything else asks it.

The numbers and names are those of the OCF resource agent API 1.1 and of `ocf-returncodes` of resource-agents. What they
amount to here rests on one distinction: was the thing started here by us, which is written down before each start? Of
what was, "not running" is a failure, and a wrong parameter no proof that it ended. Of what was not, nothing can run
where the agent finds something missing, or its parameters wrong: it could not have been started so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from outlast.plugin import Condition, Health

OK = 0
GENERIC = 1
ARGUMENTS = 2
UNIMPLEMENTED = 3
PERMISSIONS = 4
NOT_INSTALLED = 5
CONFIGURED = 6
NOT_RUNNING = 7


@dataclass(frozen=True, slots=True)
class Meaning:
    name: str
    words: str
    """For people, where the agent gives no reason."""
    started: Condition
    """What "monitor" says by it of what was started here."""
    not_started: Condition
    """Likewise of what was not."""
    running: bool
    """Something may run when "monitor" says so of what was started here."""
    gone: bool
    """After a "stop" that succeeded, a "monitor" that says so proves that nothing runs."""


C = Condition
MEANINGS: Mapping[int, Meaning] = {
    OK: Meaning("OCF_SUCCESS", "it runs", C.ONLINE, C.ONLINE, running=True, gone=False),
    GENERIC: Meaning("OCF_ERR_GENERIC", "it does not serve", C.FAILED, C.UNKNOWN, running=True, gone=False),
    ARGUMENTS: Meaning("OCF_ERR_ARGS", "a parameter is wrong", C.FAILED, C.OFFLINE, running=True, gone=False),
    UNIMPLEMENTED: Meaning(
        "OCF_ERR_UNIMPLEMENTED", "the agent cannot do that", C.UNKNOWN, C.UNKNOWN, running=True, gone=False
    ),
    PERMISSIONS: Meaning("OCF_ERR_PERM", "the agent was not permitted", C.UNKNOWN, C.UNKNOWN, running=True, gone=False),
    NOT_INSTALLED: Meaning(
        "OCF_ERR_INSTALLED", "something that it needs is not installed", C.FAILED, C.OFFLINE, running=True, gone=True
    ),
    CONFIGURED: Meaning(
        "OCF_ERR_CONFIGURED", "its parameters do not fit", C.FAILED, C.OFFLINE, running=True, gone=False
    ),
    NOT_RUNNING: Meaning("OCF_NOT_RUNNING", "it has ended", C.FAILED, C.OFFLINE, running=False, gone=True),
    8: Meaning("OCF_RUNNING_PROMOTED", "it runs, promoted", C.ONLINE, C.ONLINE, running=True, gone=False),
    9: Meaning("OCF_FAILED_PROMOTED", "it failed, promoted", C.FAILED, C.FAILED, running=True, gone=False),
    190: Meaning("OCF_DEGRADED", "it runs, degraded", C.ONLINE, C.ONLINE, running=True, gone=False),
    191: Meaning("OCF_DEGRADED_PROMOTED", "it runs promoted, degraded", C.ONLINE, C.ONLINE, running=True, gone=False),
}
DEGRADED = (190, 191)
OTHER = Meaning("no code of OCF", "the agent broke off", C.UNKNOWN, C.UNKNOWN, running=True, gone=False)


def meaning(code: int) -> Meaning:
    """Also of codes that OCF does not know, and of signals (negative)."""
    return MEANINGS.get(code, OTHER)


def health(code: int, words: str, *, started: bool) -> Health:
    """`words`: the agent's own reason; may be empty."""
    found = meaning(code)
    condition = found.started if started else found.not_started
    if condition is Condition.ONLINE:
        return Health(condition, said(code, words) if code in DEGRADED else "", running=True)
    running = found.running if started else condition is Condition.FAILED
    return Health(condition, said(code, words), running=running)


def said(code: int, words: str) -> str:
    """For people: the agent's reason, and what its exit code means."""
    by = f"it was ended by signal {-code}" if code < 0 else f"{meaning(code).words}, exit code {code}"
    return f"{words} ({by})" if words else by
