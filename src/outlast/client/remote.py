"""Talks to a cluster from elsewhere, over its HTTP API: the same verbs, the same answers as on the control socket."""

import hashlib
import http.client
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from outlast.client.contexts import Known
from outlast.client.control import Client, ControlError

PORT = 9443
CONNECT_S = 10.0
LONGEST_PEM = 100_000


class _Problem(msgspec.Struct):
    kind: str = "failed"
    detail: str = ""


class RemoteClient(Client):
    """As `Client`; the first of the cluster's nodes that can be reached is asked. One that cannot, or that stops in the
    middle of an answer, is asked last from then on."""

    def __init__(self, cluster: Known, notice: Callable[[str], None] = lambda words: None) -> None:
        super().__init__("", notice)
        self._cluster = cluster
        self._urls = cluster.urls

    def _lines(self, verb: str, arguments: Mapping[str, Any], timeout_s: float | None) -> Iterator[bytes]:
        body = msgspec.json.encode(arguments)
        headers = {"Authorization": f"Bearer {self._cluster.token}", "Content-Type": "application/json"}
        connection, url = self._connected(timeout_s)
        try:
            connection.request("POST", f"/api/v1/ask/{quote(verb)}", body, headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _refusal(response)
            while line := response.readline():
                yield line
            self._ask_last(url)  # whoever has heard the end of the answer does not read on
        except ControlError as error:
            if error.kind == "no-contact":
                self._ask_last(url)
            raise
        except OSError:
            self._ask_last(url)
            raise
        except http.client.HTTPException as error:
            self._ask_last(url)
            raise ControlError("no-contact", self._no_contact(f"it is no HTTP that answers: {error!r}")) from None
        finally:
            connection.close()

    def _ask_last(self, url: str) -> None:
        self._urls = (*(other for other in self._urls if other != url), url)

    def _connected(self, timeout_s: float | None) -> tuple[http.client.HTTPSConnection, str]:
        """Only who was never told anything may be replaced by another."""
        why = "no node is known"
        for url in self._urls:
            host, port = place(url)
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=trusting(self._cluster))
            try:
                connection.connect()
                connection.sock.settimeout(timeout_s)
                return connection, url
            except ssl.SSLCertVerificationError as error:
                why = f"{url}: its certificate is not believed: {error.verify_message}"
            except (OSError, ValueError) as error:
                why = f"{url}: {getattr(error, 'strerror', None) or error}"
            self._ask_last(url)
        raise ControlError("no-contact", self._no_contact(why))

    def _no_contact(self, why: str) -> str:
        return f"cannot reach the cluster {self._cluster.name}: {why}. Does outlast-web run on its nodes?"


def place(url: str) -> tuple[str, int]:
    """Host and port. Raises `ControlError`."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ControlError("usage", f'"{url}" is no address of a cluster: {error}') from None
    if parts.scheme not in ("https", "") or not host or parts.path.strip("/"):
        raise ControlError("usage", f'"{url}" is no address of a cluster; write it as https://n1:{PORT}')
    return host, port or PORT


def trusting(cluster: Known) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=cluster.authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def authority(url: str) -> str:
    """The certificate of the authority that the cluster's nodes are signed by, as it says itself: to be believed only
    by its fingerprint. "" when it has none of its own. Raises `ControlError`."""
    host, port = place(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=context)
    try:
        connection.request("GET", "/api/v1/authority")
        response = connection.getresponse()
        text = response.read(LONGEST_PEM).decode(errors="replace")
        if response.status == 404:
            return ""
        fingerprint(text)  # it can be read
        return text
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ControlError("no-contact", f"cannot ask {url} whom to believe: {error}") from None
    finally:
        connection.close()


def fingerprint(certificate: str) -> str:
    """SHA-256, as openssl prints it but for the colons. Raises ValueError."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def _refusal(response: http.client.HTTPResponse) -> ControlError:
    try:
        problem = msgspec.json.decode(response.read(), type=_Problem)
    except msgspec.DecodeError:
        return ControlError("no-contact", f"it answered {response.status} {response.reason}: is that outlast-web?")
    return ControlError(problem.kind, problem.detail or response.reason)
