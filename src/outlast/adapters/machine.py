"""What has this machine? Its memory and processors, as the kernel says."""

import os

from outlast.core.placement.capacity import Capacity

MIB = 1024 * 1024


def capacity() -> Capacity:
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    return Capacity(memory_mib, len(os.sched_getaffinity(0)))
