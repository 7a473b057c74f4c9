"""May a node be given anything, and does it give away what it has?

A node that is paused keeps what it has and gets nothing new. One that is drained gives away what others can take. One
that is drained by force, or whose machine is being shut down, keeps nothing. One that is quarantined, because it was
lost again and again (`core/coordinator/quarantine.py`), is as one that is paused.
"""

from outlast.model.node import Node, Session
from outlast.model.view import ClusterView


def refuses(node: Node, session: Session, *, has_it: bool = False) -> str:
    """Why the node takes no group now, for people; "" when it does. `has_it`: it owns the group already."""
    if is_leaving(node, session):
        return "its machine is being shut down"
    if has_it:
        return "it is drained by force" if node.draining and node.force_drain else ""
    if node.draining:
        return "it is drained"
    if node.paused:
        return "it is paused"
    return f"it is quarantined: {node.quarantined}" if node.quarantined else ""


def is_leaving(node: Node, session: Session) -> bool:
    """Its machine is being shut down. After the boot the node has another incarnation, and takes groups again."""
    return bool(node.leaving) and node.leaving == session.incarnation


def gives_away(name: str, view: ClusterView) -> bool:
    """What runs there is to go to other nodes."""
    node, session = view.nodes.get(name), view.sessions.get(name)
    if node is None:
        return False
    return node.draining or (session is not None and is_leaving(node, session))


def keeps_nothing(name: str, view: ClusterView) -> bool:
    """What no other node can take is taken offline."""
    node, session = view.nodes.get(name), view.sessions.get(name)
    if node is None:
        return False
    return (node.draining and node.force_drain) or (session is not None and is_leaving(node, session))


def is_shut_down(name: str, view: ClusterView) -> bool:
    """Its machine is on its way down, and after the boot it takes groups again."""
    session = view.sessions.get(name)
    return session is not None and name in view.nodes and is_leaving(view.nodes[name], session)


def why_it_gives_away(name: str, view: ClusterView) -> str:
    """For people, as the rest of a sentence: "n1 is drained"."""
    session = view.sessions.get(name)
    if session is not None and is_leaving(view.nodes[name], session):
        return f"the machine of {name} is being shut down"
    return f"{name} is drained by force" if keeps_nothing(name, view) else f"{name} is drained"
