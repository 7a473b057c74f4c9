"""Which resource host has a resource open, and what is done when it is to be another one?

A host that has it open stops it by itself when the run permit ends (rule 3). So a resource that is to have a host of
its own, or no longer, is closed in the former one only after the new one has opened it. Nothing is started or stopped
by that.
"""

from collections.abc import Callable, Collection, Mapping

import msgspec

from outlast.core.owner.resource import E, S, runs_nothing
from outlast.model.group import Resource
from outlast.service.hosting.hosts import HostKeeper, own_host
from outlast.service.hosting.local import Local
from outlast.service.store import Store


class Attaching:
    def __init__(
        self,
        store: Store,
        hosts: HostKeeper,
        locals: Mapping[str, Local],
        feed: Callable[[Local, E, str], None],
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._locals = locals
        self._feed = feed

    def problem(self, type_name: str) -> str:
        """Why this node cannot run resources of this type; "" when it can."""
        offer = self._hosts.offers().get(type_name)
        return f"it has no plugin for {type_name}" if offer is None else offer.problem

    def begin(self, local: Local) -> None:
        """It is here from now on."""
        self._hosts.keep(local.resource)
        self._attach(local)

    def uses_host(self, resource: Resource) -> bool:
        """Is the host of the resource, as its record was, still needed for it?"""
        local = self._locals.get(resource.name)
        if local is None:
            return False
        known = [local.resource, *([local.formerly] if local.formerly is not None else [])]
        return own_host(resource) in [own_host(one) for one in known]

    def record_changed(self, local: Local, resource: Resource) -> None:
        """What its record says of its host counts as soon as that host is ready, and nothing is under way for it."""
        local.resource = msgspec.structs.replace(resource, separate_host=local.resource.separate_host)
        if resource.separate_host is not local.resource.separate_host:
            self._hosts.keep(resource)
            self._change_host(local, resource)

    def host_ready(self, types: Collection[str], alone: str) -> None:
        for local in self._in(types, alone):
            self._attach(local)
        for local in list(self._locals.values()):
            self._follow_record(local)

    def host_gone(self, types: Collection[str], alone: str, why: str) -> None:
        """That proves nothing about what runs."""
        gone = self._in(types, alone)
        for local in gone:
            local.opened = False
        for local in gone:
            self._feed(local, E.HOST_DIED, why)

    def look_again(self, local: Local) -> bool:
        """True when there was something to do."""
        if self._unattached(local):
            self._feed(local, E.ATTACH, "")
            return True
        return self._follow_record(local)

    def _attach(self, local: Local) -> None:
        if self._hosts.is_ready(local.resource) and not self.problem(local.resource.type):
            self._feed(local, E.ATTACH, "")

    def _in(self, types: Collection[str], alone: str) -> list[Local]:
        """What a host of these types is there for."""
        found = (local for local in self._locals.values() if local.resource.type in types)
        return [local for local in found if own_host(local.resource) == alone]

    def _unattached(self, local: Local) -> bool:
        """Is a host there that could have it open, and has not?"""
        if not self._hosts.is_ready(local.resource):
            return False
        return local.state is S.DETACHED or (runs_nothing(local.state) and not local.opened and local.is_idle)

    def _follow_record(self, local: Local) -> bool:
        resource = self._store.resources.get(local.name)
        if resource is None or resource.separate_host is local.resource.separate_host:
            return False
        return self._change_host(local, resource)

    def _change_host(self, local: Local, resource: Resource) -> bool:
        settled = local.state in (S.ONLINE, S.UNCERTAIN, S.OFFLINE, S.FAILED, S.DETACHED) and local.is_idle
        if not settled or not self._hosts.is_ready(resource) or self.problem(resource.type):
            return False
        if local.opened:
            local.formerly = local.resource
        local.resource, local.opened = resource, False
        self._feed(local, E.HOST_DIED, "it changes to another resource host")
        self._attach(local)
        return True
