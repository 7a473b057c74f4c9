"""The certificate of `outlast-web` on this node. Its authority is the cluster's, made where it is needed first; its key
is sealed in the database, so that every node can sign with it.

It is made when `outlast-web` asks for it: nodes without one need no library for that.
"""

import hashlib
import ssl

import msgspec
import structlog

from outlast.model import keys
from outlast.ports.database import Compare, Put
from outlast.ports.secrets import NoSecret, Secrets
from outlast.ports.web_certificate import WebCertificate
from outlast.service.agreed_key import agreed_key
from outlast.service.store import READ_TIMEOUT_S, Store

log = structlog.get_logger()

PURPOSE = "the authority of outlast-web"


class WebAuthority(msgspec.Struct, frozen=True):
    """Key `secrets/web-authority`."""

    certificate: str
    sealed: str
    """Its key."""


class WebCertificates:
    def __init__(
        self, store: Store, web: WebCertificate | None, secrets: Secrets | None, names: tuple[str, ...]
    ) -> None:
        """`names`: by which this node is called, and its address."""
        self._store = store
        self._web = web
        self._secrets = secrets
        self._names = names

    async def ensure(self) -> None:
        """There is one, and it is good for a while. Raises `Unavailable`, `NoSecret` and OSError."""
        if self._web is None or self._secrets is None:
            raise NoSecret(f"{self._store.me} can make no certificates")
        certificate, key = await self._authority(self._web, self._secrets)
        if not self._web.good(certificate, self._names):
            self._web.renew(certificate, key, self._names)
            log.info("outlast-web has a new certificate", names=self._names)

    async def fingerprint(self) -> str:
        """Of the authority, as SHA-256. As `ensure`."""
        if self._web is None or self._secrets is None:
            raise NoSecret(f"{self._store.me} can make no certificates")
        certificate, _ = await self._authority(self._web, self._secrets)
        return _fingerprint(certificate)

    async def known_fingerprint(self) -> str:
        """Likewise, without making one: "" when there is none yet. Raises `Unavailable`."""
        known = await self._known()
        return "" if known is None else _fingerprint(known.certificate)

    async def _known(self) -> WebAuthority | None:
        snapshot = await self._store.database.read(keys.WEB_AUTHORITY, timeout_s=READ_TIMEOUT_S)
        return msgspec.json.decode(snapshot.entries[0].value, type=WebAuthority) if snapshot.entries else None

    async def _authority(self, web: WebCertificate, secrets: Secrets) -> tuple[str, str]:
        while True:
            known = await self._known()
            if known is not None:
                return known.certificate, secrets.open(PURPOSE, known.sealed)["key"]
            # Refused when another node was quicker: then it is that node's.
            await self._make(web, secrets)

    async def _make(self, web: WebCertificate, secrets: Secrets) -> None:
        compares, writes = await agreed_key(secrets, self._store.database)
        certificate, key = web.create_authority(self._store.settings.name, self._store.settings.id)
        record = WebAuthority(certificate, secrets.seal(PURPOSE, {"key": key}))
        await self._store.transact(
            [*compares, Compare(keys.WEB_AUTHORITY, 0)],
            [*writes, Put(keys.WEB_AUTHORITY, msgspec.json.encode(record))],
        )


def _fingerprint(certificate: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
