"""How does a machine without a certificate ask a cluster? By a token, which names the cluster's authority.

First it asks whoever answers at the address for the authority's certificate, and believes it only if its fingerprint is
the token's; then it connects again and insists on a certificate of that authority. So a token leads to the cluster that
gave it out, or nowhere.
"""

import asyncio
import hashlib
import hmac
import ssl

from outlast.adapters.peers.calls import connect, words_for
from outlast.adapters.peers.certificates import pinned, unverified
from outlast.adapters.peers.wire import AUTHORITY, BadMessage, Question
from outlast.ports.peers import NotAnswered, PeerUnreachable

LEAST_FINGERPRINT_BYTES = 16


class WrongAuthority(PeerUnreachable):
    """Who answers at that address is of another cluster than the token, or is somebody else altogether."""


async def ask_as_stranger(address: str, topic: str, question: bytes, *, fingerprint: bytes, timeout_s: float) -> bytes:
    """`fingerprint`: SHA-256 of the authority's certificate (DER), or its first 16 bytes or more.

    Raises `PeerUnreachable` or `NotAnswered`.
    """
    if len(fingerprint) < LEAST_FINGERPRINT_BYTES:
        raise ValueError(f"{len(fingerprint)} bytes of a fingerprint prove nothing")
    try:
        async with asyncio.timeout(timeout_s):
            authority = await _ask(address, unverified(), AUTHORITY, b"")
            _check(address, authority, fingerprint)
            return await _ask(address, pinned(authority.decode()), topic, question)
    except TimeoutError:
        raise PeerUnreachable(f"{address} did not answer within {timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise WrongAuthority(f"{address} has no certificate of the token's cluster: {error.verify_message}") from error
    except (OSError, EOFError, BadMessage) as error:
        raise PeerUnreachable(f"no contact with {address}: {words_for(error)}") from error


def _check(address: str, authority: bytes, fingerprint: bytes) -> None:
    try:
        found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority.decode())).digest()
    except ValueError as error:
        raise PeerUnreachable(f"what answers at {address} is no cluster service") from error
    if not hmac.compare_digest(found[: len(fingerprint)], fingerprint):
        raise WrongAuthority(
            f"the cluster at {address} is not the one that the token is for; check the address, or ask for a new token"
        )


async def _ask(address: str, context: ssl.SSLContext, topic: str, body: bytes) -> bytes:
    connection = await connect(address, context, name="outlast")
    try:
        answer = await connection.exchange(Question("", "", topic, body))
    finally:
        connection.drop()
    if answer.refusal:
        raise NotAnswered(answer.refusal)
    return answer.body
