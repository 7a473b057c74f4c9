"""What the members of the cluster database take of their disks."""

import msgspec


class Size(msgspec.Struct, frozen=True):
    """What one member's data take."""

    url: str
    name: str
    """As people know it: the address, if the member has told no name."""
    total_bytes: int = 0
    """On its disk; this is what its limit is about."""
    used_bytes: int = 0
    """Of these, what is not free for new data."""
    leads: bool = False
    full: bool = False
    """The limit was reached somewhere, and all members refuse writes until the alarm is called off."""
    reachable: bool = True
