"""Before a session is opened: makes sure that nothing runs here that must not (rule 6)."""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog

from outlast.core.owner.duty import Duty, duty
from outlast.core.owner.resource import runs_nothing
from outlast.model.group import Group
from outlast.model.health import Found
from outlast.model.node import Offer
from outlast.ports.environment import Incarnations
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper
from outlast.service.hosting.resources import Resources
from outlast.service.store import Store

log = structlog.get_logger()

STILL_RUNNING_S = 1.0
OPENED_WITHIN_S = 0.5
ANSWERED_WITHIN_S = 0.5
"""What this node has run all the while, with a session that never ended, cannot belong to anybody else. So a type that
does not say what runs is waited for only so long, and asked again later: else the permit would end, and a plugin that
hangs would have cost all that runs here."""
LATE = "it has not answered yet"
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
    unclear = await _look_over(resources, store, offers, continuing=continuing, must_be_sure=must_be_sure)
    for name, why in unclear.items():
        if not continuing:
            return f"it cannot tell what of {name} runs here: {why}"
        resources.discover_later(name)
    await _stopped(resources)
    if continuing:
        await _opened(resources)
    return ""


async def _look_over(
    resources: Resources, store: Store, offers: Mapping[str, Offer], *, continuing: bool, must_be_sure: bool
) -> dict[str, str]:
    """Have stopped what must not run here. Returns the types that could not tell what runs, and why.

    All are asked at once: what one type holds up, it holds up for nobody else.
    """

    async def ask(offer: Offer) -> str:
        if continuing and offer.problem:
            return offer.problem
        try:
            for thing in await resources.calls.discover(offer.type):
                local = resources.discovered(offer.type, thing)
                # With a hold the records say nothing about who owns what: it stays until an administrator has said.
                if local is not None and not store.settings.hold:
                    group = store.groups.get(local.resource.group)
                    if not (continuing and group is not None and _may_stay(group, thing, store.me)):
                        resources.must_stop(local, BEFORE)
        except (CallFailed, CallTimedOut, HostDied) as error:
            return "" if offer.problem and not must_be_sure else offer.problem or str(error)
        return ""

    # Of a type of which the cluster has nothing, nothing of the cluster's can run.
    used = {resource.type for resource in store.resources.values()}
    asking = {name: asyncio.create_task(ask(offer)) for name, offer in sorted(offers.items()) if name in used}
    try:
        if asking:
            await asyncio.wait(asking.values(), timeout=ANSWERED_WITHIN_S if continuing else None)
        said = {name: task.result() if task.done() else LATE for name, task in asking.items()}
    finally:
        for task in asking.values():
            task.cancel()
    return {name: why for name, why in said.items() if why}


def _may_stay(group: Group, thing: Found, me: str) -> bool:
    """It is this node's own, stands still here because its owner hands it over, or somebody migrated it here while no
    service looked: then it may run nowhere else."""
    return group.owner == me or (thing.stands and duty(group, me) is Duty.RECEIVE) or thing.brought


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
