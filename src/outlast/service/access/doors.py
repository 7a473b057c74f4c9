"""Who asks, and may they? Two doors: the control socket, which only root may open; and the socket of `outlast-web`, on
which every request says by a session or a token who asks. The web process itself may do nothing.

Signing in and out is asked for at the second door only.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import msgspec
import structlog

from outlast.core.access import credentials
from outlast.core.access.granting import account_name, now_granted
from outlast.core.access.permissions import why_not
from outlast.model import keys
from outlast.model.access import DONE, Account, SignedIn
from outlast.model.access_answers import SessionBegun, SessionRow, SignInBegun, SignInWay
from outlast.model.health import Json
from outlast.ports.database import Delete, Unavailable
from outlast.ports.environment import Clock
from outlast.ports.secrets import NoSecret
from outlast.service.access.auditing import Auditing
from outlast.service.access.signing_in import SigningIn
from outlast.service.commands.context import ON_THE_NODE, Asking, CommandError
from outlast.service.store import Store
from outlast.service.web_certificate import WebCertificates

log = structlog.get_logger()

Answers = AsyncIterator[tuple[str, Json]]


class Request(msgspec.Struct, frozen=True):
    verb: str
    arguments: Mapping[str, Json] = msgspec.field(default_factory=dict)
    credential: str = ""
    """The word of a session or of an API token. Does not count on the control socket, as the rest below."""
    address: str = ""
    """From where `outlast-web` was asked."""
    as_seen: int = 0
    """Only if what it changes is still of this revision; 0: whatever it is."""


class WebNodes(msgspec.Struct, frozen=True):
    me: str
    addresses: Mapping[str, str]


class Ask(Protocol):
    def __call__(self, verb: str, arguments: Mapping[str, Json], asking: Asking) -> Answers: ...


class Doors:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signing_in: SigningIn,
        auditing: Auditing,
        certificates: WebCertificates,
        ask: Ask,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signing_in = signing_in
        self._auditing = auditing
        self._certificates = certificates
        self._ask = ask

    def on_the_node(self, request: Request, who: str) -> Answers:
        answers = self._ask(request.verb, request.arguments, ON_THE_NODE)
        return self._auditing.following(who, "control socket", request.verb, request.arguments, answers)

    async def from_outside(self, request: Request) -> Answers:
        """Raises `CommandError`, also when who asks has been signed out meanwhile."""
        if not self._store.ready.is_set():
            raise CommandError("impossible", f"{self._store.why_not_ready}; try again")
        special = {
            "session.open": self._sign_in,
            "session.close": self._sign_out,
            "session.show": self._show,
            "session.ways": self._ways,
            "session.to_provider": self._to_provider,
            "session.from_provider": self._from_provider,
            "web.certificate": self._certificate,
            "web.nodes": self._nodes,
        }
        if request.verb in special:
            yield "result", msgspec.to_builtins(await special[request.verb](request))
            return
        account = self._admitted(request)
        asking = Asking(account, request.address, _session_key(request.credential), request.as_seen)
        answers = self._ask(request.verb, request.arguments, asking)
        followed = self._auditing.following(account.name, request.address, request.verb, request.arguments, answers)
        async for kind, value in followed:
            if kind == "item":
                self._admitted(request)
            yield kind, value

    def _admitted(self, request: Request) -> Account:
        account = self._account(request)
        why = why_not(account, request.verb, request.arguments, self._group_of)
        if why:
            # Not in the audit log: who may do nothing could push out of it what others did.
            log.warning("denied", why=why, account=account.name, address=request.address)
            raise CommandError("denied", why)
        return account

    def _group_of(self, resource: str) -> str:
        found = self._store.resources.get(resource)
        return found.group if found is not None else ""

    def _account(self, request: Request) -> Account:
        word, now = request.credential, self._clock.wall()
        if word.startswith(credentials.TOKEN):
            token = self._store.api_tokens.get(credentials.key_of(word))
            if token is not None and (not token.until_s or now < token.until_s):
                return Account(f"token {token.name}", token.role, token.groups)
            raise CommandError("sign-in", "there is no such API token: it was deleted, or its time is up")
        found = self._session(word)
        if found is None:
            why = "you are not signed in any more" if word else "nobody is signed in: sign in, or use an API token"
            raise CommandError("sign-in", why)
        return found[1]

    def _session(self, word: str) -> tuple[SignedIn, Account] | None:
        session = self._store.signed_in.get(credentials.key_of(word)) if word else None
        if session is None or self._clock.wall() >= session.until_s:
            return None
        now = now_granted(session, self._store.users, self._store.sign_in)
        return None if now is None else (session, Account(account_name(session.user, session.way), *now))

    async def _sign_in(self, request: Request) -> SessionBegun:
        return await self._signing_in.by_password(request.arguments, request.address)

    async def _ways(self, _: Request) -> list[SignInWay]:
        """What a page to sign in offers; told to everybody."""
        return self._signing_in.ways()

    async def _to_provider(self, request: Request) -> SignInBegun:
        return await self._signing_in.to_provider(request.arguments, request.address)

    async def _from_provider(self, request: Request) -> SessionBegun:
        return await self._signing_in.from_provider(request.arguments, request.address)

    async def _sign_out(self, request: Request) -> str:
        account = self._account(request)
        key = _session_key(request.credential)
        if not key:
            raise CommandError("usage", "an API token is not signed in; delete it, if nobody shall use it any more")
        try:
            await self._store.transact([], [Delete(keys.SIGNED_IN + key)])
        except Unavailable as error:
            raise CommandError("impossible", f"the cluster database does not answer: {error}") from error
        self._auditing.note(account.name, request.address, "session.close", {}, DONE)
        return f"{account.name} is signed out"

    async def _show(self, request: Request) -> SessionRow:
        account, found = self._account(request), self._session(request.credential)
        until_s = found[0].until_s if found is not None else 0.0
        return SessionRow(account.name, account.role.value, account.groups, until_s)

    async def _certificate(self, _: Request) -> None:
        """What `outlast-web` asks for itself: the certificate with which it answers."""
        try:
            await self._certificates.ensure()
        except (Unavailable, NoSecret, OSError) as error:
            raise CommandError("impossible", f"there is no certificate for outlast-web: {error}") from error

    async def _nodes(self, _: Request) -> WebNodes:
        """What `outlast-web` asks for itself: whose pages may ask it."""
        return WebNodes(self._store.me, {node.name: node.address for node in self._store.nodes.values()})


def _session_key(word: str) -> str:
    return credentials.key_of(word) if word.startswith(credentials.SESSION) else ""
