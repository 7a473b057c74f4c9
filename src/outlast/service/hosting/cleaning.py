"""Before a session is opened: makes sure that nothing runs here that must not (rule 6)."""

import asyncio
import contextlib

import structlog

from outlast.core.resource import runs_nothing
from outlast.ports.environment import Incarnations
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.hosting.resources import Resources
from outlast.service.store import Store

log = structlog.get_logger()

STILL_RUNNING_S = 1.0
OPENED_WITHIN_S = 0.5
BEFORE = "it ran here before this node opened its session"


async def clean(
    resources: Resources, store: Store, hosts: HostKeeper, incarnations: Incarnations, *, continuing: bool
) -> str:
    """Returns "" when nothing runs here that must not; else what is in the way, for people.

    `continuing`: what this node owns may go on running (only the service has started again).
    """
    # After a boot nothing of the cluster runs. In any other new life it must be certain what does.
    must_be_sure = not continuing and bool(incarnations.load())
    offers = hosts.offers()
    if must_be_sure and not offers:
        return "it cannot tell what runs here: no resource host has started"
    for type_name, offer in offers.items():
        try:
            everything = await resources.calls.discover(type_name)
        except (CallFailed, CallTimedOut, HostDied) as error:
            if offer.problem and not must_be_sure:
                continue
            return f"it cannot tell what of {type_name} runs here: {offer.problem or error}"
        for thing in everything:
            local = resources.discovered(type_name, thing)
            if local is not None:
                group = store.groups.get(local.resource.group)
                owned = continuing and group is not None and group.owner == store.me
                # With a hold the records say nothing about who owns what: it stays until an administrator has said.
                if not owned and not store.settings.hold:
                    resources.must_stop(local, BEFORE)
    await _stopped(resources)
    if continuing:
        await _opened(resources)
    return ""


async def _stopped(resources: Resources) -> None:
    """Returns when nothing runs of what must stop."""
    while True:
        still = [local for local in resources.locals.values() if local.must_stop and not runs_nothing(local.state)]
        if not still:
            return
        resources.settled.clear()
        try:
            async with asyncio.timeout(STILL_RUNNING_S):
                await resources.settled.wait()
        except TimeoutError:
            words = [f"{local.name} ({local.state.value})" for local in still]
            log.warning("what must not run here is being stopped", resources=words)


async def _opened(resources: Resources) -> None:
    """What goes on running is guarded by the orphans of the last service, until the permit is extended by this one:
    then its own hosts should have it open. That is not waited for so long that the permit ends."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPENED_WITHIN_S):
            while not all(local.opened for local in resources.locals.values()):
                resources.settled.clear()
                await resources.settled.wait()
