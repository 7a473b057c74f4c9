"""What Outlast needs of an OpenID Connect provider: where browsers are sent, and its word on who came back from there.

Whoever implements it answers in a bounded time, whatever the provider does, and believes nothing that the provider has
not signed or told over a connection to itself.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from outlast.model.health import Json


class Client(NamedTuple):
    """As whom we ask whom."""

    issuer: str
    client_id: str
    client_secret: str = ""
    """Empty: the provider knows us by nothing but the redirection, and PKCE."""
    authority: str = ""
    """A file of certificates; empty: those of the system."""


class NotBelieved(Exception):
    """The provider refused, or its answer proves nothing; the text says why, and holds nothing secret."""


class NoAnswer(Exception):
    """The provider cannot be asked now; the text says why."""


class OpenId(Protocol):
    async def endpoint(self, client: Client) -> str:
        """Where browsers are sent to sign in. Raises `NoAnswer` and `NotBelieved`."""
        ...

    async def claims(
        self, client: Client, code: str, *, verifier: str, redirect: str, nonce: str, wanted: tuple[str, ...]
    ) -> Mapping[str, Json]:
        """What the provider says of whom it gave the code: of its ID token, whose signature, issuer, audience, time and
        nonce are right. What is `wanted` and not in there is asked of the provider's userinfo, too.

        Raises `NoAnswer` and `NotBelieved`.
        """
        ...
