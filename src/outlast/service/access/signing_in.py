"""Who signs in, and by which way? A name that is a local user's is that user and nobody else; any other name is one of
the node's host, if users of the hosts may sign in (PAM).

What is slow or may hang is done elsewhere (`ports/passwords.py`, `ports/pam.py`), in a bounded time. Between what was
checked and the session that follows from it nothing may have changed: the transaction compares it.
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import msgspec
import structlog

from outlast.core.access import credentials, granting, limiting
from outlast.core.access.granting import Granted, account_name
from outlast.model import keys
from outlast.model.access import SignedIn, Way
from outlast.model.access_answers import SessionBegun, SessionRow
from outlast.model.health import Json
from outlast.ports.database import Compare, Delete, Refused, Unavailable
from outlast.ports.environment import Clock
from outlast.ports.pam import HostUser, NoAnswer, NotAdmitted, Pam, WrongPassword
from outlast.ports.passwords import Passwords
from outlast.service.access.auditing import DONE, Auditing
from outlast.service.commands.context import CommandError
from outlast.service.store import Store, put

log = structlog.get_logger()

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 20
"""Of one user; a further one ends the oldest."""
WRONG = "the name or the password is wrong"


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str


class Proven(NamedTuple):
    """Who it is, and what that rests on."""

    name: str
    way: Way
    granted: Granted
    members: tuple[str, ...]
    compares: list[Compare]


class SigningIn:
    def __init__(
        self, store: Store, clock: Clock, passwords: Passwords | None, pam: Pam | None, auditing: Auditing
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._pam = pam
        self._auditing = auditing
        self._failures = limiting.Failures()

    async def by_password(self, arguments: Mapping[str, Json], address: str) -> SessionBegun:
        """Raises `CommandError`."""
        try:
            given = msgspec.convert(arguments, SignIn)
        except msgspec.ValidationError as error:
            raise CommandError("usage", f"signing in takes a name and a password: {error}") from error
        if credentials.why_no_name(given.name):  # nobody is called so, and it shall not be kept
            given = SignIn("", given.password)
        wait_s = limiting.wait_s(self._failures, given.name, address, self._clock.now())
        if wait_s:
            raise CommandError("limited", f"there were too many wrong passwords: try again in {wait_s:.0f} s")
        # Counted as wrong before it is known: many at once must not all be let through.
        limiting.failed(self._failures, given.name, address, self._clock.now())
        proven = await self._proven(given, address)
        limiting.succeeded(self._failures, given.name, address)
        return await self._begin(proven, address)

    async def _proven(self, given: SignIn, address: str) -> Proven:
        of_host = self._store.sign_in.get(Way.PAM.value)
        too_long = len(given.password) > credentials.LONGEST
        if of_host is None or not of_host.enabled or not given.name or given.name in self._store.users or too_long:
            return await self._local(given, address, too_long=too_long)
        compares = self._store.unchanged(keys.SIGN_IN + Way.PAM.value)
        found = await self._asked_of_host(of_host.service, given, address)
        if found.name in self._store.users:  # PAM may know somebody by several spellings
            why = f"{found.name} is a user of the cluster, and signs in with the password of that"
            self._refuse(given.name, address, "denied", why)
        granted = granting.granted(of_host.grants, found.groups)
        if granted is None:
            where = f"on {self._store.me}"
            why = granting.why_no_role(found.name, Way.PAM, of_host.grants, found.groups, where)
            self._refuse(given.name, address, "denied", why)
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
        session = SignedIn(proven.name, address, now, now + SESSION_S, proven.way, proven.members)
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
        self._auditing.note(who, address, "session.open", told, DONE)
        role, groups = proven.granted
        return SessionBegun(word, SessionRow(who, role.value, groups, session.until_s))


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
