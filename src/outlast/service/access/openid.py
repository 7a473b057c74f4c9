"""Who comes back from the OpenID Connect provider? What a browser needs for the way there and back is sealed in its own
cookie, so that any node can take it up again, and strangers write nothing anywhere.
"""

import hmac
import secrets as random
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from outlast.core.access import openid
from outlast.core.access.openid import FLOW_S, PAGE, Flow
from outlast.model import keys
from outlast.model.access import OpenIdSignIn, Way
from outlast.model.access_answers import SignInBegun
from outlast.model.health import Json
from outlast.model.secret import Sealed
from outlast.ports.database import Compare, Unavailable, Write
from outlast.ports.environment import Clock
from outlast.ports.openid import Client, NoAnswer, NotBelieved, OpenId
from outlast.ports.secrets import NoSecret, Secrets
from outlast.service.agreed_key import agreed_key
from outlast.service.journal import Journal
from outlast.service.store import READ_TIMEOUT_S, Store, put

PURPOSE = "on the way to the provider and back"
WORD_BYTES = 32
NOT_BEGUN = "this sign-in was not begun here, was ended already, or took too long; begin again"


class NotSignedIn(Exception):
    """`kind` as the control socket has it; the text is for people."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class CameBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the provider has sent the browser back with, and the cookie that it left with."""

    flow: str = ""
    state: str = ""
    code: str = ""
    error: str = ""
    error_description: str = ""


class Person(NamedTuple):
    name: str
    members: tuple[str, ...]
    subject: str
    """How the provider calls it for ever."""


class ByProvider:
    def __init__(
        self, store: Store, clock: Clock, journal: Journal, provider: OpenId | None, secrets: Secrets | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._journal = journal
        self._provider = provider
        self._secrets = secrets
        self._ended: dict[str, float] = {}
        """States of sign-ins that came back to this node, until when they would be good."""

    def settings(self) -> OpenIdSignIn | None:
        """None: nobody signs in so."""
        found = self._store.sign_in.get(Way.OPENID.value)
        return found if isinstance(found, OpenIdSignIn) and found.enabled and found.issuer else None

    async def begin(self, origin: str) -> SignInBegun:
        """`origin`: of the console that the browser shows. Raises `NotSignedIn`."""
        settings = self._needed()
        if settings.origins and origin not in settings.origins:
            words = f"{label(settings)} sends nobody back to {origin}; sign in at {' or '.join(settings.origins)}"
            raise NotSignedIn("impossible", words)
        provider, sealing = self._at_hand()
        state, nonce, verifier = (random.token_urlsafe(WORD_BYTES) for _ in range(3))
        flow = Flow(state, nonce, verifier, origin + PAGE, self._clock.wall() + FLOW_S)
        try:
            endpoint = await provider.endpoint(await self.client(settings))
            values = {name: str(value) for name, value in msgspec.structs.asdict(flow).items()}
            return SignInBegun(openid.entrance(endpoint, settings, flow), sealing.seal(PURPOSE, values))
        except (NoAnswer, NotBelieved, NoSecret, Unavailable) as error:
            raise NotSignedIn("impossible", f"nobody can sign in with {label(settings)} now: {error}") from error

    async def came_back(self, answer: CameBack) -> Person:
        """Raises `NotSignedIn`."""
        settings = self._needed()
        provider, sealing = self._at_hand()
        flow = self._taken_up(answer, sealing)
        if answer.error or not answer.code:
            why = " ".join(filter(None, (answer.error, answer.error_description))) or "it sent no code"
            raise NotSignedIn("denied", f"{label(settings)} did not sign you in: {why[:200]}")
        try:
            claims = await provider.claims(
                await self.client(settings),
                answer.code,
                verifier=flow.verifier,
                redirect=flow.redirect,
                nonce=flow.nonce,
                wanted=(settings.name_claim, settings.groups_claim),
            )
            name, members = openid.name_of(claims, settings), openid.members_of(claims, settings)
        except NotBelieved as error:
            raise NotSignedIn("sign-in", f"what {label(settings)} says is not believed: {error}") from error
        except openid.NotKnown as error:
            raise NotSignedIn("denied", f"{label(settings)} does not say who you are: {error}") from error
        except (NoAnswer, NoSecret, Unavailable) as error:
            raise NotSignedIn("impossible", f"nobody can sign in with {label(settings)} now: {error}") from error
        return Person(name, members, str(claims.get("sub", "")))

    async def client(self, settings: OpenIdSignIn) -> Client:
        """Raises `NoSecret` and `Unavailable`."""
        secret = await self._open(settings.sealed) if settings.sealed else ""
        return Client(settings.issuer, settings.client_id, secret, settings.authority)

    async def why_not(self, settings: OpenIdSignIn) -> str:
        """Why nobody could sign in so by way of this node; "" when nothing is known against it."""
        if not settings.issuer or not settings.client_id:
            return "issuer and client_id are not set"
        try:
            await self._at_hand()[0].endpoint(await self.client(settings))
        except (NoAnswer, NotBelieved, NoSecret, Unavailable, NotSignedIn) as error:
            return str(error)
        return ""

    async def seal(self, secret: str) -> tuple[str, list[Compare], list[Write]]:
        """The id of the sealed secret, and what must be written with it. Raises `NoSecret` and `Unavailable`."""
        sealing = self._at_hand()[1]
        compares, writes = await agreed_key(sealing, self._store.database)
        id = self._journal.new_id()
        key = keys.OPENID_SECRETS + id
        return id, compares, [*writes, put(key, Sealed(sealing.seal(key, {"client_secret": secret})))]

    async def _open(self, id: str) -> str:
        key = keys.OPENID_SECRETS + id
        snapshot = await self._store.database.read(key, timeout_s=READ_TIMEOUT_S)
        found = next((entry.value for entry in snapshot.entries if entry.key == key), None)
        if found is None:
            raise NoSecret("the client's secret is not in the database any more; set it anew")
        return self._at_hand()[1].open(key, msgspec.json.decode(found, type=Sealed).text)["client_secret"]

    def _taken_up(self, answer: CameBack, sealing: Secrets) -> Flow:
        """Each once. On another node the provider itself refuses a code that it has seen."""
        now = self._clock.wall()
        try:
            flow = msgspec.convert(dict(sealing.open(PURPOSE, answer.flow)), Flow, strict=False)
        except (NoSecret, msgspec.ValidationError):
            raise NotSignedIn("sign-in", NOT_BEGUN) from None
        self._ended = {state: until_s for state, until_s in self._ended.items() if until_s > now}
        known = hmac.compare_digest(flow.state.encode(), answer.state.encode())
        if not known or flow.until_s <= now or flow.state in self._ended:
            raise NotSignedIn("sign-in", NOT_BEGUN)
        self._ended[flow.state] = flow.until_s
        return flow

    def _needed(self) -> OpenIdSignIn:
        settings = self.settings()
        if settings is None:
            raise NotSignedIn("impossible", "nobody signs in by way of OpenID Connect here")
        return settings

    def _at_hand(self) -> tuple[OpenId, Secrets]:
        if self._provider is None or self._secrets is None:
            raise NotSignedIn("impossible", f"{self._store.me} can ask no OpenID Connect provider")
        return self._provider, self._secrets


def label(settings: OpenIdSignIn) -> str:
    return settings.label or urlsplit(settings.issuer).hostname or settings.issuer


def told(settings: OpenIdSignIn) -> Mapping[str, Json]:
    """For everybody: what the button says."""
    return {"way": Way.OPENID.value, "label": label(settings)}
