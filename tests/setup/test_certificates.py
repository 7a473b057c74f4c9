"""A cluster's own certificates: what they say, who accepts them, and that they are read without the library."""

import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import PolicyBuilder, Store

from outlast.adapters import pki
from outlast.adapters.trust import FileTrust, write_secret
from outlast.core.network.migration import certificate_names
from outlast.ports.trust import WrongRequest

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY, AUTHORITY_KEY = pki.create_authority("demo", "4711", NOW)


def signed(*names: str, days: float = 365) -> str:
    return pki.sign(AUTHORITY, AUTHORITY_KEY, pki.create_request(pki.create_key()), names, NOW, days=days)


def test_a_nodes_certificate_is_good_for_its_names_and_addresses() -> None:
    certificate = signed("n1", "10.0.0.1", "fd00::1")
    assert pki.names_of(certificate) == ("n1", "10.0.0.1", "fd00::1")
    trusted = Store([x509.load_pem_x509_certificate(AUTHORITY.encode())])
    verifier = PolicyBuilder().store(trusted).time(NOW).build_server_verifier(x509.DNSName("n1"))
    assert len(verifier.verify(x509.load_pem_x509_certificate(certificate.encode()), [])) == 2


def test_a_nodes_certificate_has_no_common_name_because_etcds_gateway_refuses_one() -> None:
    subject = x509.load_pem_x509_certificate(signed("n1").encode()).subject
    assert subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME) == []


def test_a_nodes_certificate_is_somebodys_because_libvirt_refuses_nobodys() -> None:
    assert list(x509.load_pem_x509_certificate(signed("n1").encode()).subject)


def test_a_nodes_certificate_serves_and_asks_because_etcds_gateway_does_both() -> None:
    found = x509.load_pem_x509_certificate(signed("n1").encode())
    purposes = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH} == set(purposes)


def test_another_clusters_certificate_is_not_accepted_though_the_clusters_have_one_name() -> None:
    other, _ = pki.create_authority("demo", "4712", NOW)
    trusted = Store([x509.load_pem_x509_certificate(other.encode())])
    verifier = PolicyBuilder().store(trusted).time(NOW).build_server_verifier(x509.DNSName("n1"))
    with pytest.raises(x509.verification.VerificationError):
        verifier.verify(x509.load_pem_x509_certificate(signed("n1").encode()), [])


@pytest.mark.parametrize("days", [1, 365, 365 * 24])
def test_the_validity_is_read_as_the_library_reads_it(days: float) -> None:
    certificate = signed("n1", days=days)
    found = x509.load_pem_x509_certificate(certificate.encode())
    assert pki.validity(certificate) == (found.not_valid_before_utc, found.not_valid_after_utc)


def test_the_validity_of_the_authority_is_read_too_though_it_ends_after_2049() -> None:
    found = x509.load_pem_x509_certificate(AUTHORITY.encode())
    assert found.not_valid_after_utc.year > 2050
    assert pki.validity(AUTHORITY) == (found.not_valid_before_utc, found.not_valid_after_utc)


def test_a_certificate_is_good_a_day_before_it_was_made_because_clocks_differ() -> None:
    assert pki.validity(signed("n1"))[0] == NOW - timedelta(days=1)


def test_no_certificate_outlives_the_authority() -> None:
    assert pki.validity(signed("n1", days=100 * 365))[1] == pki.validity(AUTHORITY)[1]


def test_a_request_that_is_none_is_refused() -> None:
    with pytest.raises(WrongRequest):
        pki.sign(AUTHORITY, AUTHORITY_KEY, "nonsense", ["n1"], NOW)


def test_a_request_with_another_kind_of_key_is_refused() -> None:
    from cryptography.hazmat.primitives import hashes, serialization

    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    with pytest.raises(WrongRequest, match="P-256"):
        pki.sign(AUTHORITY, AUTHORITY_KEY, request.public_bytes(serialization.Encoding.PEM).decode(), ["n1"], NOW)


def test_secrets_are_for_root_alone_from_their_first_moment(tmp_path: Path) -> None:
    write_secret(tmp_path / "pki/node.key", "first")
    write_secret(tmp_path / "pki/node.key", "second")
    assert (tmp_path / "pki/node.key").read_text() == "second"
    assert (tmp_path / "pki/node.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "pki").iterdir()] == ["node.key"]


def test_a_renewed_certificate_has_the_same_names_and_key_and_a_new_term(tmp_path: Path) -> None:
    key = pki.create_key()
    old = pki.sign(AUTHORITY, AUTHORITY_KEY, pki.create_request(key), ["n1", "10.0.0.1"], NOW, days=2)
    for name, text in (
        ("authority.crt", AUTHORITY),
        ("authority.key", AUTHORITY_KEY),
        ("node.crt", old),
        ("node.key", key),
    ):
        write_secret(tmp_path / "pki" / name, text)
    trust = FileTrust(tmp_path)
    request, names = trust.request(), trust.names()
    trust.install(trust.sign(request, names))
    assert trust.lifetime_s()[1] > 300 * 24 * 3600
    assert pki.names_of((tmp_path / "pki/node.crt").read_text()) == ("n1", "10.0.0.1")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "pki/node.crt", tmp_path / "pki/node.key")


def test_a_certificate_for_another_migration_network_proves_no_address_in_the_former_one(tmp_path: Path) -> None:
    key = pki.create_key()
    certificate = pki.sign(AUTHORITY, AUTHORITY_KEY, pki.create_request(key), ("n1", "10.0.0.1", "10.9.0.1"), NOW)
    files = {"authority.crt": AUTHORITY, "authority.key": AUTHORITY_KEY, "node.crt": certificate, "node.key": key}
    for name, text in files.items():
        write_secret(tmp_path / "pki" / name, text)
    trust = FileTrust(tmp_path)
    request, names = trust.request(), trust.names()
    trust.install(trust.sign(request, certificate_names(names, "10.0.0.1", "10.1.0.1")))
    assert pki.names_of((tmp_path / "pki/node.crt").read_text()) == ("n1", "10.0.0.1", "10.1.0.1")


def test_a_witness_asks_for_a_certificate_and_keeps_the_library_out_of_its_memory(tmp_path: Path) -> None:
    key = pki.create_key()
    write_secret(tmp_path / "pki/node.key", key)
    script = """
import sys; from pathlib import Path; from outlast.adapters.trust import FileTrust
print(FileTrust(Path(sys.argv[1])).request(), end="")
assert "cryptography" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    signed = pki.sign(AUTHORITY, AUTHORITY_KEY, done.stdout, ["w1"], NOW)
    write_secret(tmp_path / "pki/node.crt", signed)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "pki/node.crt", tmp_path / "pki/node.key")


def test_a_key_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    write_secret(tmp_path / "pki/node.key", "torn")
    with pytest.raises(OSError, match=r"(?s)no request for a certificate could be made: .*ValueError"):
        FileTrust(tmp_path).request()
