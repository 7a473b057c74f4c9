"""Which address has this node in the cluster's migration network? It is told in the session, once this node's
certificate proves it: who hands something over there asks for that proof.

A node signs its own certificate, so that nobody has to be asked for a new one.
"""

from collections.abc import Callable

import structlog

from outlast.core.network.migration import certificate_names
from outlast.model import keys
from outlast.model.network import OwnAddress
from outlast.ports.links import Links
from outlast.ports.trust import Trust, WrongRequest
from outlast.service.store import Store

log = structlog.get_logger()

LOOK_S = 10.0
"""So often it is looked whether the node still has that address."""


class MigrationNetwork:
    def __init__(
        self, store: Store, links: Links, trust: Trust | None, own: str, tell: Callable[[OwnAddress | None], None]
    ) -> None:
        """`trust`: None where nothing is encrypted. `own`: the address by which the cluster knows this node."""
        self._store = store
        self._links = links
        self._trust = trust
        self._own = own
        self._tell = tell
        self._proven = ""

    async def run(self) -> None:
        changes = self._store.subscribe(keys.CLUSTER)
        while True:
            network = self._store.settings.migration_network
            self._tell(self._look(network) if network else None)
            await changes.wait(LOOK_S if network else None)

    def _look(self, network: str) -> OwnAddress:
        try:
            address = self._links.address_in(network)
            if address and self._trust is not None and address != self._proven:
                self._prove(self._trust, address)
        except (OSError, WrongRequest) as error:
            log.warning("the address in the migration network cannot be used", network=network, why=str(error))
            return OwnAddress(network, problem=f"its address there cannot be proven: {error}")
        return OwnAddress(network, address)

    def _prove(self, trust: Trust, address: str) -> None:
        request, names = trust.request(), trust.names()
        if address not in names:
            trust.install(trust.sign(request, certificate_names(names, self._own, address)))
            log.info("the certificate of this node proves another address", address=address)
        self._proven = address
