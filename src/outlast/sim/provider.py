"""An OpenID Connect provider outside of the simulated cluster. It knows who enters at its door, and tells it once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from outlast.core.access.openid import challenge_of
from outlast.model.health import Json
from outlast.ports.openid import Client, NoAnswer, NotBelieved

ISSUER = "https://login.example"
ANSWERS_AFTER_S = 0.05


@dataclass
class Outsider:
    people: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    """Subject to claims."""
    down: bool = False
    codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """Whom each was given to, and what the browser came with."""

    def enter(self, url: str, subject: str) -> tuple[str, str]:
        """What somebody does who is sent there: the code and the state with which the browser comes back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = (subject, asked)
        return code, asked["state"]


class SimOpenId:
    def __init__(self, outsider: Outsider) -> None:
        self._outsider = outsider

    async def endpoint(self, client: Client) -> str:
        await self._reached(client)
        return f"{client.issuer}/enter"

    async def claims(
        self, client: Client, code: str, *, verifier: str, redirect: str, nonce: str, wanted: tuple[str, ...]
    ) -> Mapping[str, Json]:
        await self._reached(client)
        subject, asked = self._outsider.codes.pop(code, ("", {}))
        right = (client.client_id, redirect, challenge_of(verifier))
        if not subject or (asked["client_id"], asked["redirect_uri"], asked["code_challenge"]) != right:
            raise NotBelieved("invalid_grant")
        if asked["nonce"] != nonce:
            raise NotBelieved("the nonce is another one")
        told = self._outsider.people.get(subject, {})
        return {"sub": subject, **{name: told[name] for name in wanted if name in told}}

    async def _reached(self, client: Client) -> None:
        await asyncio.sleep(ANSWERS_AFTER_S)
        if self._outsider.down:
            raise NoAnswer(f"{client.issuer} cannot be reached")
