"""The certificate of `outlast-web`, in files below /run that root and its group can read: made anew after a boot."""

import grp
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from outlast.adapters import pki

DAYS = 90
LEFT_DAYS = 30
"""Renewed when less is left."""
GROUP = "outlast-web"


class FileWebCertificate:
    def __init__(self, run_dir: Path) -> None:
        self._place = run_dir / "web"

    def create_authority(self, cluster: str, cluster_id: str) -> tuple[str, str]:
        return pki.create_authority(f"{cluster} web", cluster_id, datetime.now(UTC))

    def good(self, authority: str, names: Sequence[str]) -> bool:
        try:
            chain = (self._place / "certificate.pem").read_text()
            if not (self._place / "key.pem").exists() or not chain.endswith(authority):
                return False
            left = pki.validity(chain[: -len(authority)])[1] - datetime.now(UTC)
            return left.days >= LEFT_DAYS and set(pki.names_of(chain)) == set(names)
        except (OSError, ValueError, IndexError):
            return False

    def renew(self, authority: str, key: str, names: Sequence[str]) -> None:
        own = pki.create_key()
        made = pki.sign(authority, key, pki.create_request(own), names, datetime.now(UTC), days=DAYS, client=False)
        self._place.mkdir(mode=0o750, exist_ok=True)
        self._give(self._place)
        self._write("key.pem", own)
        # With its authority, so that whoever knows only the authority's fingerprint can tell.
        self._write("certificate.pem", made + authority)

    def _write(self, name: str, text: str) -> None:
        new = self._place / f"{name}.new"
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w") as file:
            file.write(text)
        self._give(new)
        new.rename(self._place / name)

    def _give(self, path: Path) -> None:
        with suppress(KeyError):
            os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
