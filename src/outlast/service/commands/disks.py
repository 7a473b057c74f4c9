"""Which nodes could run a VM, disks and all? Every member is asked (`service/hosting/looking.py`), through the cluster
database: somebody waits for the answer."""

from collections.abc import Mapping, Sequence

from outlast.model.health import Json
from outlast.model.survey import Answer
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.commands.context import CommandError, Context
from outlast.service.commands.rows import VM
from outlast.service.hosting.hosts import CallTimedOut
from outlast.service.hosting.looking import Sightings, look


async def sightings(context: Context, definition: str, members: Sequence[str], home: str) -> Sightings:
    """`home`: whose disks count; "": those of the first that could run it. Raises `CommandError` when nobody can tell
    what others see of them."""

    async def ask(nodes: Sequence[str], verb: str, arguments: Mapping[str, Json]) -> Mapping[str, Answer]:
        return await context.surveys.ask(list(nodes), VM, verb, arguments)

    found = await look(ask, definition, members, home, context.journal.new_id())
    if found.cannot_tell:
        raise CommandError("impossible", found.cannot_tell)
    return found


def doubts(found: Sightings) -> list[str]:
    """What nobody can tell, for people."""
    return [f"{node}: {seen.why}" for node, seen in found.answers.items() if seen is not None and seen.doubt]


async def ask_here(context: Context, verb: str, arguments: Mapping[str, Json]) -> Json:
    """This node's own VM plugin."""
    try:
        return await context.surveys.ask_here(VM, verb, arguments)
    except CallFailed as error:
        raise CommandError("usage" if error.refusal else "failed", error.why) from error
    except (CallTimedOut, HostDied) as error:
        raise CommandError("impossible", f"the VM plugin of {context.store.me} does not answer: {error}") from error
