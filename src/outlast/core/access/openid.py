"""Signing in at an OpenID Connect provider: what a browser is sent there with, and who it is that comes back.

Authorization code flow with PKCE, OpenID Connect Core 1.0, section 3.1, and RFC 7636. What the browser carries there
and back is worth nothing without what its cookie holds: the verifier, the nonce, and what `state` must be.
"""

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from outlast.core.access.credentials import why_no_name
from outlast.model.access import OpenIdSignIn
from outlast.model.health import Json

FLOW_S = 600.0
"""So long may it take somebody to prove at the provider who they are."""
PAGE = "/sign-in"
"""Where the provider sends the browser back to, on the node that it came from."""
USUAL_PORT = 9443
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_MEMBERS = 5000


class NotKnown(Exception):
    """The provider's word is good, and does not say who it is; the text says what is missing."""


class Flow(msgspec.Struct, frozen=True):
    """What is sealed into the cookie of somebody who is on the way to the provider and back."""

    state: str
    nonce: str
    verifier: str
    redirect: str
    until_s: float
    """By the wall clock."""


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def entrance(endpoint: str, settings: OpenIdSignIn, flow: Flow) -> str:
    """Where the browser is sent."""
    asked = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": flow.redirect,
        "scope": " ".join(dict.fromkeys(("openid", *settings.scopes))),
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": challenge_of(flow.verifier),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def name_of(claims: Mapping[str, Json], settings: OpenIdSignIn) -> str:
    """Raises `NotKnown`."""
    name = claim(claims, settings.name_claim)
    if not isinstance(name, str) or not name:
        raise NotKnown(f"it tells no name: there is no text in the claim {settings.name_claim} (outlast sign-in set)")
    if why := why_no_name(name):
        raise NotKnown(why)
    return name


def members_of(claims: Mapping[str, Json], settings: OpenIdSignIn) -> tuple[str, ...]:
    """The groups that the provider tells. A single one may be a text."""
    told = claim(claims, settings.groups_claim)
    several = [told] if isinstance(told, str) else told if isinstance(told, list | tuple) else []
    return tuple(one for one in several[:MOST_MEMBERS] if isinstance(one, str) and one)


def claim(claims: Mapping[str, Json], name: str) -> Json:
    """By its name, or by a way into it: realm_access.roles. None when it is not there."""
    if name in claims:
        return claims[name]
    first, _, rest = name.partition(".")
    inner = claims.get(first)
    return claim(inner, rest) if rest and isinstance(inner, Mapping) else None


def why_no_url(url: str) -> str:
    """Why a provider cannot be at this address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        return str(error)
    if not host or parts.query or parts.fragment or parts.username:
        return "it takes an address as https://login.example.org/realms/main"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        return "a provider is asked by https:// only, or its answers would be anybody's"
    return ""


def why_no_origin(origin: str) -> str:
    try:
        parts = urlsplit(origin)
        whole = parts.scheme == "https" and parts.hostname and origin == f"https://{parts.netloc}"
    except ValueError:
        whole = False
    return "" if whole else f"{origin} is no address of a console, as https://n1.example.org:9443"
