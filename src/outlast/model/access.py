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
    OPENID = "openid"
    """At an OpenID Connect provider."""


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is in `member` has this role."""

    member: str
    """A group of users, as the host or the provider calls it."""
    role: Role
    groups: tuple[str, ...] = ()
    """As `User.groups`."""


class PamSignIn(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="way", tag=Way.PAM.value):
    """How users of the hosts sign in. Key `control/sign-in/pam`."""

    service: str = "outlast"
    """Name of a file in /etc/pam.d on each node."""
    enabled: bool = True
    grants: tuple[Grant, ...] = ()


class OpenIdSignIn(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="way", tag=Way.OPENID.value):
    """At which provider others sign in. Key `control/sign-in/openid`."""

    issuer: str = ""
    client_id: str = ""
    sealed: str = ""
    """Where the secret is by which the provider knows us: `secrets/openid/ID`. Empty: there is none."""
    label: str = ""
    """What the button calls it; empty: the host of the issuer."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    authority: str = ""
    """A file on each node, with the certificates by which the provider is believed; empty: those of the system."""
    origins: tuple[str, ...] = ()
    """Of the consoles that the provider sends browsers back to; empty: whichever of the cluster's it came from."""
    enabled: bool = True
    grants: tuple[Grant, ...] = ()


SignInSettings = PamSignIn | OpenIdSignIn


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
    issuer: str = ""
    """At which provider it signed in; empty: at none."""


class Account(msgspec.Struct, frozen=True):
    """Somebody who has proven who it is."""

    name: str
    """Of a local user, "anna (PAM)" of one who signed in by another way, or "token NAME"."""
    role: Role
    groups: tuple[str, ...] = ()


DONE = "done"


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
    """`DONE`, or why not."""
