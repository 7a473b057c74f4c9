"""Who starts, ends and freezes the daemons of the simulated nodes, as systemd, a signal or the kernel do elsewhere?

Each life of a cluster service is the real code (`service.node.Node`) in a simulated process, with an environment of
its own. Its resource hosts outlive it, as orphans.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from outlast.model.load import Load
from outlast.ports.environment import Environment
from outlast.ports.openid import OpenId
from outlast.ports.secrets import Secrets
from outlast.service.config import NodeConfig
from outlast.service.node import Node
from outlast.sim.bugs import plant
from outlast.sim.database import SimConnection
from outlast.sim.fence import SimFence
from outlast.sim.guest_links import SimLinks
from outlast.sim.host import SimHost
from outlast.sim.host_users import HostUsers, SimPam
from outlast.sim.hosts import SimHosts
from outlast.sim.load import SimLoad
from outlast.sim.machine import Machine
from outlast.sim.passwords import SimPasswords
from outlast.sim.peers import SimPeers
from outlast.sim.process import OUTSIDE, Process
from outlast.sim.provider import Outsider, SimOpenId
from outlast.sim.receivers import Outside, SimReceivers

if TYPE_CHECKING:
    from outlast.sim.world import World

SERVICE_RESTART_S = 1.0
"""systemd starts a service again that ended by itself, or was killed."""


class SimIncarnations:
    """A file under /run, and the machine's id."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def machine(self) -> str:
        return f"machine-{self._machine.name}"

    def load(self) -> str:
        return self._machine.incarnation

    def store(self, incarnation: str) -> None:
        self._machine.incarnation = incarnation

    def member_began(self) -> bool:
        return self._machine.member_began

    def note_member_began(self) -> None:
        self._machine.member_began = True

    def stop_of(self, resource: str) -> str:
        return self._machine.stops.get(resource, "")

    def note_stop(self, resource: str, word: str) -> None:
        self._machine.stops[resource] = word


@dataclass(slots=True)
class Service:
    """One life of one node's cluster service."""

    node: Node
    process: Process
    hosts: SimHosts
    connection: SimConnection


class Daemons:
    def __init__(self, world: "World") -> None:
        self.services: dict[str, Service] = {}
        """The present life of each node's cluster service, where it has one."""
        self._world = world
        self._frozen: list[Process] = []
        self._hosts: dict[str, list[SimHosts]] = {name: [] for name in world.setup.nodes}
        self._starting: dict[str, Process] = {}
        """Who will start the service of a node soon: a node that boots, or a service that is to be restarted."""
        self._lives = 0
        self._load_files: dict[str, dict[int, Load]] = {name: {} for name in world.setup.nodes}
        """No power cut takes them."""
        self.outside = Outside()
        """Who gets notices."""
        self.host_users = HostUsers()
        """Whom PAM knows on the nodes."""
        self.provider = Outsider()
        self.openid: OpenId = SimOpenId(self.provider)
        """Who is asked of those who sign in elsewhere. Another one must be told before services start."""
        self.secrets: Secrets | None = None
        """The key of the nodes for what they seal; likewise."""

    def start_service(self, node: str) -> None:
        """As systemd does it when it is asked to: nothing happens when the service runs, or is about to."""
        due = self._starting.get(node)
        if node not in self.services and self._world.machines[node].on and (due is None or not due.runs):
            self._start_service(node)

    def start_later(self, node: str, after_s: float) -> None:
        """Unless the node loses power before."""
        _, systemd = self._world.machines[node].spawn("systemd")
        self._starting[node] = systemd

        def start() -> None:
            if self._starting.pop(node, None) is systemd and node not in self.services:
                self._start_service(node)

        self._world.loop.call_later(after_s, start, context=systemd.context)

    def kill_service(self, node: str, *, restart_s: float | None = SERVICE_RESTART_S) -> None:
        """SIGKILL to outlastd. Its resource hosts are orphans from then on; no VM is touched."""
        service = self.services.pop(node, None)
        if service is None:
            return
        self._world.machines[node].end(service.process)
        self._gone(service)
        if restart_s is not None:
            self.start_later(node, restart_s)

    def freeze(self, node: str, what: str) -> None:
        """SIGSTOP to the service, or to all its resource hosts. Once more changes nothing."""
        for process in self._processes(node, what):
            if process not in self._frozen:
                process.freeze()
                self._frozen.append(process)

    def thaw(self, node: str, what: str) -> None:
        """Orphans of an earlier service too."""
        kind = f"{node}/{'service' if what == 'service' else 'rhs'}-"
        for process in [process for process in self._frozen if process.name.startswith(kind)]:
            self._frozen.remove(process)
            self._world.loop.thaw(process)

    def _processes(self, node: str, what: str) -> list[Process]:
        if what == "host":
            return [host.process for host in self.hosts_on(node)]
        service = self.services.get(node)
        return [service.process] if service else []

    def hosts_on(self, node: str) -> list[SimHost]:
        """Every resource host that lives there, orphans of services that ended too."""
        return [host for hosts in self._hosts[node] for host in hosts.live if host.process.alive]

    def kill_hosts(self, node: str) -> None:
        for host in self.hosts_on(node):
            host.die("was ended by signal 9")

    def power_gone(self, node: str) -> None:
        """The node's processes are dead already; what they held open is closed."""
        service = self.services.pop(node, None)
        if service is not None:
            self._world.database.detach(service.connection)

    def _start_service(self, node: str) -> None:
        machine = self._world.machines[node]
        self._lives += 1
        _, process = machine.spawn("service")
        connection = self._world.engine.connect(node)
        hosts = SimHosts(machine, f"{node}-{self._lives}", self._world.migrations)
        self._hosts[node] = [*(before for before in self._hosts[node] if before.live), hosts]
        environment = Environment(
            clock=machine.clock,
            random=Random(self._world.random.random()),
            database=connection,
            hosts=hosts,
            fence=SimFence(self._world.machines, self._world.powers, self._world.power_on, self._world.fenced),
            watchdog=self._world.watchdogs[node] if self._world.setup.watchdogs else None,
            incarnations=SimIncarnations(machine),
            peers=SimPeers(self._world.exchange, machine),
            members=self._world.engine.asked_by(connection),
            local_member=self._world.engine.of(node),
            links=SimLinks(machine),
            passwords=SimPasswords(),
            pam=SimPam(self.host_users),
            openid=self.openid,
            secrets=self.secrets,
            receivers=SimReceivers(self.outside, node),
            load=SimLoad(machine, self._load_files[node]),
        )
        config = NodeConfig(
            node=node,
            database="simulated",
            address=self._world.address(node),
            node_timeout_s=self._world.setup.node_timeout_s,
            fence=self._world.fence_devices(node),
            fence_action=self._world.setup.fence_action,
            memory_mib=self._world.setup.memory_mib,
            cpus=self._world.setup.cpus,
            migration="lab" if self._world.setup.live else "",
        )
        service = Service(Node(config, plant(self._world.setup.bugs, environment, machine)), process, hosts, connection)
        self.services[node] = service
        process.context.run(self._run_service, node, service)

    def _run_service(self, node: str, service: Service) -> None:
        task = self._world.loop.create_task(service.node.run(), name=f"service {node}")
        task.add_done_callback(lambda done: self._service_ended(node, service, done), context=OUTSIDE)

    def _service_ended(self, node: str, service: Service, task: "asyncio.Task[object]") -> None:
        if self.services.get(node) is not service:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._world.failed(f"the service of {node}", error)
        self._world.tell(f"the service of {node} ended")
        self.kill_service(node, restart_s=None)

    def _gone(self, service: Service) -> None:
        self._world.database.detach(service.connection)
        service.hosts.service_gone()
