"""Which resource types can this node offer, and are they still what was loaded?

A type is found by its entry point in the group `outlast.resource_types`. Whatever is wrong with one (not installed,
does not import, written for another API, files changed since) becomes the `problem` of its offer, in words: the
cluster shows it as "not protected", and no other type suffers.

The digest covers the files of what the entry point names: a module's file, or everything in a package's directory.
An author who wants more files covered names the package.

The entry points are read here and not with `importlib.metadata`: that costs 30 ms and 4 MiB in every host.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]  # hashlib would load OpenSSL: 3 MiB
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlast.model.node import Offer
from outlast.plugin import API_VERSION, ResourceType, TypeHost

GROUP = "outlast.resource_types"
CHANGED = "its files changed since it was loaded"
_SINCE = "; its files have changed since: restart the resource host to try again"

Stamp = tuple[tuple[str, int, int, int], ...]
"""Path, inode, size and time of change of each file: cheap to take, and different when a file may be."""


@dataclass(slots=True)
class LoadedType:
    offer: Offer
    plugin: ResourceType | None = None
    """None when the offer has a problem that was there from the start."""
    loaded_digest: str = ""
    module: str = ""
    stamp: Stamp = ()


def load(
    asked: Sequence[str],
    host_of: Callable[[str], TypeHost],
    on_loading: Callable[[tuple[str, ...], str], None] = lambda types, name: None,
) -> dict[str, LoadedType]:
    """Every asked type, loaded or with its problem; all installed ones when none is asked.

    `on_loading`: told all of them, and which one comes next: one that hangs or ends the process does so in between.
    """
    installed = _entry_points()
    types, found = tuple(asked or sorted(installed)), {}
    for name in types:
        on_loading(types, name)
        found[name] = _load_one(name, installed.get(name, ()), host_of)
    return found


def recheck(loaded: LoadedType) -> Offer | None:
    """The new offer when the type's files changed since the last look (a few stats), else None."""
    if not loaded.module:
        return None
    stamp = _stamp(_files(loaded.module))
    if stamp == loaded.stamp:
        return None
    loaded.stamp = stamp
    digest = _digest(_files(loaded.module))
    if digest == loaded.offer.digest:
        return None
    if loaded.plugin is None:
        problem = f"{loaded.offer.problem.partition(_SINCE)[0]}{_SINCE}"
    else:
        problem = "" if digest == loaded.loaded_digest else _changed_words(loaded.module)
    loaded.offer = _with(loaded.offer, digest=digest, problem=problem)
    return loaded.offer


def _with(offer: Offer, *, digest: str, problem: str) -> Offer:
    return Offer(offer.type, offer.version, digest, offer.functions, problem)


def _changed_words(module: str) -> str:
    """Whether the new files could be loaded at all is the first thing that an administrator asks."""
    for file in _files(module):
        if file.suffix != ".py":
            continue
        try:
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError) as error:
            return f"{CHANGED}, and they are damaged: {_in_words(error)}"
    if not _files(module):
        return f"{CHANGED}: they are gone"
    return f"{CHANGED}; what runs is still served by the old ones. Restart the resource host to load the new ones"


def _load_one(name: str, targets: Sequence[str], host_of: Callable[[str], TypeHost]) -> LoadedType:
    if not targets:
        return LoadedType(Offer(name, problem=f'no installed package offers it (entry point "{name}" of {GROUP})'))
    if len(targets) > 1:
        return LoadedType(Offer(name, problem=f"more than one package offers it: {', '.join(sorted(targets))}"))
    module, _, attribute = targets[0].partition(":")
    # Digest and stamp come first: a file that changes while it is loaded must show, not hide.
    files = _files(module)
    known = LoadedType(Offer(name, digest=_digest(files)), module=module, stamp=_stamp(files))
    known.loaded_digest = known.offer.digest
    try:
        plugin = _make(name, module, attribute, host_of(name))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may fail in any way, and only its own type suffers
        traceback.print_exc()
        known.offer = _with(known.offer, digest=known.offer.digest, problem=f"cannot load: {_in_words(error)}")
        return known
    known.plugin = plugin
    known.offer = Offer(name, str(plugin.version), known.offer.digest, tuple(plugin.functions))
    return known


def _make(name: str, module: str, attribute: str, host: TypeHost) -> ResourceType:
    factory: Any = importlib.import_module(module)
    for part in attribute.split("."):
        factory = getattr(factory, part)
    api_version = getattr(factory, "api_version", None)
    if api_version != API_VERSION:
        raise ValueError(
            f"it is written for version {api_version} of the plugin API, this host has {API_VERSION}: "
            "install a version of the plugin that fits"
        )
    plugin = factory(host)
    if not isinstance(plugin, ResourceType):
        missing = [m for m in _required_attributes() if not hasattr(plugin, m)]
        raise TypeError(f"{module}:{attribute} is no resource type: {', '.join(missing)} missing")
    return plugin


def _required_attributes() -> list[str]:
    methods = [m for m in vars(ResourceType) if not m.startswith("_")]
    return sorted({*methods, *ResourceType.__annotations__})


def _in_words(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.msg} ({Path(error.filename).name}, line {error.lineno})"
    return f"{type(error).__name__}: {error}"


# -- files ------------------------------------------------------------------------------------------------------


def _files(module: str) -> list[Path]:
    """The files that the digest covers, found without importing the module itself."""
    try:
        spec = importlib.util.find_spec(module)
    except (Exception, SystemExit):  # noqa: BLE001  # a parent package that fails to import; the import itself tells why
        return []
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [origin] if origin.exists() else []
    return sorted(_walk(origin.parent))


def _walk(directory: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if name != "__pycache__")
        yield from (Path(folder, file) for file in files if not file.endswith(".pyc"))


def _stamp(files: Sequence[Path]) -> Stamp:
    found = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        found.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _digest(files: Sequence[Path]) -> str:
    """sha256 over names (relative to the package) and contents, hex; empty when they cannot be read."""
    if not files:
        return ""
    root = os.path.commonpath([file.parent for file in files])
    total = sha256()
    try:
        for file in files:
            content = file.read_bytes()
            total.update(f"{file.relative_to(root)}\0{len(content)}\0".encode())
            total.update(content)
    except OSError:
        return ""
    return str(total.hexdigest())


# -- entry points -------------------------------------------------------------------------------------------------


def _entry_points() -> dict[str, tuple[str, ...]]:
    """Name -> what it points to; more than one only when packages disagree."""
    found: dict[str, list[str]] = {}
    for directory in dict.fromkeys(sys.path):
        for file in _metadata_files(directory):
            for name, target in _parse(file):
                targets = found.setdefault(name, [])
                if target not in targets:
                    targets.append(target)
    return {name: tuple(targets) for name, targets in found.items()}


def _metadata_files(directory: str) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(directory or "."))
    except OSError:
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            file = Path(directory, name, "entry_points.txt")
            if file.is_file():
                yield file


def _parse(file: Path) -> Iterator[tuple[str, str]]:
    section = ""
    for line in file.read_text(errors="replace").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield name.strip(), target.split("[")[0].strip()
