"""Which processors does a Proxmox VM get here?

Its levels x86-64-v2 and so on have no names in the libvirt of every node; they become the oldest processor that has
them.
"""

import re
from collections.abc import Mapping

from outlast.core.importing.domain_xml import Cpu
from outlast.core.importing.proxmox_devices import options

LEVELS = {
    "x86-64-v2": "Nehalem",
    "x86-64-v2-AES": "Westmere",
    "x86-64-v3": "Haswell-noTSX",
    "x86-64-v4": "Skylake-Server-noTSX-IBRS",
}
_MODES = {"host": "host-passthrough", "max": "maximum"}
_DEFAULT = "kvm64"
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def cpu_of(config: Mapping[str, str]) -> Cpu:
    said = options(config.get("cpu", ""), "cputype")
    kind = said.get("cputype", _DEFAULT)
    mode, model = _MODES.get(kind, ""), ""
    if not mode:
        known = _MODEL.fullmatch(kind) and not kind.startswith("custom-")
        mode, model = ("custom", LEVELS.get(kind, kind)) if known else ("host-model", "")
    sockets, cores = _count(config.get("sockets")), _count(config.get("cores"))
    online = _count(config["vcpus"]) if "vcpus" in config else 0
    limit = config.get("cpulimit", "")
    return Cpu(
        mode,
        model,
        features=tuple(_features(said.get("flags", ""))) if mode != "maximum" else (),
        sockets=sockets,
        cores=cores,
        online=min(online, sockets * cores),
        limit=float(limit) if re.fullmatch(r"\d+(\.\d+)?", limit) else 0.0,
    )


def _features(flags: str) -> list[tuple[str, str]]:
    """`+aes;-pcid`; those that begin with hv are Hyper-V's, and belong elsewhere."""
    words = [word for word in flags.split(";") if word[1:] and not word[1:].startswith("hv")]
    return [("require" if word[0] == "+" else "disable", word[1:]) for word in words if word[0] in "+-"]


def _count(text: str | None) -> int:
    return max(1, int(text)) if text and text.isdecimal() else 1
