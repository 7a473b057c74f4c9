"""How does a group go offline when nobody has said how? By its policy, as far as that is possible."""

from outlast.model.group import Group, Stop
from outlast.model.policy import OfflineAction
from outlast.model.view import ClusterView

SAVE = "save"
"""The function of a resource type that puts away what runs, to go on from there."""
_STOPS = {
    OfflineAction.SAVE: Stop.SAVE,
    OfflineAction.SHUTDOWN: Stop.SHUTDOWN,
    OfflineAction.TURN_OFF: Stop.TURN_OFF,
}


def by_policy(group: Group, view: ClusterView) -> Stop:
    found = _STOPS[group.offline_action]
    return Stop.SHUTDOWN if found is Stop.SAVE and why_not_saved(group, view) else found


def why_not_saved(group: Group, view: ClusterView) -> str:
    """Why nothing of it can be saved where it is, for people; "" when something can. What cannot is shut down."""
    session = view.sessions.get(group.owner)
    if session is None:
        return f"{group.owner or 'nobody'} does not run it now"
    offers = {offer.type: offer.functions for offer in session.offers}
    types = sorted({one.type for name in group.resources if (one := view.resources.get(name)) is not None})
    if any(SAVE in offers.get(type, ()) for type in types):
        return ""
    return f"{' and '.join(types) or 'what is in it'} cannot be saved on {group.owner}"
