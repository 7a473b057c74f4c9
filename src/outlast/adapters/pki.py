"""How is a certificate made? The arithmetic of a cluster's own authority: text in, text out, no files.

Everything is ECDSA on P-256. A node has one certificate for everything: as etcd's server and client, as etcd's peer,
and on the links between the services. Its names stand in the alternative names alone: etcd's gateway refuses a client
certificate with a common name when etcd has users, and it dials etcd with the server's certificate, so that one must be
good for a client too.

The library is imported where it is used: a service needs it a few times a year, and it costs memory.
"""

import hashlib
import ipaddress
import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from outlast.ports.trust import WrongRequest

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY_DAYS = 30 * 365
NODE_DAYS = 365
_UTC_TIME = 0x17
BACKDATED = timedelta(days=1)
"""Clocks of machines differ, and one may be set back: a certificate is good a day before it was made."""


def create_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec

    return _key_text(ec.generate_private_key(ec.SECP256R1()))


def create_authority(cluster: str, cluster_id: str, now: datetime) -> tuple[str, str]:
    """Certificate and key of a new cluster's authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    # The cluster's id is in it too: of two clusters with one name, each has an authority with a name of its own.
    words = [(NameOID.ORGANIZATION_NAME, "Outlast"), (NameOID.COMMON_NAME, f"{cluster} {cluster_id}".strip()[:64])]
    name = x509.Name([x509.NameAttribute(kind, text) for kind, text in words])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _certificate_text(certificate), _key_text(key)


def create_request(key: str) -> str:
    """Proves that who asks has the key. What the certificate will say is up to who signs."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(_key(key), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def sign(
    authority: str,
    authority_key: str,
    request: str,
    names: Sequence[str],
    now: datetime,
    *,
    days: float = NODE_DAYS,
    client: bool = True,
) -> str:
    """A certificate for these names and addresses, whatever the request asks for. `client`: who shows it may ask
    others, not only answer. Raises `WrongRequest`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    issuer = _certificate(authority)
    asked = _request(request)
    # Not critical: libvirt then forgives that a key of an elliptic curve enciphers no other key.
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
    # Not nobody, whom libvirt refuses; and without a common name, which etcd's gateway refuses.
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Outlast")])
    issuer_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + timedelta(days=days), issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
        .sign(_key(authority_key), hashes.SHA256())
    )
    return _certificate_text(certificate)


def validity(certificate: str) -> tuple[datetime, datetime]:
    """From when, until when. Without the library, which would cost a witness more memory than all the rest of it."""
    _, outer, _ = _element(ssl.PEM_cert_to_DER_cert(certificate))
    _, rest, _ = _element(outer)
    for _ in range(4):  # version, serial number, algorithm, issuer
        _, _, rest = _element(rest)
    _, both, _ = _element(rest)
    kind, since, rest = _element(both)
    return _moment(kind, since), _moment(*_element(rest)[:2])


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Of what kind the first element is, what it holds, and what comes after it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]


def _moment(kind: int, text: bytes) -> datetime:
    two_digits = kind == _UTC_TIME
    moment = datetime.strptime(text.decode(), "%y%m%d%H%M%SZ" if two_digits else "%Y%m%d%H%M%SZ")
    if two_digits and moment.year >= 2050:  # two digits are those of 1950 to 2049
        moment = moment.replace(year=moment.year - 100)
    return moment.replace(tzinfo=UTC)


def names_of(certificate: str) -> tuple[str, ...]:
    from cryptography import x509

    found = _certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(name.value) for name in found)


def fingerprint(certificate: str) -> bytes:
    """SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()


def _general_name(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _request(text: str) -> "x509.CertificateSigningRequest":
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        request = x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        raise WrongRequest(f"it cannot be read: {error}") from error
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise WrongRequest("its key is not ECDSA on P-256")
    if not request.is_signature_valid:
        raise WrongRequest("its signature is not that of its key")
    return request


def _certificate(text: str) -> "x509.Certificate":
    from cryptography import x509

    return x509.load_pem_x509_certificate(text.encode())


def _key(text: str) -> "ec.EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_private_key(text.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not of an elliptic curve")
    return key


def _certificate_text(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: "ec.EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


if __name__ == "__main__":  # a key comes in, a request goes out (`trust.py`)
    sys.stdout.write(create_request(sys.stdin.read()))
