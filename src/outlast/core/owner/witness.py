"""Is what a plugin says of a resource contradicted by its own list of what is there?

*Nothing runs* gives a resource away, and *it runs* takes back that it failed. Each is one answer of one method, and a
plugin can be wrong. So what would change what is believed is held against `discover()` of the same type, where there is
one to ask: a second witness, who answers another question in another way. Two that contradict each other prove
nothing, and nothing is started elsewhere on that.

What both say, and is wrong all the same, cannot be noticed.
"""

from collections.abc import Collection

from outlast.core.owner.resource import E, S, runs_nothing
from outlast.model.health import Found

NOTHING_RUNS = (E.FOUND_OFFLINE, E.FOUND_FAILED, E.FOUND_LEFT)


def is_asked(state: S, event: E, *, ran: bool, doubted: bool) -> bool:
    """Would it be news? `ran`: when it was last known, it ran here, or something of it was found here. `doubted`: the
    two contradicted each other when they were asked last."""
    if event in NOTHING_RUNS:
        return state in (S.ONLINE, S.UNCERTAIN, S.STUCK) or (state is S.OPENING and ran)
    if event is E.FOUND_ONLINE:
        return runs_nothing(state) or (doubted and state is S.UNCERTAIN)
    return False


def contradiction(event: E, type_name: str, identity: str, listed: Collection[Found]) -> str:
    """Why the plugin's word is not believed, for people; "" when the list bears it out."""
    runs = [thing for thing in listed if thing.identity == identity and thing.running]
    # What stands still is a copy that another node hands over, or had begun to: that is another question.
    if event in NOTHING_RUNS and any(not thing.stands for thing in runs):
        return f"the plugin for {type_name} says that it does not run, and lists it as running: neither is believed"
    if event is E.FOUND_ONLINE and not runs:
        return f"the plugin for {type_name} says that it runs, and does not list it: neither is believed"
    return ""
