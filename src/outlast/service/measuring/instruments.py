"""How often, and how long? What is counted and measured on the way, in memory, from the start of the service on.

Each instrument belongs to whoever does what it counts, so there is no registry to look one up in. To observe a time
takes a binary search among a dozen bounds and an addition.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from outlast.model.metrics import Distribution

Key = TypeVar("Key", bound=Hashable)

DATABASE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CALL_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
GAP_S = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 150.0, 300.0)
"""`node_timeout` may be 1 to 300 s; the default is 5."""
FAILOVER_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0)


class Histogram:
    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, took_s: float) -> None:
        self._counts[bisect_left(self._bounds_s, took_s)] += 1
        self._sum_s += took_s

    def read(self) -> Distribution:
        return Distribution(self._bounds_s, tuple(self._counts), self._sum_s)


class Histograms(Generic[Key]):
    """One for each key, with the same bounds. Keys must be bounded in number."""

    def __init__(self, bounds_s: tuple[float, ...], known: Iterable[Key] = ()) -> None:
        """`known`: these are there from the beginning, with nothing in them: whoever compares two readings must not
        miss the first time."""
        self._bounds_s = bounds_s
        self._by_key = {key: Histogram(bounds_s) for key in known}

    def observe(self, key: Key, took_s: float) -> None:
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = Histogram(self._bounds_s)
        found.observe(took_s)

    def of(self, key: Key) -> Distribution | None:
        found = self._by_key.get(key)
        return found.read() if found is not None else None

    def forget(self, key: Key) -> None:
        self._by_key.pop(key, None)

    def read(self) -> Iterator[tuple[Key, Distribution]]:
        for key, found in self._by_key.items():
            yield key, found.read()
