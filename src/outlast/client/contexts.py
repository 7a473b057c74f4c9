"""Clusters that this user asks from elsewhere: their names, where they are, and what lets one in. A file that nobody
else can read: the tokens are in it.
"""

import os
from pathlib import Path

import msgspec

from outlast.client.control import ControlError


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cluster."""

    name: str
    urls: tuple[str, ...]
    """Of its nodes; the first that answers is asked."""
    token: str = ""
    authority: str = ""
    """Whom to believe: a certificate, as text. Empty: whom this machine believes."""


class Contexts(msgspec.Struct, frozen=True, omit_defaults=True):
    current: str = ""
    """Asked when nothing else is said; empty: the node that the command runs on."""
    known: tuple[Known, ...] = ()

    def named(self, name: str) -> Known | None:
        return next((one for one in self.known if one.name == name), None)

    def with_one(self, one: Known) -> "Contexts":
        others = tuple(other for other in self.known if other.name != one.name)
        return msgspec.structs.replace(self, known=(*others, one))

    def without(self, name: str) -> "Contexts":
        known = tuple(one for one in self.known if one.name != name)
        return Contexts("" if self.current == name else self.current, known)


def place() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "outlast" / "contexts.json"


def read() -> Contexts:
    """Raises `ControlError`."""
    path = place()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Contexts)
    except FileNotFoundError:
        return Contexts()
    except (OSError, msgspec.DecodeError) as error:
        raise ControlError("usage", f"cannot read the contexts in {path}: {error}") from None


def write(contexts: Contexts) -> None:
    """Whole or not at all, for this user alone from its first moment on. Raises `ControlError`."""
    path = place()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(contexts)) + b"\n")
        new.rename(path)
    except OSError as error:
        raise ControlError("failed", f"cannot write {path}: {error.strerror}") from None
