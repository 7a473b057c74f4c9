"""What was committed to a lab's cluster database after a revision? Read inside a node, with the node's own settings.

    python -m outlast.lab.history REVISION

Prints one JSON document per line, each a `Batch`; the first is everything that stands there when REVISION is 0, or when
the history after it is gone. So that somebody outside can judge every single commit (`outlast lab soak`).
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence

import msgspec

from outlast.model import keys
from outlast.ports.database import Batch, Change, Compacted
from outlast.service.entry import DEFAULT_CONFIG, log_to_stderr, read_config
from outlast.service.plugging import environment

TIMEOUT_S = 20.0


class History(msgspec.Struct, frozen=True):
    """`whole`: the first batch is all that stood there at its revision, and what was before is not known."""

    whole: bool
    batches: tuple[Batch, ...]


async def _read(after: int) -> Iterator[Batch]:
    world = environment(read_config(DEFAULT_CONFIG))
    present = await world.database.read(keys.CONTROL, timeout_s=TIMEOUT_S)
    found: list[Batch] = []
    async with asyncio.timeout(TIMEOUT_S):
        try:
            if after:
                async for batch in world.database.watch(keys.CONTROL, after):
                    found.append(batch)
                    if batch.revision >= present.revision:  # sessions are written all the time: one will come
                        return iter(found)
        except Compacted:
            pass
    changes = tuple(Change(entry.key, entry.value, entry.revision) for entry in present.entries)
    return iter([Batch(0, ()), Batch(present.revision, changes)])


def decode(lines: Sequence[str]) -> History:
    batches = [msgspec.json.decode(line, type=Batch) for line in lines if line.strip()]
    whole = bool(batches) and batches[0].revision == 0
    return History(whole, tuple(batches[1:] if whole else batches))


if __name__ == "__main__":
    log_to_stderr()
    for batch in asyncio.run(_read(int(sys.argv[1]))):
        print(msgspec.json.encode(batch).decode())
