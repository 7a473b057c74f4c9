"""What stands in a token that lets a machine join? Where to ask, a secret, and whom to believe.

One word of letters and digits, so that a double click takes all of it. It holds the first half of the fingerprint of
the cluster's authority: whoever answers at the address must show that authority's certificate before it is told the
secret. The last two bytes catch a token that lost a part on its way.
"""

import base64
import hashlib
from collections.abc import Iterable

import msgspec

MARK = "outlast1"
SECRET_BYTES = 16
FINGERPRINT_BYTES = 16
ID_LETTERS = 8
_CHECK_BYTES = 2


class Token(msgspec.Struct, frozen=True):
    address: str
    """"host" or "host:port" of the node that gave it out."""
    secret: bytes
    fingerprint: bytes
    """The first bytes of the SHA-256 of the authority's certificate."""


class WrongToken(ValueError):
    """It cannot be used; the text says why."""


def encode(token: Token) -> str:
    body = token.secret + token.fingerprint[:FINGERPRINT_BYTES] + token.address.encode()
    return MARK + base64.b32encode(body + _check(body)).decode().rstrip("=").lower()


def decode(text: str) -> Token:
    """Raises `WrongToken`."""
    word = text.strip().lower()
    if not word.startswith(MARK):
        raise WrongToken(f'a token begins with "{MARK}"; get one with `outlast cluster token` on a node of the cluster')
    if not word.isascii():
        raise WrongToken(INCOMPLETE)  # some letters of other alphabets become ours when they are made large
    letters = word.removeprefix(MARK).upper()
    try:
        content = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        raise WrongToken(INCOMPLETE) from None
    body, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    head = SECRET_BYTES + FINGERPRINT_BYTES
    if len(body) <= head or check != _check(body):
        raise WrongToken(INCOMPLETE)
    return Token(body[head:].decode(errors="replace"), body[:SECRET_BYTES], body[SECRET_BYTES:head])


def key_of(secret: str) -> str:
    """Under which the cluster knows it: the secret itself is nowhere in the database."""
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def id_of(key: str) -> str:
    """What people call it by. As long as nobody needs the whole key to tell two tokens apart."""
    return key[:ID_LETTERS]


def id_in(text: str) -> str:
    """Raises `WrongToken`."""
    return id_of(key_of(decode(text).secret.hex()))


def named_by(word: str, keys: Iterable[str]) -> list[str]:
    """Which tokens somebody means who gives the beginning of an id, or a whole token."""
    wanted = word.strip().lower()
    if wanted.startswith(MARK):
        wanted = key_of(decode(wanted).secret.hex())
    return [key for key in keys if wanted and key.startswith(wanted)]


INCOMPLETE = "it is incomplete or has a wrong letter; copy all of it, as it was printed"


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]
