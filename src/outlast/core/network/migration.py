"""By which address does a node take what is handed over to it as it runs, if the cluster has a network for that?

Only where both nodes are in that network. Who is not is no reason to stop: a drain that cannot end is worse than one
that uses the cluster's own links. So it goes there, and it is said.
"""

import ipaddress
from collections.abc import Iterable

from outlast.model.node import Session
from outlast.model.view import ClusterView

NOT_TOLD = "it has not told its address there"


def network_of(written: str) -> str:
    """As it is kept; "" for none. Raises `ValueError` in words."""
    text = written.strip()
    return "" if text in ("", "none") else str(ipaddress.ip_network(text))


def why_not(session: Session | None, network: str) -> str:
    """Why that node is not in the migration network, for people; "" when it is."""
    own = session.in_migration_network if session is not None else None
    if own is None or own.network != network:
        return NOT_TOLD
    if own.address:
        return ""
    return own.problem or f"it has no address in {network}"


def address(source: Session | None, to: Session | None, network: str) -> tuple[str, str]:
    """The address of `to` in the migration network; else "", and why it goes the common way."""
    for session in (source, to):
        if why := why_not(session, network):
            return "", why.replace("it has", f"{session.node} has", 1) if session is not None else why
    own = to.in_migration_network if to is not None else None
    return (own.address, "") if own is not None else ("", NOT_TOLD)


def outside(view: ClusterView) -> dict[str, str]:
    """The nodes that are up and not in the migration network, and why."""
    network = view.settings.migration_network
    if not network:
        return {}
    movable = (session for _, session in sorted(view.sessions.items()) if session.migration)
    return {session.node: why for session in movable if (why := why_not(session, network))}


def certificate_names(names: Iterable[str], own: str, address: str) -> tuple[str, ...]:
    """What a node's certificate must prove: what it has proven, but no address of a network that counts no more."""
    kept = (name for name in names if name == own or not _is_address(name))
    return tuple(dict.fromkeys((*kept, address)))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
