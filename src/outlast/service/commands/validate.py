"""What of this cluster would not work when it is needed?"""

import asyncio
from collections.abc import Collection

from outlast.core.validation import (
    database_findings,
    down,
    down_findings,
    fence_findings,
    hold_findings,
    lease_findings,
    link_findings,
    migration_findings,
    migration_network_findings,
    network_findings,
    restraint_findings,
    watchdog_findings,
)
from outlast.core.volume.findings import volume_findings
from outlast.model import keys
from outlast.model.answers import Finding
from outlast.model.fence_answers import FenceTest
from outlast.ports.peers import NotAnswered, Peers, PeerUnreachable
from outlast.service.commands import quorum
from outlast.service.commands.context import Command, Context, Nothing
from outlast.service.commands.fence import fence_tests
from outlast.service.peers import ALIVE
from outlast.service.store import READ_TIMEOUT_S

LINK_S = 5.0


async def validate(context: Context, _: Nothing) -> list[Finding]:
    """Every node asks every fence device for its status, and this one all others whether they hear it."""
    unheard = await _unheard(context, context.peers) if context.peers is not None else {}
    answers = await _fence_tests(context, context.peers, unheard)
    leased = await _leased(context)
    members = database_findings(await quorum.show(context, _)) if context.voters.quorum is not None else ()
    view = context.view()
    return [
        *hold_findings(view),
        *restraint_findings(view),
        *fence_findings(view, answers),
        *watchdog_findings(view),
        *down_findings(view),
        *migration_findings(view),
        *migration_network_findings(view),
        *network_findings(view),
        *volume_findings(view),
        *link_findings(context.store.me, unheard),
        *members,
        *lease_findings(leased),
    ]


async def _fence_tests(context: Context, peers: Peers | None, unheard: Collection[str]) -> list[FenceTest]:
    tests = fence_tests(context)
    here = tests.here(context.store.nodes.values())
    if peers is None:
        return await here
    silent = down(context.view())
    others = [
        name
        for name in context.store.sessions
        if name != context.store.me and name not in unheard and name not in silent
    ]
    found = await asyncio.gather(here, *(tests.at(name, peers) for name in others))
    return [test for answers in found for test in answers]


async def _leased(context: Context) -> list[str]:
    """VMs with a storage lease in their definition."""
    snapshot = await context.store.database.read(keys.DEFINITIONS, timeout_s=READ_TIMEOUT_S)
    return [entry.key.removeprefix(keys.DEFINITIONS) for entry in snapshot.entries if b"<lease>" in entry.value]


async def _unheard(context: Context, peers: Peers) -> dict[str, str]:
    """Members that are up and do not answer this node's service, and why not."""
    store = context.store
    silent = down(context.view())
    names = [name for name in store.nodes if name != store.me and name in store.sessions and name not in silent]

    async def ask(name: str) -> str:
        try:
            await peers.ask(name, store.nodes[name].address, ALIVE, b"", timeout_s=LINK_S)
        except (PeerUnreachable, NotAnswered) as error:
            return str(error)
        return ""

    answers = dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))
    return {name: why for name, why in answers.items() if why}


COMMANDS: dict[str, Command] = {"validate": (Nothing, validate)}
