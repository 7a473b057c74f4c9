"""Who may ask the cluster for what from outside: users, API tokens, those who are signed in, and what was asked.

Nothing in the database lets anybody in: of a password there is a slow hash, of a token and a session a hash.
"""

import enum
from collections.abc import Mapping

import msgspec

from outlast.model.health import Json


class Role(enum.Enum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    """See everything, change nothing."""
    OPERATOR = "operator"
    """Start, stop, move, drain."""
    ADMINISTRATOR = "administrator"
    """Everything. Who may define what runs is as good as root on every node."""


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    role: Role
    groups: tuple[str, ...] = ()
    """Its role counts for these groups only; elsewhere it is a viewer. Empty: for all."""
    password: str = ""
    """A slow hash. Empty: nobody can sign in."""
    enabled: bool = True
    made_at_s: float = 0.0


class Way(enum.Enum):
    """By which somebody signs in."""

    LOCAL = "local"
    """With a password that the cluster knows the hash of."""
    PAM = "pam"
    """As a user of the node's own host."""


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is in `member` has this role."""

    member: str
    """A group of users, as the host calls it."""
    role: Role
    groups: tuple[str, ...] = ()
    """As `User.groups`."""


class PamSignIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """How users of the hosts sign in. Key `control/sign-in/pam`."""

    service: str = "outlast"
    """Name of a file in /etc/pam.d on each node."""
    enabled: bool = True
    grants: tuple[Grant, ...] = ()


class ApiToken(msgspec.Struct, frozen=True, omit_defaults=True):
    """Key: the hash of its word."""

    name: str
    role: Role
    groups: tuple[str, ...] = ()
    made_by: str = ""
    made_at_s: float = 0.0
    until_s: float = 0.0
    """0: until it is deleted."""


class SignedIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """Key: the hash of the word in the browser's cookie."""

    user: str
    address: str
    since_s: float
    until_s: float
    way: Way = Way.LOCAL
    members: tuple[str, ...] = ()
    """In which of the groups that are granted something it was when it signed in; of a local user none."""


class Account(msgspec.Struct, frozen=True):
    """Somebody who has proven who it is."""

    name: str
    """Of a local user, "anna (PAM)" of one who signed in by another way, or "token NAME"."""
    role: Role
    groups: tuple[str, ...] = ()


class Audit(msgspec.Struct, frozen=True):
    """That something was asked for that changes something, and how that ended. Key `audit/ID`."""

    id: str
    at_s: float
    """Wall clock of the node that was asked; for people only."""
    node: str
    """Who was asked."""
    who: str
    address: str
    """From where; "control socket" for the command line on the node itself."""
    verb: str
    arguments: Mapping[str, Json]
    """Without what is secret, and shortened."""
    result: str
    """"done", or why not."""
