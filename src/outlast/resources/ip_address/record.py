"""What has this node put where? A small file for each address, in /run, which a boot clears as it clears addresses."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

DIRECTORY = Path("/run/outlast/ip_address")


class Record(msgspec.Struct, frozen=True):
    name: str
    identity: str
    address: str
    interface: str
    is_up: bool = False
    """It was brought online. Before that it may be there already, while nobody says so."""


def load(name: str, directory: Path) -> Record | None:
    try:
        return msgspec.json.decode(_file(name, directory).read_bytes(), type=Record)
    except FileNotFoundError:
        return None


def load_all(directory: Path) -> Sequence[Record]:
    try:
        files = sorted(directory.glob("*.json"))
    except FileNotFoundError:
        return ()
    found = (load(file.stem, directory) for file in files)
    return [record for record in found if record is not None]


def save(record: Record, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    file = _file(record.name, directory)
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(record))
    new.rename(file)


def remove(name: str, directory: Path) -> None:
    _file(name, directory).unlink(missing_ok=True)


def _file(name: str, directory: Path) -> Path:
    return directory / f"{name.replace('/', '_')}.json"
