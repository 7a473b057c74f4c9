"""What a watchdog really survives: that is what its word is worth."""

import enum


class Strength(enum.Enum):
    HARDWARE = "hardware"
    """A device of its own: it cuts the power whatever becomes of the kernel."""
    VIRTUAL = "virtual"
    """A device, or a timer of the kernel, of a virtual machine: it stands still as long as that machine is paused."""
    KERNEL = "kernel"
    """A timer of the kernel: it survives all programs, and not a kernel that hangs."""
    PROCESS = "process"
    """A program: it survives the cluster service, and neither a frozen machine nor its own end."""
