"""What was asked for when the lab was built? All else is asked of the kernel each time."""

import msgspec

from outlast.lab import layout
from outlast.lab.errors import NotPossibleNow
from outlast.lab.layout import LabPaths


class LabState(msgspec.Struct, frozen=True):
    name: str
    nodes: tuple[str, ...]
    service: bool
    watchdog: bool
    kvm: bool
    node_timeout_s: float
    database: str = "sqlite"
    """"sqlite": one file that all nodes see; "etcd": a member on each, as `outlast cluster create` and `join` do it."""
    witnesses: tuple[str, ...] = ()
    """Machines without libvirt that only vote."""
    memory_mib: int = 0
    """What each node may give to resources; 0: its share of what this machine has."""
    web: bool = False
    """`outlast-web` runs beside the cluster service."""

    @property
    def machines(self) -> tuple[str, ...]:
        return (*self.nodes, *self.witnesses)


def load_state(lab: LabPaths) -> LabState:
    try:
        return msgspec.json.decode(lab.state.read_bytes(), type=LabState)
    except FileNotFoundError:
        option = "" if lab.name == layout.DEFAULT_NAME else f" --name {lab.name}"
        others = sorted(found.parent.name for found in layout.LABS.glob("*/state.json"))
        there = f" (there are: {', '.join(others)}; choose with --name)" if others else ""
        words = f'there is no lab "{lab.name}"{there}; bring it up with: outlast lab up{option}'
        raise NotPossibleNow(words) from None
