"""What the cluster service needs to know of its machine's network interfaces."""

from collections.abc import Sequence
from typing import Protocol

from outlast.model.network import Link


class Links(Protocol):
    """The links of this machine, in the network namespace of the service."""

    def read(self) -> Sequence[Link]:
        """All of them, as they are now. Asks the kernel and nobody else: quick. Raises OSError."""
        ...

    def address_in(self, network: str) -> str:
        """This machine's address in a network (`10.1.0.0/24`) that it is joined to by a link that is up; "" for none.
        Asks the kernel and nobody else. Raises OSError."""
        ...

    async def changed(self) -> None:
        """Returns when any of them may have changed since the last `read`, of which there must have been one. Raises
        OSError."""
        ...
