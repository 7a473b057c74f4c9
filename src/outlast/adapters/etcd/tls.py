"""How is the connection to etcd kept private? By certificates in files, read again when they have changed."""

import os
import ssl
from dataclasses import dataclass

from outlast.ports.database import Unavailable


@dataclass(frozen=True, slots=True)
class Files:
    ca: str = ""
    certificate: str = ""
    key: str = ""


class Tls:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._context: ssl.SSLContext | None = None
        self._read_at: tuple[int, ...] = ()

    def context(self) -> ssl.SSLContext:
        """For the next connection; certificates are renewed while we run. Raises `Unavailable`."""
        paths = [path for path in (self._files.ca, self._files.certificate, self._files.key) if path]
        try:
            changed_at = tuple(os.stat(path).st_mtime_ns for path in paths)
            if self._context is None or changed_at != self._read_at:
                self._context, self._read_at = self._read(), changed_at
        except OSError as error:  # of which ssl.SSLError is one
            where = error.filename or " or ".join(paths)
            raise Unavailable(
                f"cannot use the certificates for the cluster database: {where}: {error.strerror}"
            ) from error
        return self._context

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._files.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._files.certificate:
            context.load_cert_chain(self._files.certificate, self._files.key or None)
        return context
