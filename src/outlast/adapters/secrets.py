"""The cluster's key for secrets on this node: a file that root alone can read, and Fernet (AES and an HMAC) with it.

`cryptography` is imported when something is sealed or opened: most nodes never do.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from outlast.adapters.trust import ETC, write_secret
from outlast.ports.secrets import NoSecret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_FILE = "secrets.key"


class _Content(msgspec.Struct, frozen=True):
    purpose: str
    values: dict[str, str]


class FileSecrets:
    def __init__(self, etc: Path = ETC) -> None:
        self._path = etc / KEY_FILE

    def key_id(self) -> str:
        try:
            return _id(self._path.read_text().strip())
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise NoSecret(f"cannot read {self._path}: {error.strerror}") from error

    def create(self) -> str:
        if not self.key_id():
            try:
                write_secret(self._path, base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
            except OSError as error:
                raise NoSecret(f"cannot write {self._path}: {error.strerror}") from error
        return self.key_id()

    def seal(self, purpose: str, values: Mapping[str, str]) -> str:
        content = msgspec.json.encode(_Content(purpose, dict(values)))
        return self._fernet().encrypt(content).decode()

    def open(self, purpose: str, sealed: str) -> Mapping[str, str]:
        from cryptography.fernet import InvalidToken

        try:
            content = msgspec.json.decode(self._fernet().decrypt(sealed.encode()), type=_Content)
        except (InvalidToken, msgspec.DecodeError):
            raise NoSecret(
                f"it was sealed with another key than this node's, or is damaged; {self._path} must be the same on all "
                "nodes: copy it from a node on which `outlast fence test` works"
            ) from None
        if content.purpose != purpose:
            raise NoSecret("it was sealed for something else: somebody has exchanged records in the database")
        return content.values

    def _fernet(self) -> "Fernet":
        from cryptography.fernet import Fernet

        try:
            return Fernet(self._path.read_text().strip())
        except FileNotFoundError:
            raise NoSecret(
                f"this node has no {self._path}; copy it from another node, readable by root alone"
            ) from None
        except OSError as error:
            raise NoSecret(f"cannot read {self._path}: {error.strerror}") from error
        except ValueError:
            raise NoSecret(f"{self._path} is no key; copy it from another node") from None


def _id(key: str) -> str:
    return hashlib.sha256(f"outlast key {key}".encode()).hexdigest()[:12] if key else ""
