"""Who is at the other end of a link? Certificates of the cluster's own authority say so.

TLS 1.3 only. A client's certificate is asked for and not required: who has none is a stranger. The first DNS name among
a certificate's alternative names is its node's name. The files are read again when they have changed (a certificate is
replaced before it expires), so a running service never has to be restarted for that; new connections use the new ones.
"""

import os
import ssl
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

Stamp = tuple[tuple[int, int, int], ...]


class Certificates:
    def __init__(self, ca: str, certificate: str, key: str) -> None:
        """Files, which are read when they are first needed."""
        self._ca = Path(ca)
        self._certificate = Path(certificate)
        self._key = Path(key)
        self._stamp: Stamp | None = None
        self._contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None

    def authority(self) -> str:
        """The authority's certificate, which is no secret."""
        return self._ca.read_text()

    def server(self) -> ssl.SSLContext:
        """Raises OSError (an SSLError is one) when the files have never been readable."""
        return self._current()[0]

    def client(self) -> ssl.SSLContext:
        """As `server`."""
        return self._current()[1]

    def _current(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        try:
            stamp = self._look()
            if self._contexts is None or stamp != self._stamp:
                self._contexts = self._load()
                self._stamp = stamp
        except OSError as error:
            if self._contexts is None:
                raise
            # They are being replaced, or were replaced by something broken: what was good goes on being used.
            log.warning("the certificates of the links between services cannot be read again", why=str(error))
        return self._contexts

    def _look(self) -> Stamp:
        found = (os.stat(path) for path in (self._ca, self._certificate, self._key))
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)

    def _load(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.verify_mode = ssl.CERT_OPTIONAL
        server.num_tickets = 0  # connections are kept, so there is nothing to resume
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for context in (server, client):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(self._certificate, self._key)
            context.load_verify_locations(self._ca)
        return server, client


def name_of(other: ssl.SSLObject | None) -> str:
    """The node's name that the other side's certificate proves; "" when it showed none."""
    shown: Any = other.getpeercert() if other is not None else None
    names = shown.get("subjectAltName", ()) if shown else ()
    return next((value for kind, value in names if kind == "DNS"), "")


def unverified() -> ssl.SSLContext:
    """For one question whose answer is checked by other means."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def pinned(authority: str) -> ssl.SSLContext:
    """Whoever answers has a certificate of this authority, whichever node it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=authority)
    return context
