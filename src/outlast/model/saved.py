"""The saved state of a resource: what ran in it, put away, to go on from there once."""

from collections.abc import Mapping
from typing import Any

import msgspec


class SavedState(msgspec.Struct, frozen=True):
    """Belongs to exactly one stop. Where it lies, every node that may run the resource can read it; only what somebody
    has saved past the cluster may lie on one node alone."""

    id: str
    """Of the stop that it belongs to."""
    path: str
    size_mib: int = 0
    node: str = ""
    """Where it was saved."""
    witness: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """By which its type sees that the resource has run otherwise since: how a VM's disks were left."""

    @property
    def words(self) -> str:
        """For people: "saved on n1, 134 MiB in /srv/web.state"."""
        where = f"saved on {self.node}" if self.node else "saved"
        return f"{where}, {self.size_mib} MiB in {self.path}"
