"""Somebody migrated or started a VM past the cluster on a node that does not own it. May it become that node's?

Only if it certainly runs nowhere else: that is its owner's word at the present epoch, or the proof of his death. Until
that is decided it stands still where it appeared (`core/owner/duty.py`), so it never runs twice for longer than it
takes to see it. The two ways in which it came there differ in what its owner must have said:

- *brought*: that it went away as it ran. Then its state is there and nowhere else, so that node gets it whatever speaks
  against it, as with what the cluster itself handed over.
- *started*: that nothing of it runs. It has only just begun, so it stays only where the cluster could have started it.
  Another hand may have started it with its owner meanwhile, and nobody heard of it: then what stands is older than the
  disk, and must not go on. So that word counts when its owner was heard of since, and did not say that he is about to
  take it back (`Session.untold`); and his death, when it was proven before.
"""

import msgspec

from outlast.core.coordinator import handing_over
from outlast.core.group.group_state import nothing_runs, reported
from outlast.core.placement import placement
from outlast.core.placement.admission import admit
from outlast.core.placement.placed import Placed
from outlast.model.group import Appearance, Came, Group, Wanted
from outlast.model.view import ClusterView

STAND_STILL = "stand_still"
"""The function of a resource type that makes what runs stand still until it is taken up."""


def appearance(group: Group, view: ClusterView) -> Appearance | None:
    """Where it has appeared, by the word of a living node, at the present epoch."""
    found = group.appeared
    if found is None or found.epoch != group.epoch or found.node in (group.owner, *view.silences):
        return None
    session = view.sessions.get(found.node)
    lives = session is not None and found.node not in view.observed.silent_s
    return found if lives and session is not None and session.incarnation == found.incarnation else None


def is_told(group: Group, due: Appearance, view: ClusterView) -> bool:
    """Does another node tell already that it has it, and what has come to this one is no newer? It is when its owner
    has begun another life meanwhile: what left him before that, he may have started anew."""
    found = appearance(group, view)
    session = view.sessions.get(group.owner)
    now = session.incarnation if session is not None else ""
    return found is not None and not (due.owner_life == now and found.owner_life not in ("", now))


def is_heard(group: Group, view: ClusterView, *, owner_seen_at: float, since: float) -> bool:
    """May a node tell that somebody started it there, or may its owner know more than he could tell so far? By that
    node's clock: when it saw a record of its owner's session last; since when it knows of what it has, or has the
    database back."""
    if group.owner not in view.sessions or is_dead(group.owner, view):
        return True
    return owner_seen_at > since and not _is_about_to_take_back(group, view)


def _is_about_to_take_back(group: Group, view: ClusterView) -> bool:
    """Its living owner says that he may have something to tell against his own report that nothing of it runs."""
    session = view.sessions.get(group.owner)
    return session is not None and group.name in session.untold and not is_dead(group.owner, view)


def is_dead(node: str, view: ClusterView) -> bool:
    """By proof."""
    silence = view.silences.get(node)
    return silence is not None and silence.proof is not None


def may_become(group: Group, node: str, came: Came, view: ClusterView, *, owner_was_dead: bool = False) -> str:
    """Why it can not become that node's, for people; "" when it may: then it waits there for the coordinator's word.
    `owner_was_dead`: by proof, when it came there."""
    if view.settings.hold:
        return "nobody has confirmed yet who owns what"
    if len(group.resources) != 1:
        return f"{group.name} has several resources, and they run on one node"
    if came is Came.BROUGHT and group.owner:
        return ""  # its owner may be about to say that it went away
    return _owner_has_it(group, view, owner_was_dead=owner_was_dead) or _not_startable(group, node, view)


def brought(group: Group, view: ClusterView) -> str:
    """The node to which somebody migrated it, by the word of both: its owner's that it went away as it ran, and that
    node's that it came; "": none."""
    found = appearance(group, view)
    if found is None or found.came is not Came.BROUGHT or not group.owner:
        return ""
    if may_become(group, found.node, found.came, view):
        return ""
    return found.node if went_away(group, view, in_life=found.owner_life) else ""


def went_away(group: Group, view: ClusterView, *, in_life: str = "") -> bool:
    """Was the last word of its owner, which counts also when he has died or left since, that somebody migrated it away
    past the cluster? An administrator's word that came later ends that. `in_life`: and that it went in this life of
    his, not in a later one in which he had started it anew; "": in whichever."""
    report = view.statuses.get(group.name)
    if report is None or not group.owner:
        return False
    known = (group.epoch, group.owner, handing_over.counting_life(group, report, view), group.intents)
    if (report.epoch, report.node, report.incarnation, report.intents) != known:
        return False
    return any(
        said.moved_away and not (in_life and said.left_in and said.left_in != in_life)
        for said in report.resources.values()
    )


def started(group: Group, view: ClusterView) -> str:
    """The node on which somebody started it, while it certainly ran nowhere else; "": none."""
    found = appearance(group, view)
    if found is None or (found.came is Came.BROUGHT and group.owner):
        return ""
    why_not = may_become(group, found.node, found.came, view, owner_was_dead=found.owner_was_dead)
    return "" if why_not or _is_about_to_take_back(group, view) else found.node


def doubts(group: Group, node: str, placed: Placed) -> tuple[str, ...]:
    """What speaks against that node, for people, although it gets the group."""
    problem = placement.why_not(group, node, placed)
    return (f"{problem}; but it runs there, and nowhere else",) if problem else ()


def _owner_has_it(group: Group, view: ClusterView, *, owner_was_dead: bool) -> str:
    """Why it may run with its owner, or have run there since; "" when it certainly has not."""
    owner = group.owner
    report = view.statuses.get(group.name)
    said = handing_over.word(group, report)
    if said is not None and said.done:
        return f"{owner} has handed it over to {said.to}"
    if not owner:
        return ""
    if is_dead(owner, view):
        return "" if owner_was_dead else f"{owner}, which owned it, has died since, and may have run it before"
    if owner in view.silences or owner in view.observed.silent_s:
        return f"{owner}, which owns it, is silent"
    session = view.sessions.get(owner)
    if session is None or nothing_runs(group, report, session.incarnation):
        return ""
    told = reported(group, report, session.incarnation)
    return (
        f"{owner} owns it, where it is {told.state.value}" if told else f"{owner} owns it, and has not told how it is"
    )


def _not_startable(group: Group, node: str, view: ClusterView) -> str:
    """Why the cluster itself would not start it there now."""
    resource = view.resources.get(group.resources[0])
    if resource is None or resource.wanted is Wanted.OFFLINE:
        return f"{group.resources[0]} is wanted offline in its group"
    if group.maintenance or resource.maintenance:
        return f"it is in maintenance: {group.maintenance or resource.maintenance}"
    if group.move_to not in ("", node):
        return f"it is on its way to {group.move_to}"
    problem = placement.why_not(group, node, Placed(view))
    if problem or group.wanted is Wanted.ONLINE:
        return problem
    return admit(view, msgspec.structs.replace(group, owner=node)).refused
