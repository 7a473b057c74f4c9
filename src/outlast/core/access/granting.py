"""Which role has somebody whom another than this cluster knows? What the groups that they are in were granted.

The highest role counts. Whose role is operator of some groups by one and of others by another is an operator of both.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from outlast.model.access import Grant, Role, SignedIn, SignInSettings, User, Way

NAMES: Mapping[Way, str] = {Way.LOCAL: "password", Way.PAM: "PAM", Way.OPENID: "OpenID Connect"}
"""For people."""
MOST_TOLD = 10
MOST_GRANTS = 200


class Granted(NamedTuple):
    role: Role
    groups: tuple[str, ...] = ()
    """Empty: for all."""


def granted(grants: Iterable[Grant], members: Collection[str]) -> Granted | None:
    """None: no role at all, not even to look."""
    theirs = [grant for grant in grants if grant.member in members]
    if any(grant.role is Role.ADMINISTRATOR for grant in theirs):
        return Granted(Role.ADMINISTRATOR)
    operating = [grant for grant in theirs if grant.role is Role.OPERATOR]
    if any(not grant.groups for grant in operating):
        return Granted(Role.OPERATOR)
    if operating:
        return Granted(Role.OPERATOR, tuple(sorted({name for grant in operating for name in grant.groups})))
    return Granted(Role.VIEWER) if theirs else None


def counting(grants: Iterable[Grant], members: Collection[str]) -> tuple[str, ...]:
    """Those of the groups that are granted anything."""
    return tuple(sorted({grant.member for grant in grants} & set(members)))


def now_granted(session: SignedIn, users: Mapping[str, User], sign_in: Mapping[str, SignInSettings]) -> Granted | None:
    """What somebody who is signed in may do, as users and grants are now. None: nothing any more, the session is over.

    A name is one person's. Who has the name of a local user by another way must sign in as that user."""
    user = users.get(session.user)
    if session.way is Way.LOCAL:
        return Granted(user.role, user.groups) if user is not None and user.enabled else None
    way = sign_in.get(session.way.value)
    if way is None or not way.enabled or user is not None or session.issuer != getattr(way, "issuer", ""):
        return None
    return granted(way.grants, session.members)


def why_no_role(name: str, way: Way, grants: Collection[Grant], members: Collection[str], where: str) -> str:
    """`where`: where it is in these groups."""
    if not grants:
        return f"{name} has no role here: no group of {NAMES[way]} was granted one yet; {_do(way, 'GROUP')}"
    if not members:
        return f"{name} has no role here: {name} is in no group {where}"
    shown = ", ".join(sorted(members)[:MOST_TOLD]) + (", ..." if len(members) > MOST_TOLD else "")
    return (
        f"{name} has no role here: none of the groups of {name} {where} ({shown}) was granted one; an "
        f"administrator can: {_do(way, min(members))}"
    )


def _do(way: Way, member: str) -> str:
    return f"outlast sign-in grant {way.value} {shlex.quote(member)} --role viewer"


def account_name(name: str, way: Way) -> str:
    """In the audit log and the event log. A space is in no local user's name: nobody is taken for another."""
    return name if way is Way.LOCAL else f"{name} ({NAMES[way]})"
