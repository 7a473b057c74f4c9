"""Who signs in, and by which way? A name that is a local user's is that user and nobody else; any other name is one of
the node's host, if users of the hosts may sign in (PAM). Or an OpenID Connect provider says who it is (`openid.py`).

What is slow or may hang is done elsewhere (`ports/passwords.py`, `ports/pam.py`), in a bounded time. Between what was
checked and the session that follows from it nothing may have changed: the transaction compares it.
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple, NoReturn, TypeVar

import msgspec
import structlog

from outlast.core.access import credentials, granting, limiting
from outlast.core.access.granting import Granted, account_name
from outlast.model import keys
from outlast.model.access import DONE, PamSignIn, SignedIn, SignInSettings, Way
from outlast.model.access_answers import SessionBegun, SessionRow, SignInBegun, SignInWay
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Refused, Unavailable
from outlast.ports.environment import Clock
from outlast.ports.pam import HostUser, NoAnswer, NotAdmitted, Pam, WrongPassword
from outlast.ports.passwords import Passwords
from outlast.service.access.auditing import Auditing
from outlast.service.access.openid import ByProvider, CameBack, NotSignedIn, label
from outlast.service.commands.context import CommandError
from outlast.service.store import Store, put

log = structlog.get_logger()

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 20
"""Of one user; a further one ends the oldest."""
T = TypeVar("T")
WRONG = "the name or the password is wrong"


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str


class Leaving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    """Of the console that the browser shows."""


class Proven(NamedTuple):
    """Who it is, and what that rests on."""

    name: str
    way: Way
    granted: Granted
    members: tuple[str, ...]
    compares: list[Compare]
    issuer: str = ""
    subject: str = ""
    """As the provider calls it for ever."""


class SigningIn:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        passwords: Passwords | None,
        pam: Pam | None,
        by_provider: ByProvider,
        auditing: Auditing,
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._pam = pam
        self._by_provider = by_provider
        self._auditing = auditing
        self._failures = limiting.Failures()

    async def by_password(self, arguments: Mapping[str, Json], address: str) -> SessionBegun:
        """Raises `CommandError`."""
        given = _convert(arguments, SignIn)
        if credentials.why_no_name(given.name):  # nobody is called so, and it shall not be kept
            given = SignIn("", given.password)
        self._count(given.name, address, "wrong passwords")
        try:
            proven = await self._proven(given, address)
        except CommandError as error:
            if error.kind != "sign-in":
                limiting.forgiven(self._failures, given.name, address)
            raise
        limiting.succeeded(self._failures, given.name, address)
        return await self._begin(proven, address)

    def ways(self) -> list[SignInWay]:
        """Besides a name and a password."""
        settings = self._by_provider.settings()
        return [] if settings is None else [SignInWay(Way.OPENID.value, label(settings))]

    async def to_provider(self, arguments: Mapping[str, Json], address: str) -> SignInBegun:
        """Raises `CommandError`."""
        try:
            return await self._by_provider.begin(_convert(arguments, Leaving).origin)
        except NotSignedIn as error:
            self._refuse("", address, error.kind, str(error))

    async def from_provider(self, arguments: Mapping[str, Json], address: str) -> SessionBegun:
        """Raises `CommandError`."""
        answer = _convert(arguments, CameBack)
        way, stranger = Way.OPENID, f"at the provider, from {address}"  # a name that nobody has
        self._count(stranger, address, "sign-ins that failed")
        compares = self._store.unchanged(keys.SIGN_IN + way.value)
        settings = self._by_provider.settings()
        try:
            person = await self._by_provider.came_back(answer)
        except NotSignedIn as error:
            if error.kind != "sign-in":
                limiting.forgiven(self._failures, stranger, address)
            self._refuse("", address, error.kind, str(error))
        assert settings is not None
        where = f"at {label(settings)} (claim {settings.groups_claim})"
        limiting.succeeded(self._failures, stranger, address)
        granted = self._granted(person.name, way, settings, person.members, where, address)
        members = granting.counting(settings.grants, person.members)
        compares.append(Compare(keys.USERS + person.name, 0))
        proven = Proven(person.name, way, granted, members, compares, settings.issuer, person.subject)
        return await self._begin(proven, address)

    def _count(self, name: str, address: str, what: str) -> None:
        """As wrong before it is known: many at once must not all be let through."""
        wait_s = limiting.wait_s(self._failures, name, address, self._clock.now())
        if wait_s:
            raise CommandError("limited", f"there were too many {what}: try again in {wait_s:.0f} s")
        limiting.failed(self._failures, name, address, self._clock.now())

    def _granted(
        self, name: str, way: Way, settings: SignInSettings, members: tuple[str, ...], where: str, address: str
    ) -> Granted:
        """Of a name as PAM or the provider tells it, which may be another spelling than was typed."""
        if name in self._store.users:
            why = f"{name} is a user of the cluster, and signs in with the password of that"
            self._refuse(name, address, "denied", why)
        if why := credentials.why_no_name(name):
            self._refuse(name, address, "denied", why)
        granted = granting.granted(settings.grants, members)
        if granted is None:
            why = granting.why_no_role(name, way, settings.grants, members, where)
            self._refuse(name, address, "denied", why)
        return granted

    async def _proven(self, given: SignIn, address: str) -> Proven:
        of_host = self._store.sign_in.get(Way.PAM.value)
        too_long = len(given.password) > credentials.LONGEST
        known = not given.name or given.name in self._store.users
        if not isinstance(of_host, PamSignIn) or not of_host.enabled or known or too_long:
            return await self._local(given, address, too_long=too_long)
        compares = self._store.unchanged(keys.SIGN_IN + Way.PAM.value)
        found = await self._asked_of_host(of_host.service, given, address)
        where = f"on {self._store.me}"
        granted = self._granted(found.name, Way.PAM, of_host, found.groups, where, address)
        compares.append(Compare(keys.USERS + found.name, 0))
        return Proven(found.name, Way.PAM, granted, granting.counting(of_host.grants, found.groups), compares)

    async def _local(self, given: SignIn, address: str, *, too_long: bool) -> Proven:
        user = self._store.users.get(given.name)
        # Whoever changes the user meanwhile lets nobody in by what was.
        compares = self._store.unchanged(keys.USERS + given.name)
        hashed = user.password if user is not None and user.enabled else ""
        if too_long or self._passwords is None or not await self._passwords.matches(hashed, given.password):
            self._refuse(given.name, address, "sign-in", WRONG)
        assert user is not None
        return Proven(user.name, Way.LOCAL, Granted(user.role, user.groups), (), compares)

    async def _asked_of_host(self, service: str, given: SignIn, address: str) -> HostUser:
        if self._pam is None:
            raise CommandError("impossible", f"{self._store.me} cannot ask PAM; a user of the cluster can sign in")
        try:
            return await self._pam.ask(service, given.name, given.password, address)
        except WrongPassword:
            self._refuse(given.name, address, "sign-in", WRONG)
        except NotAdmitted as error:
            self._refuse(given.name, address, "denied", f"{given.name} may not sign in on {self._store.me}: {error}")
        except NoAnswer as error:
            words = f"{given.name} is no user of the cluster, and users of {self._store.me} cannot sign in now: {error}"
            self._refuse(given.name, address, "impossible", words)

    def _refuse(self, name: str, address: str, kind: str, why: str) -> NoReturn:
        """Not in the audit log: who may do nothing could push out of it what others did."""
        log.warning("nobody was signed in", why=why, name=name, address=address)
        raise CommandError(kind, why)

    async def _begin(self, proven: Proven, address: str) -> SessionBegun:
        word = credentials.word(credentials.SESSION, secrets.token_bytes(credentials.SECRET_BYTES))
        now, key = self._clock.wall(), keys.SIGNED_IN + credentials.key_of(word)
        session = SignedIn(proven.name, address, now, now + SESSION_S, proven.way, proven.members, proven.issuer)
        gone = [Delete(keys.SIGNED_IN + one) for one in _over(self._store.signed_in, session)]
        try:
            outcome = await self._store.transact([Compare(key, 0), *proven.compares], [put(key, session), *gone])
        except Unavailable as error:
            raise CommandError(
                "impossible", f"nobody can sign in while the cluster database does not answer: {error}"
            ) from error
        if isinstance(outcome, Refused):
            raise CommandError("impossible", "this user was changed just now; sign in again")
        who = account_name(proven.name, proven.way)
        told: dict[str, Json] = {"name": proven.name, "way": proven.way.value}
        if proven.subject:
            told["subject"] = proven.subject
        self._auditing.note(who, address, "session.open", told, DONE)
        role, groups = proven.granted
        return SessionBegun(word, SessionRow(who, role.value, groups, session.until_s))


def _convert(arguments: Mapping[str, Json], kind: type[T]) -> T:
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        takes = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        raise CommandError("usage", f"signing in so takes: {takes}; {error}") from error


def _over(signed_in: Mapping[str, SignedIn], new: SignedIn) -> list[str]:
    """Sessions that have ended, and the oldest of a user who has too many. A bounded number of them at a time."""
    now = new.since_s
    ended = [key for key, session in signed_in.items() if session.until_s <= now]
    who = (new.user, new.way)
    own = sorted(
        (key for key, session in signed_in.items() if (session.user, session.way) == who and session.until_s > now),
        key=lambda key: signed_in[key].since_s,
    )
    return [*ended[:50], *own[: max(0, len(own) - MOST_SESSIONS + 1)]]
