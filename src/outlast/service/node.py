"""One node's cluster service: its loops, and how they hang together.

Store ──── the picture of the cluster database
HostKeeper ── Resources ── Poller, Reporting      what runs here, and what is told about it
Membership                                         may anything run here?
Coordinating ── Fencing, Observation               decides for the cluster, where it is this node's turn
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import structlog

from outlast.core.coordinator.arming import notice
from outlast.core.coordinator.election import coordinates
from outlast.core.membership.certainty import Pledges
from outlast.core.membership.membership import Observer
from outlast.core.membership.membership import Session as OwnSession
from outlast.core.membership.timing import timing
from outlast.core.owner.resource import S, runs_nothing
from outlast.core.placement.capacity import Capacity, given
from outlast.model.enrolment import TOPIC
from outlast.model.health import Json
from outlast.model.node import Offer
from outlast.ports.database import Unavailable
from outlast.ports.environment import Environment
from outlast.ports.links import Links
from outlast.ports.upkeep import Upkeep
from outlast.service.access.auditing import Auditing
from outlast.service.access.doors import Doors
from outlast.service.access.openid import ByProvider
from outlast.service.access.signing_in import SigningIn
from outlast.service.backup import Backing
from outlast.service.commands.context import ON_THE_NODE, Asking, Context
from outlast.service.commands.registry import Commands
from outlast.service.config import NodeConfig
from outlast.service.coordinator import Coordinating
from outlast.service.deciding import Deciding
from outlast.service.fence.devices import FenceDevices
from outlast.service.fence.fencing import Fencing
from outlast.service.fence.means import may_fence, means
from outlast.service.fence.tests import FenceTests
from outlast.service.hosting.cleaning import clean
from outlast.service.hosting.following import Following
from outlast.service.hosting.guests import Guests
from outlast.service.hosting.halted import Halting
from outlast.service.hosting.hosts import HostKeeper
from outlast.service.hosting.local import Remark
from outlast.service.hosting.looking import VM
from outlast.service.hosting.lookout import Lookout
from outlast.service.hosting.own_word import OwnWord
from outlast.service.hosting.polling import Poller
from outlast.service.hosting.reporting import Reporting
from outlast.service.hosting.resources import Resources
from outlast.service.hosting.surveys import Surveys
from outlast.service.joining.certificates import keep_certificate
from outlast.service.joining.enrolment import Enrolment
from outlast.service.joining.records import NotOurs, evicted, write_records
from outlast.service.journal import Journal
from outlast.service.load import Loads
from outlast.service.measuring.database import MeasuredDatabase
from outlast.service.measuring.failovers import Failovers
from outlast.service.membership import Membership
from outlast.service.migration_network import MigrationNetwork
from outlast.service.networks import Networks
from outlast.service.notices.noticing import Noticing
from outlast.service.notices.telling import Telling
from outlast.service.noting import Noting
from outlast.service.observation import Observation
from outlast.service.peers import Answering, Vouching
from outlast.service.pruning import prune
from outlast.service.quorum.upkeep import keep_up
from outlast.service.quorum.voters import voters
from outlast.service.store import RETRY_S, Store
from outlast.service.volume_changes import VolumeChanging
from outlast.service.volumes import Volumes
from outlast.service.watchdog import Arming
from outlast.service.web_certificate import WebCertificates

__all__ = ["Node", "NodeConfig"]

log = structlog.get_logger()

FIRST_HOST_S = 10.0
CLEAN_RETRY_S = 1.0
NOT_OURS_RETRY_S = 10.0


class Node:
    def __init__(self, config: NodeConfig, env: Environment) -> None:
        times = timing(config.node_timeout_s)
        measured = MeasuredDatabase(env.database, env.clock)
        env = replace(env, database=measured)
        self._config = config
        self._env = env
        self._observer = Observer(times, env.clock.now())
        self._session = OwnSession(times)
        self._journal = Journal(config.node, env.clock)
        self.store = Store(config.node, env.database, env.clock, self._observer)
        self.hosts = HostKeeper(env.hosts, env.clock)
        self.watchdog = Arming(env.watchdog, env.clock)
        way, _, certificates = config.migration.partition(":")
        self.resources = Resources(self.store, env, self.hosts, self._session, self.watchdog, certificates)
        self.membership = Membership(
            self.store, env, self._journal, self._session, self.watchdog, _capacity(config, env), way
        )
        self._fence_wake = asyncio.Event()
        self._fence_devices = FenceDevices(env.fence, env.secrets, env.database, self._journal)
        self._fence_means = means(env, self._fence_devices)
        may = may_fence(self.store, self._session, env.clock)
        self._fencing = Fencing(self._fence_means, may, self._fence_wake)
        pledges = Pledges()
        own_word = OwnWord(self.store, self.resources.locals, self._session, self._observer, env.clock)
        self.observation = Observation(
            self.store, env.clock, self._observer, pledges, lambda: self._fencing.reports, own_word
        )
        self.coordinating = Coordinating(
            self.store,
            self.observation,
            self._fencing,
            self._session,
            self._journal,
            env.clock,
            self._fence_wake,
            Deciding(self.store, pledges, env.clock),
        )
        self._answering = Answering(self.store, env, pledges)
        self._reporting = Reporting(
            self.store, self.resources, self.membership, self._session, self._journal, env.clock
        )
        self._following = Following(
            self.store, self.resources, self._session, self._journal, env.clock, self.observation.view
        )
        self.resources.strays.view = self.observation.view
        self._poller = Poller(self.resources, self.hosts, env.clock)
        self.surveys = Surveys(self.store, self.hosts, self._journal, self.resources.under_way, self.resources.fail)
        self._guests = Guests(
            self.store,
            env,
            self.resources,
            self.hosts,
            Halting(self.store, env, self.resources, self.hosts, self.surveys),
        )
        self._lookout = Lookout(
            self.store,
            self.hosts,
            self.surveys,
            self._journal,
            env.clock,
            env.peers,
            self.observation.view,
            self._coordinates,
        )
        self.voters = voters(
            config,
            env,
            self.store,
            self._session,
            self._fencing,
            self._journal,
            self.observation,
            self._coordinates,
        )
        self._enrolment = Enrolment(config, env, env.trust, self.store, self._journal) if env.trust else None
        self._backing = Backing(self.store, env.backups, self._journal, env.clock) if env.backups else None
        names = tuple(dict.fromkeys(name for name in (config.node, config.address, "localhost") if name))
        web_certificates = WebCertificates(self.store, env.web_certificate, env.secrets, names)
        self._telling = (
            Telling(self.store, env.receivers, env.secrets, self._journal, env.clock) if env.receivers else None
        )
        self._loads = Loads(self.store, env.clock, env.load, env.peers, self._vms_online)
        self._failovers = Failovers(self.store, env.clock, self._is_coordinator)
        by_provider = ByProvider(self.store, env.clock, self._journal, env.openid, env.secrets)
        self._commands = Commands(
            Context(
                self.store,
                self.observation,
                self.coordinating,
                self.membership,
                self.hosts,
                self.surveys,
                self._journal,
                env.clock,
                self._loads,
                self._enrolment,
                env.members,
                self._fencing,
                self._fence_devices,
                self.voters,
                self._backing,
                env.peers,
                env.passwords,
                env.pam,
                by_provider,
                web_certificates,
                self._telling,
                measured,
                self._failovers,
            )
        )

        auditing = Auditing(self.store, self._journal, env.clock)
        self.doors = Doors(
            self.store,
            env.clock,
            SigningIn(self.store, env.clock, env.passwords, env.pam, by_provider, auditing),
            auditing,
            web_certificates,
            self.command,
        )

    async def run(self) -> None:
        """Until cancelled. What runs here is not touched by the end of it."""
        async with asyncio.TaskGroup() as tasks:
            self._be_reached(tasks)
            await self._create_cluster()
            tasks.create_task(self.hosts.run())
            tasks.create_task(self.store.run())
            await self.store.ready.wait()
            self._derive_times()
            tasks.create_task(self.resources.run())
            tasks.create_task(self._reporting.run())
            tasks.create_task(self._following.run())
            tasks.create_task(self._poller.run())
            tasks.create_task(self._guests.run())
            tasks.create_task(self.watchdog.run())
            tasks.create_task(self.surveys.run())
            tasks.create_task(self._lookout.run())
            tasks.create_task(self._fence_devices.run(self.store))
            tasks.create_task(self._offers())
            if self._env.links is not None:
                self._follow_networks(tasks, self._env.links)
                tasks.create_task(self._migration_network(self._env.links).run())
            tasks.create_task(self._volumes().run())
            tasks.create_task(self._volume_changing().run())
            tasks.create_task(self._fence_means.hearing.run(self.store, self.observation))
            tasks.create_task(self.coordinating.run())
            tasks.create_task(self._failovers.run())
            tasks.create_task(self._loads.run())
            tasks.create_task(prune(self.store, self._coordinates))
            tasks.create_task(Noting(self.store, self.observation, self._journal, self._coordinates).run())
            if self._telling is not None:
                noticing = Noticing(self.store, self._telling, self._journal, self._env.clock, self._coordinates)
                tasks.create_task(noticing.run())
            if self._env.upkeep is not None:
                tasks.create_task(self._keep_up(self._env.upkeep))
            tasks.create_task(self._stay_member())
            if self._env.peers is not None:
                tasks.create_task(self._vouching().run(self._env.peers))
            tasks.create_task(self.voters.run())
            if self._backing is not None:
                tasks.create_task(self._backing.run())
            if self._enrolment is not None:
                tasks.create_task(self._enrolment.clear(self._coordinates))
            if self._env.trust is not None:
                tasks.create_task(keep_certificate(self.store.me, self._env.trust, self._env.peers, dict))

    async def _keep_up(self, upkeep: Upkeep) -> None:
        env, unwritable = self._env, self.membership.unwritable

        def made_room() -> None:
            words = (
                f"the cluster database was full: {self.store.me} had all history forgotten, and its space given back"
            )
            self.resources.remark("upkeep", words)

        await keep_up(upkeep, env.database, self._coordinates, env.random, unwritable, made_room)

    def _follow_networks(self, tasks: asyncio.TaskGroup, links: Links) -> None:
        networks = Networks(
            self.store, self.hosts, self._journal, self._env.clock, links, self.membership.tell_networks
        )
        networks.goes_on(self._env.incarnations.load())
        tasks.create_task(networks.run())

    def _migration_network(self, links: Links) -> MigrationNetwork:
        _, _, certificates = self._config.migration.partition(":")
        trust = self._env.trust if certificates else None
        return MigrationNetwork(self.store, links, trust, self._config.address, self.membership.tell_migration_address)

    def _volumes(self) -> Volumes:
        volumes = Volumes(self.store, self.hosts, self._journal, self.membership.tell_volumes)
        volumes.goes_on(self._env.incarnations.load())
        return volumes

    def _volume_changing(self) -> VolumeChanging:
        return VolumeChanging(
            self.store,
            self.hosts,
            self._session,
            self._journal,
            self._env.clock,
            self.observation.view,
            lambda: self.membership.incarnation,
        )

    def _vouching(self) -> Vouching:
        keeper = self.voters.keeper
        return Vouching(
            self.store,
            self._env,
            self.membership,
            self._session,
            self.observation,
            self.resources.remark,
            keeper.vote_look if keeper is not None else lambda: None,
            lambda: keeper.proven_off if keeper is not None else {},
        )

    def _be_reached(self, tasks: asyncio.TaskGroup) -> None:
        """What must be there before the database is: its own member, and the links to the other nodes."""
        tasks.create_task(self.voters.keep())
        if self._env.peers is not None:
            self._answering.register(self._env.peers)
            self._lookout.register(self._env.peers)
            self._loads.register(self._env.peers)
            FenceTests(self.store, self.observation, self._fence_devices).register(self._env.peers)
            if self._enrolment is not None:
                self._env.peers.answer(TOPIC, self._enrolment.answer, strangers=True)
            tasks.create_task(self._env.peers.serve())

    def command(
        self, verb: str, arguments: Mapping[str, Json], asking: Asking = ON_THE_NODE
    ) -> AsyncIterator[tuple[str, Json]]:
        """What the control socket offers: ("item", ...) any number of times, then ("result", ...).

        Raises `CommandError`.
        """
        return self._commands.run(verb, arguments, asking)

    def notice(self) -> str:
        """What everybody who asks for anything must be told; "" when there is nothing."""
        return notice(self.store.settings)

    async def leave(self) -> bool:
        """Close the session in order, if nothing runs here. True when it was closed."""
        if not self.membership.opened.is_set() or not self._runs_nothing():
            return False
        keeper = self.voters.keeper
        if keeper is not None:
            try:
                keeper.may_be_out(True)
            except OSError as error:
                log.warning("the session is not closed: that cannot be noted beside the database", why=str(error))
                return False
        return await self.membership.leave()

    def _runs_nothing(self) -> bool:
        return all(runs_nothing(local.state) for local in self.resources.locals.values())

    def _vms_online(self) -> int:
        return sum(one.state is S.ONLINE and one.resource.type == VM for one in self.resources.locals.values())

    def _coordinates(self) -> bool:
        return coordinates(self.observation.view(), self.membership.incarnation)

    def _is_coordinator(self) -> bool:
        """By the record alone: cheap, and no ground for a decision."""
        named = self.store.coordinator
        return named is not None and named.incarnation == self.membership.incarnation

    async def _create_cluster(self) -> None:
        """Write the cluster's and this node's records, where they are missing or outdated."""
        config = self._config
        while True:
            try:
                await write_records(config, self._env.database, self._fence_devices, self._journal)
                return
            except Unavailable as error:
                log.warning("the cluster database does not answer", why=str(error))
                self.store.why_not_ready = f"the cluster database does not answer: {error}"
                await asyncio.sleep(RETRY_S)
            except NotOurs as error:
                log.error("this node is not run", why=str(error))
                self.store.why_not_ready = str(error)
                await asyncio.sleep(NOT_OURS_RETRY_S)

    def _derive_times(self) -> None:
        """The cluster's own time-out counts, not what this node was configured with."""
        times = timing(self.store.settings.node_timeout_s)
        self._observer.timing = times
        self._session.timing = times

    async def _stay_member(self) -> None:
        """Open the session when nothing runs here that must not; renew it; stop everything when it is lost."""
        await self._first_host()
        continuing = self.membership.continues()
        if self._env.incarnations.load() and not continuing:
            words = f"{self.store.me} was without a service until its run permit had ended; what ran there was stopped"
            self.resources.remarks.append(Remark("permit", words))
        while True:
            continuing = continuing and self.membership.continues()
            in_the_way = await clean(
                self.resources, self.store, self.hosts, self._env.incarnations, continuing=continuing
            )
            if in_the_way:
                self.membership.why_not = in_the_way
                log.warning("cannot open the session", why=in_the_way)
                await asyncio.sleep(CLEAN_RETRY_S)
                continue
            if self._config.cluster_id and self.store.me not in self.store.nodes:
                self.membership.why_not = evicted(self.store.me, self._config.cluster)
                await asyncio.sleep(NOT_OURS_RETRY_S)
                continue
            if not continuing:
                self.membership.stand_down()
            if not await self.membership.open(continuing=continuing):
                await asyncio.sleep(RETRY_S)
                continue
            self.coordinating.incarnation = self.membership.incarnation
            if not continuing:
                self.voters.session_opened(self.store)
            self.resources.session_opened(continuing=continuing)
            if self._env.trust is not None:
                self._env.trust.settled()
            log.info("session open", incarnation=self.membership.incarnation)
            why = await self.membership.renew()
            continuing = False
            log.warning("the session is over; everything here is stopped", why=why)
            self.resources.stop_all(f"the session of {self.store.me} is over: {why}")

    async def _first_host(self) -> None:
        """What this node can run should be known before it joins; but a node without plugins joins too."""
        try:
            async with asyncio.timeout(FIRST_HOST_S):
                while not self.hosts.offers():
                    await self.resources.offers_changed.wait()
        except TimeoutError:
            log.warning("no resource host has started", waited_s=FIRST_HOST_S)

    async def _offers(self) -> None:
        """Tell the cluster which resource types this node can run, whenever that changes."""
        told: dict[str, Offer] = {}
        while True:
            await self.resources.offers_changed.wait()
            self.resources.offers_changed.clear()
            offers = self.hosts.offers()
            self.membership.offer(offers.values())
            for name, offer in offers.items():
                before = told.get(name)
                if (before.problem if before else "") != offer.problem:
                    await self._tell_about_type(offer)
            told = offers

    async def _tell_about_type(self, offer: Offer) -> None:
        me = self.store.me
        words = (
            f"{me} cannot run {offer.type}: {offer.problem}" if offer.problem else f"{me} can run {offer.type} again"
        )
        try:
            await self.store.transact([], [self._journal.event("type", words, about=me)])
        except Unavailable as error:
            log.warning(words, event_not_written=str(error))


def _capacity(config: NodeConfig, env: Environment) -> Capacity:
    return given(env.capacity, memory_mib=config.memory_mib, cpus=config.cpus, host_memory_mib=config.host_memory_mib)
