"""What is told of users, API tokens and those who are signed in. The fields are a contract: `--json` prints them."""

import msgspec


class UserRow(msgspec.Struct, frozen=True):
    name: str
    role: str
    """viewer | operator | administrator."""
    groups: tuple[str, ...]
    """Empty: its role counts for all."""
    enabled: bool
    made_at_s: float
    signed_in: int
    """In how many browsers."""
    way: str = "local"
    """pam or openid: it is no user of the cluster's, and stands here while it is signed in."""


class SignInWay(msgspec.Struct, frozen=True):
    """A way besides a name and a password, as everybody may know it."""

    way: str
    """openid."""
    label: str
    """What a button calls it: "Sign in with ..."."""


class SignInBegun(msgspec.Struct, frozen=True):
    url: str
    """Where the browser goes now."""
    flow: str
    """What its cookie keeps until it comes back."""


class GrantRow(msgspec.Struct, frozen=True):
    member: str
    """A group of users, as the host or the provider calls it."""
    role: str
    groups: tuple[str, ...]
    """Empty: for all."""


class SignInRow(msgspec.Struct, frozen=True):
    """A way to sign in."""

    way: str
    enabled: bool
    settings: dict[str, str]
    grants: list[GrantRow]
    problem: str
    """Why it does not work on the node that was asked; empty when nothing is known against it."""
    redirects: tuple[str, ...] = ()
    """Where a provider may send browsers back to: to be set there."""


class ApiTokenRow(msgspec.Struct, frozen=True):
    name: str
    role: str
    groups: tuple[str, ...]
    made_by: str
    made_at_s: float
    until_s: float
    """0: until it is deleted."""


class ApiTokenMade(msgspec.Struct, frozen=True):
    token: str
    """It is told this once."""
    row: ApiTokenRow
    fingerprint: str = ""
    """SHA-256 of the authority that `outlast-web` is signed by; empty when it cannot be told."""


class SessionRow(msgspec.Struct, frozen=True):
    """Who asks."""

    user: str
    role: str
    groups: tuple[str, ...]
    until_s: float
    """0: not a session, or one without an end."""


class SessionBegun(msgspec.Struct, frozen=True):
    session: str
    """The word that proves it from now on."""
    row: SessionRow
