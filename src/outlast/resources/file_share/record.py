"""Which shares has this node started? A directory for each in /run, which a boot clears as it ends their processes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

DIRECTORY = Path("/run/outlast/file_share")


class Record(msgspec.Struct, frozen=True):
    name: str
    identity: str
    address: str
    kept: str
    is_up: bool = False
    """It was brought online."""


def directory_of(name: str, directory: Path) -> Path:
    return directory / name.replace("/", "_")


def configuration_of(name: str, directory: Path) -> Path:
    return directory_of(name, directory) / "smb.conf"


def load(name: str, directory: Path) -> Record | None:
    try:
        return msgspec.json.decode((directory_of(name, directory) / "record.json").read_bytes(), type=Record)
    except FileNotFoundError:
        return None


def load_all(directory: Path) -> Sequence[Record]:
    found = (load(file.parent.name, directory) for file in sorted(directory.glob("*/record.json")))
    return [record for record in found if record is not None]


def save(record: Record, directory: Path) -> None:
    file = directory_of(record.name, directory) / "record.json"
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(record))
    new.rename(file)


def forget_start(name: str, directory: Path) -> None:
    """The log stays, for people."""
    (directory_of(name, directory) / "record.json").unlink(missing_ok=True)


def remove(name: str, directory: Path) -> None:
    shutil.rmtree(directory_of(name, directory), ignore_errors=True)
