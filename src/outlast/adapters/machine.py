"""What has this machine? Its memory and processors, as the kernel says."""

import hashlib
import os
from pathlib import Path

from outlast.core.placement.capacity import Capacity

MIB = 1024 * 1024
_CPUINFO = Path("/proc/cpuinfo")
_KIND = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
_KIND_ARM = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features")


def capacity() -> Capacity:
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    return Capacity(memory_mib, len(os.sched_getaffinity(0)))


def processor() -> str:
    """As `Session.processor` has it. Raises OSError."""
    return processor_of(_CPUINFO.read_text(errors="replace"))


def processor_of(cpuinfo: str) -> str:
    """By its first processor. What a microcode brings or takes away shows in the features."""
    lines = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    told = {key.strip(): " ".join(sorted(value.split())) for key, _, value in lines}
    kind = [f"{key}={told[key]}" for key in (*_KIND, *_KIND_ARM) if key in told]
    if not kind:
        return ""
    digest = hashlib.sha256("\n".join(kind).encode()).hexdigest()[:12]
    name = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
    return f"{name or os.uname().machine}, {digest}"
