"""Where does this node keep its certificate, and the authority's? The port `Trust` on files below /etc/outlast.

pki/authority.crt   on every machine of the cluster
pki/authority.key   on nodes, not on witnesses
pki/node.crt, node.key
secrets.key, and what an existing etcd asks for: on nodes, the same everywhere
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from outlast.adapters import pki

log = structlog.get_logger()
ETC = Path("/etc/outlast")
STATE = Path("/var/lib/outlast")
MARK = "setting-up.json"
"""Below STATE: that this machine is just being set up (`setup/machine.py`)."""
AUTHORITY = "pki/authority.crt"
AUTHORITY_KEY = "pki/authority.key"
CERTIFICATE = "pki/node.crt"
KEY = "pki/node.key"
MIGRATION = "migration"
"""Where libvirt looks for the same files (`setup/libvirt.py`)."""
LIBVIRT_S = 30.0
REQUEST_S = 30.0
LIBVIRTS = Path("/etc/pki")
LIBVIRTS_OWN = {
    "CA/cacert.pem": AUTHORITY,
    "libvirt/servercert.pem": CERTIFICATE,
    "libvirt/private/serverkey.pem": KEY,
}
"""Below LIBVIRTS: a libvirt that is told to read its certificate anew looks there, whatever its settings say (9.0)."""
SHARED = (AUTHORITY_KEY, "secrets.key", "pki/etcd-ca.crt", "pki/etcd.crt", "pki/etcd.key", "etcd-password")


class FileTrust:
    def __init__(self, etc: Path = ETC, state: Path = STATE) -> None:
        self._etc = etc
        self._state = state

    def authority(self) -> str:
        return self._read(AUTHORITY)

    def fingerprint(self) -> bytes:
        return pki.fingerprint(self.authority())

    def can_sign(self) -> bool:
        return (self._etc / AUTHORITY_KEY).exists()

    def sign(self, request: str, names: Sequence[str]) -> str:
        return pki.sign(self.authority(), self._read(AUTHORITY_KEY), request, names, datetime.now(UTC))

    def lifetime_s(self) -> tuple[float, float]:
        since, until = pki.validity(self._read(CERTIFICATE))
        return (until - since).total_seconds(), (until - datetime.now(UTC)).total_seconds()

    def request(self) -> str:
        key = self._read(KEY)
        return pki.create_request(key) if self.can_sign() else _request_apart(key)

    def names(self) -> Sequence[str]:
        return pki.names_of(self._read(CERTIFICATE))

    def install(self, certificate: str) -> None:
        write_secret(self._etc / CERTIFICATE, certificate)
        if (self._etc / MIGRATION).exists():
            # libvirt keeps what it has read. It may hang, which is no reason to wait here.
            threading.Thread(target=self._tell_libvirt, name="libvirt reads its certificate", daemon=True).start()

    def _tell_libvirt(self) -> None:
        why = "somebody else's certificate is where it would look"
        if all((LIBVIRTS / name).resolve() == (self._etc / ours).resolve() for name, ours in LIBVIRTS_OWN.items()):
            why = _told_libvirt()
        if why:
            log.warning("libvirt goes on with its former certificate until it is restarted", why=why)

    def shared(self) -> Mapping[str, str]:
        found = {}
        for name in SHARED:
            with suppress(FileNotFoundError):
                found[name] = self._read(name)
        return found

    def settled(self) -> None:
        with suppress(OSError):  # on a disk that can only be read: it is repeated with the next session
            (self._state / MARK).unlink(missing_ok=True)

    def _read(self, name: str) -> str:
        return (self._etc / name).read_text()


def _request_apart(key: str) -> str:
    """By a process of its own: a witness asks once in months, and need not keep the library for ever (13 MiB)."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "outlast.adapters.pki"],
            input=key, capture_output=True, text=True, timeout=REQUEST_S, check=False,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise OSError(str(error)) from error
    if done.returncode:
        raise OSError(f"no request for a certificate could be made: {done.stderr.strip()[-500:]}")
    return done.stdout


def _told_libvirt() -> str:
    """Why it was not, for people."""
    try:
        done = subprocess.run(
            ["virt-admin", "server-update-tls", "libvirtd"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIBVIRT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def write_secret(path: Path, text: str) -> None:
    """Whole or not at all, for root alone from its first moment on, and on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
