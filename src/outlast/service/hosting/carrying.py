"""Carries out the calls that a resource's machine asks for, one at a time, and feeds their results back into it."""

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from outlast.core.owner.resource import Call, E
from outlast.model.group import Resource
from outlast.model.saved import SavedState
from outlast.ports.database import Unavailable
from outlast.ports.hosts import CallFailed, HostDied
from outlast.service.hosting.calls import Calls
from outlast.service.hosting.doubting import Doubting
from outlast.service.hosting.handing import Handing
from outlast.service.hosting.hosts import CallTimedOut, HostKeeper, own_host
from outlast.service.hosting.local import Local
from outlast.service.hosting.saving import Saving

log = structlog.get_logger()


class Carrying:
    def __init__(
        self,
        calls: Calls,
        hosts: HostKeeper,
        feed: Callable[[Local, E, str], None],
        doubting: Doubting,
        uses_host: Callable[[Resource], bool],
        handing: Handing,
        saving: Saving,
        forgotten: Callable[[str], None],
    ) -> None:
        """`uses_host`: is the host of the resource, as its record was, still needed for it? `forgotten`: of a resource
        that was to leave nothing behind here nothing is left."""
        self._calls = calls
        self._hosts = hosts
        self._feed = feed
        self._doubting = doubting
        self._uses_host = uses_host
        self._handing = handing
        self._saving = saving
        self._forgotten = forgotten
        self._tasks: asyncio.TaskGroup | None = None
        self._leaving: dict[str, asyncio.Task[None]] = {}
        """Resources that are being let go of here."""
        self._left_behind: dict[str, Resource] = {}
        """Of which something may be left here, although nothing was to be."""

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks

    def start(self, local: Local, call: Call) -> None:
        """What is under way for it is abandoned; but not when it is called back: then its end is waited for."""
        assert self._tasks is not None
        if call is Call.CALL_BACK:
            self._tasks.create_task(self._call_back(local), name=f"{call.value} {local.name}")
            return
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        local.task = self._tasks.create_task(self._call(local, call), name=f"{call.value} {local.name}")

    def let_go(self, local: Local, *, forget: bool) -> None:
        """It is here no longer. `forget`: leave nothing of it behind on this node."""
        if local.task is not None and local.task is not asyncio.current_task():
            local.task.cancel()
        self._leave(local.resource, forget=forget, opened=local.opened)
        self._leave_former_host(local)

    def forget_again(self, known: Mapping[str, Resource], here: Collection[str], problem: Callable[[str], str]) -> None:
        """What may be left behind is tried once more: libvirt may just not have answered, or not have seen yet that
        its QEMU has ended. What is here will be let go of anew, and what is no longer known is none of the cluster's
        business. `problem`: why a type cannot be asked; "" when it can."""
        for name, was in list(self._left_behind.items()):
            resource = known.get(name)
            if resource is None or resource.identity != was.identity or name in here:
                del self._left_behind[name]
            elif not problem(resource.type):
                del self._left_behind[name]
                self._hosts.keep(resource)
                self._leave(resource, forget=True, opened=False)

    def _leave(self, resource: Resource, *, forget: bool, opened: bool) -> None:
        if self._tasks is not None:
            name = resource.name
            closing = self._close(resource, self._leaving.get(name), forget=forget, opened=opened)
            leaving = self._tasks.create_task(closing)
            self._leaving[name] = leaving
            leaving.add_done_callback(lambda done: self._left(name, done))

    def _leave_former_host(self, local: Local) -> None:
        """Nothing waits for that: the resource may have to be stopped meanwhile."""
        former, local.formerly = local.formerly, None
        if former is not None and self._tasks is not None:
            self._tasks.create_task(self._close(former, None, forget=False, opened=True))

    def _left(self, name: str, done: asyncio.Task[None]) -> None:
        if self._leaving.get(name) is done:
            del self._leaving[name]

    async def _close(
        self, resource: Resource, before: asyncio.Task[None] | None, *, forget: bool, opened: bool
    ) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            if forget and not opened:
                await self._calls.open(resource)
            await self._calls.let_go(resource, forget=forget)
        except (CallFailed, CallTimedOut, HostDied, Unavailable) as error:
            log.warning("something of a resource may be left behind here", resource=resource.name, why=str(error))
            if forget:
                self._left_behind[resource.name] = resource
        else:
            if forget:
                self._forgotten(resource.name)
        if not self._uses_host(resource):
            await self._hosts.leave(resource)

    async def _make(self, call: Call, local: Local) -> None:
        match call:
            case Call.HAND_OVER:
                await self._handing.hand_over(local)
            case Call.TAKE_UP:
                await self._calls.take_up(local.resource)
            case Call.STAND_STILL:
                await self._calls.stand_still(local.resource)
            case Call.SAVE:
                await self._saving.save(local)
            case Call.ONLINE if local.kept.taken is not None:
                await self._saving.restore(local, local.kept.taken)
            case _:
                await self._calls.make(call, local.resource)
                runs_on = await self._doubting.runs_on(local) if call in (Call.OFFLINE, Call.TERMINATE) else ""
                if runs_on:
                    raise CallFailed(runs_on)

    async def _call_back(self, local: Local) -> None:
        try:
            await self._calls.call_back(local.resource)
        except (CallFailed, CallTimedOut, HostDied) as error:
            log.warning("it could not be called back", resource=local.name, why=str(error))

    async def _call(self, local: Local, call: Call) -> None:
        leaving = self._leaving.get(local.name)
        if leaving is not None:
            await asyncio.wait([leaving])  # it is back before it was gone: else its leaving would close it again
        try:
            received = call is Call.ONLINE and self._handing.is_expected(local)
            if call is Call.OPEN or not local.opened or (call is Call.ONLINE and local.is_outdated) or received:
                opened, local.redefined = local.resource, False
                health = await self._calls.open(opened)
                local.opened, local.opened_as = True, opened
                self._leave_former_host(local)
                if received and health.stands:
                    call = Call.TAKE_UP
            if call is Call.OPEN:
                if self._handing.is_left_behind(local, health):
                    await self._calls.call_back(local.resource)
                    health = await self._calls.open(local.resource)
                self._doubting.hear(local, health)
                return
            state = local.kept.taken if call is Call.ONLINE else None
            await self._make(call, local)
        except CallTimedOut as error:
            local.hung = local.hung or call in (Call.ONLINE, Call.OFFLINE, Call.TAKE_UP)
            self._handing.failed(local, call, str(error))
            self._saving.failed(local, call, str(error))
            self._feed(local, E.CALL_TIMED_OUT, str(error))
        except CallFailed as error:
            self._handing.failed(local, call, error.why)
            self._saving.failed(local, call, error.why)
            self._feed(local, E.CALL_FAILED, error.why)
        except Unavailable as error:
            self._feed(local, E.CALL_FAILED, f"its definition cannot be read: {error}")
        except HostDied as error:
            self._feed(local, E.HOST_DIED, str(error))
        else:
            self._feed(local, E.CALL_DONE, _done(call, local, state))
        if call is Call.TERMINATE and local.hung:
            local.hung = False
            assert self._tasks is not None
            # By a task of its own: the next try to end it abandons this one, and the call would hang there for ever.
            self._tasks.create_task(self._replace_host(local.resource, f"a call of {local.name} hung"))

    async def _replace_host(self, resource: Resource, why: str) -> None:
        await self._hosts.replace(resource.type, why, alone=own_host(resource))


def _done(call: Call, local: Local, state: SavedState | None) -> str:
    """What is to be said of it now, for people. `state`: what it went on from."""
    if call is Call.TERMINATE:
        return local.why
    if call is Call.SAVE and local.kept.saved is not None:
        return f"{local.kept.saved.words}: it goes on from there"
    return f"it goes on where it was when it was {state.words}" if state is not None else ""
