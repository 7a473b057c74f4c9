"""May this machine join, and which joins will never end? And when is a certificate renewed?

A join changes the cluster in small steps, each of which may be the last. What it leaves then is a token that is bound,
a member that does not vote, and a node without a session: none of it counts for anything, and after a while it goes.
"""

import re
from collections.abc import Collection, Mapping

from outlast.model.enrolment import Enrol
from outlast.model.member import Join, Part
from outlast.model.node import Node, Session

PORT = 7405
"""Of the links between the services, unless something else is set."""
JOIN_LIMIT_S = 600.0
"""After that, a join that did not end is cleared away. On a slow network a large database may take minutes."""
RENEW_BELOW = 1 / 3
LONGEST_NAME = 63
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def wrong_name(name: str) -> str:
    """Why this cannot be a node's name; "" when it can."""
    if len(name) <= LONGEST_NAME and _NAME.fullmatch(name):
        return ""
    return f'"{name}" cannot be a node\'s name: lower-case letters, digits and "-" inside, {LONGEST_NAME} at most'


def refusal(
    want: Enrol,
    key: str,
    joins: Mapping[str, Join],
    nodes: Mapping[str, Node],
    sessions: Mapping[str, Session],
    members: Collection[str],
    now_s: float,
) -> str:
    """Why this machine may not join with the token under `key`; "" when it may. `members`: names of all machines."""
    join = joins.get(key)
    if join is None:
        return (
            "its token is not known here: it was used, has expired, was taken back, or is another cluster's; "
            "`outlast cluster token` on a node gives another"
        )
    if join.machine and join.machine != want.machine:
        return f'its token was used by another machine already, which calls itself "{join.name}"'
    if not join.machine and expired(join, now_s):
        return "its token has expired; `outlast cluster token` on a node gives another"
    if join.part is not want.part:
        return f"its token is for a {join.part.value}, not for a {want.part.value}"
    if reason := wrong_name(want.name):
        return reason
    if join.name == want.name:
        return ""  # an earlier try of the same machine
    if want.name in nodes or want.name in members:
        session = sessions.get(want.name)
        if session is not None and session.machine == want.machine:
            return f'it is a node of this cluster already, as "{want.name}"'
        hint = f"choose another name, or first: outlast node evict {want.name}"
        return f'there is a "{want.name}" in the cluster already; {hint}'
    if any(other.name == want.name for other in joins.values()):
        return f'another machine is just joining as "{want.name}"'
    return ""


def expired(join: Join, now_s: float) -> bool:
    # A clock that was set back gives it no more time than it had.
    return not join.given_at_s <= now_s < join.given_at_s + join.lifetime_s


def finished(join: Join, sessions: Mapping[str, Session]) -> bool:
    """Its node is there: whoever should have said so has died."""
    session = sessions.get(join.name) if join.name else None
    return session is not None and session.machine == join.machine


def abandoned(join: Join, sessions: Mapping[str, Session], now_s: float) -> bool:
    """Nobody will end it any more."""
    if not join.name:
        return expired(join, now_s)
    return not finished(join, sessions) and abs(now_s - join.began_at_s) > JOIN_LIMIT_S


def need_not_vote(part: Part, nodes: int, witnesses: int, most: int) -> str:
    """Why a machine that joins carries no member of the database yet; "" when it does. As `core/quorum/voting.py`.

    `nodes`: how many nodes vote; `witnesses`: how many machines would stand in as witnesses.
    """
    if part is Part.WITNESS:
        return f"it votes when the nodes that vote are even in number, and now there are {nodes}" if nodes % 2 else ""
    after = nodes + 1
    if after > most:
        return f"{nodes} nodes vote, and more than {most} would only be slower"
    if after % 2 == 0 and after > 2 and not (witnesses and after < most):
        return f"{nodes} nodes vote, and {after} could lose no more of them; it votes with the next node"
    return ""


def due_for_renewal(lifetime_s: float, left_s: float) -> bool:
    return left_s < lifetime_s * RENEW_BELOW
