"""Where does everything of a lab lie, and what is it called?

A lab is a directory, a cgroup and a network namespace; all three are found from its name alone, so that
`outlast lab down` can clean up after anything, without a list of what was started. A node's "disk" is its own
/etc and /var (they survive power off); its /run is new with each power-on; the rest is the host's.
"""

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from outlast.lab.errors import WrongInput

LABS = Path("/var/lib/outlast-lab")
CACHE = Path("/var/cache/outlast-lab")
DEFAULT_NAME = "lab"
MOST_NODES = 32
WITNESS = "w1"

# As a node sees them.
CONFIG = "/etc/outlast/outlast.toml"
POWER_SOCKET = "/run/outlast-lab/power.sock"
WATCHDOG_SOCKET = "/run/outlast-lab/watchdog.sock"
GUEST_LOGS = "/var/log/outlast-guests"


@dataclass(frozen=True, slots=True)
class LabPaths:
    name: str

    @property
    def root(self) -> Path:
        return LABS / self.name

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def database(self) -> Path:
        return self.root / "cluster.db"

    @property
    def shared(self) -> Path:
        return self.root / "shared"

    @property
    def images(self) -> Path:
        return self.shared / "images"

    @property
    def guests(self) -> Path:
        return self.root / "guests"

    @property
    def network(self) -> Path:
        """The lab's network namespace, held by a mount: it lives without any process in it."""
        return self.root / "net"

    @property
    def power_socket(self) -> Path:
        return self.root / "power.sock"

    @property
    def daemon_log(self) -> Path:
        return self.root / "daemon.log"

    @property
    def cgroup(self) -> str:
        return f"outlast-lab.{self.name}"

    def node(self, name: str) -> "NodePaths":
        return NodePaths(self, name)


@dataclass(frozen=True, slots=True)
class NodePaths:
    lab: LabPaths
    name: str

    @property
    def root(self) -> Path:
        return self.lab.root / "nodes" / self.name

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def var(self) -> Path:
        return self.root / "var"

    @property
    def init(self) -> Path:
        """Holds the process id of the node's first process, as the host counts."""
        return self.root / "init"

    @property
    def power(self) -> Path:
        """Holds why the node is on or off."""
        return self.root / "power.json"

    @property
    def board(self) -> Path:
        """The node's /run/outlast-lab: what its mainboard would hold, the BMC and the watchdog."""
        return self.root / "board"

    @property
    def armed(self) -> Path:
        """Holds what the node's watchdog is armed with; gone when it is not."""
        return self.root / "watchdog.json"

    @property
    def devices(self) -> Path:
        """Holds which of the host's devices the node has besides the usual ones, such as kvm."""
        return self.root / "devices"

    @property
    def boot_log(self) -> Path:
        return self.root / "boot.log"

    @property
    def guest_logs(self) -> Path:
        return self.var / "log" / "outlast-guests"

    @property
    def cgroup(self) -> str:
        return f"{self.lab.cgroup}/{self.name}"


def check_lab_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise WrongInput(
            f'cannot use "{name}" as a lab\'s name: it takes lower-case letters, digits and "-", 31 at most'
        )
    return name


def node_names(count: int) -> tuple[str, ...]:
    if not 1 <= count <= MOST_NODES:
        raise WrongInput(f"cannot build a lab of {count} nodes: 1 to {MOST_NODES} are possible")
    return tuple(f"n{number}" for number in range(1, count + 1))


def address_of(node: str) -> str:
    return f"10.77.0.{(100 if node == WITNESS else 10) + int(node[1:])}"


def uuid_of(lab: str, node: str) -> str:
    """Stands in for what a mainboard has burnt in: libvirt tells hosts apart by it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.{lab}.outlast-lab.invalid"))


def check_guest_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name):
        raise WrongInput(f'cannot use "{name}" as a guest\'s name: letters, digits, ".", "_" and "-", 60 at most')
    return name


def guest_image(lab: LabPaths, name: str, on_node: str = "") -> tuple[Path, Path]:
    """A guest's disk as the host and as the node sees it. With `on_node` it is that node's own, unseen by others."""
    if on_node:
        seen_as = Path("/var/lib/libvirt/images") / f"{name}.img"
        return lab.node(on_node).var / seen_as.relative_to("/var"), seen_as
    return lab.images / f"{name}.img", lab.images / f"{name}.img"
