"""Reads what `outlast vm import` takes in: each format by what knows it."""

import sys
from collections.abc import Callable
from pathlib import Path

from outlast.cli import options
from outlast.client.control import ControlError
from outlast.core.importing import hyperv, pacemaker, proxmox
from outlast.core.importing.places import NotImportable, Places
from outlast.model.imported import Import


def converted(source: str, file: str, places: Places, name: str) -> Import:
    ways: dict[str, Callable[[], Import]] = {
        "proxmox": lambda: proxmox.convert(_read(file).decode(), places, name=name, fallback=_fallback(file)),
        "pacemaker": lambda: _pacemaker(_read(file).decode(), places, name),
        "hyperv": lambda: hyperv.convert(_hyperv_text(file), places, name=name),
    }
    if source not in ways:
        raise ControlError("usage", f'cannot read the format "{source}"; there are: {", ".join(ways)}')
    try:
        return ways[source]()
    except NotImportable as refusal:
        raise ControlError("usage", str(refusal)) from None
    except UnicodeDecodeError:
        raise ControlError("usage", f"cannot read {file}: it is not UTF-8 text") from None


def _pacemaker(text: str, places: Places, name: str) -> Import:
    definitions = {
        path: options.definition(places.disk(path) or path) for path in pacemaker.definition_files(text, name)
    }
    return pacemaker.convert(text, definitions, name=name)


def _hyperv_text(file: str) -> str:
    if file.lower().endswith(".vmcx"):
        raise NotImportable(hyperv.BINARY)
    return hyperv.decoded(_read(file))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ControlError("usage", f"cannot read {file}: {error.strerror}") from None


def _fallback(file: str) -> str:
    """Proxmox names a VM's file after its number, and a VM need not have another name."""
    stem = Path(file).stem
    return f"vm{stem}" if stem.isdecimal() else ""
