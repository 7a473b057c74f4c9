"""When does a node tell that a network is lost, or is up again? A machine: one that flaps is told as it was.

What has changed must have lasted for a while (`network_delay_s`), in both directions. What is seen for the first time
is told at once.
"""

from collections.abc import Iterable, Mapping

from outlast.model.network import NetworkState


class Settling:
    def __init__(self, told: Iterable[NetworkState] = ()) -> None:
        """`told`: what a service before this one told of them, in the same life of the node."""
        self.told: dict[str, NetworkState] = {one.network: one for one in told}
        self._turned_at: dict[str, float] = {}
        """Networks that are otherwise than told, and since when."""

    def look(self, found: Mapping[str, NetworkState], now: float, delay_s: float) -> tuple[NetworkState, ...]:
        """Returns what is to be told. What is not among `found` is not needed any more, or cannot be judged."""
        for network in self.told.keys() - found.keys():
            del self.told[network]
            self._turned_at.pop(network, None)
        for network, state in found.items():
            before = self.told.get(network)
            if before is None or bool(before.lost) == bool(state.lost):
                self._turned_at.pop(network, None)
                self.told[network] = state
            elif now - self._turned_at.setdefault(network, now) >= delay_s:
                del self._turned_at[network]
                self.told[network] = state
        return tuple(self.told[network] for network in sorted(self.told))

    def due_in_s(self, now: float, delay_s: float) -> float | None:
        """When to look again although nothing has happened; None: no time matters."""
        return min((max(0.0, at + delay_s - now) for at in self._turned_at.values()), default=None)
