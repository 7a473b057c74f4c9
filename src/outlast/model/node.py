"""Nodes, their sessions, their silence, and the proof of their death."""

import enum

import msgspec

from outlast.model.fence import FenceDevice
from outlast.model.network import NetworkState, OwnAddress
from outlast.model.volume import VolumeState
from outlast.model.watchdog import Strength


class Mark(msgspec.Struct, frozen=True):
    """Something that happened to a node and is remembered for a while."""

    id: str
    """Names the incarnation that it happened to, and what (`core/coordinator/marks.py`)."""
    why: str
    at_s: float
    """Wall clock, for people only; the coordinator ages marks by its own monotonic clock."""


class Node(msgspec.Struct, frozen=True):
    """What the cluster knows of a node whether it runs or not. Key `nodes/NAME`."""

    name: str
    address: str = ""
    fence: tuple[FenceDevice, ...] = ()
    """Empty: this node's death cannot be proven by fencing."""
    fence_by_command: bool = False
    """Its fence devices were set by command: what stands in its outlast.toml counts no more."""
    paused: bool = False
    """A paused node keeps what it owns and gets nothing new."""
    draining: bool = False
    """What runs here is being moved away, or was; until it is resumed. A draining node is paused."""
    force_drain: bool = False
    """What can go nowhere is taken offline."""
    drained_by: str = ""
    """Who wanted it so, for people."""
    leaving: str = ""
    """The incarnation in which its machine is shut down: it is drained for that, by force at the end. It counts for no
    other one, so after the boot the node takes groups again by itself."""
    calls_back: bool = False
    """An administrator resumed it and wants back what had left it; until it is all there."""
    rack: str = ""
    site: str = ""
    losses: tuple[Mark, ...] = ()
    """How often it was declared silent of late."""
    quarantined: str = ""
    """Not empty: it gets nothing, because it was lost too often; and this says so."""
    fenced: tuple[Mark, ...] = ()
    """How often it was fenced of late."""
    spared: str = ""
    """The incarnation that the storm guard keeps from being fenced (`core/coordinator/storm.py`)."""


class Offer(msgspec.Struct, frozen=True):
    """A resource type as one node can or cannot offer it."""

    type: str
    version: str = ""
    digest: str = ""
    """sha256 over the plugin's files, hex; empty when they cannot be read."""
    functions: tuple[str, ...] = ()
    problem: str = ""
    """Empty when the plugin loaded; else what is wrong, for people."""


class Session(msgspec.Struct, frozen=True):
    """A node's heartbeat record. Only its node writes it. Key `sessions/NODE`."""

    node: str
    incarnation: str
    """The node's life between two starts: another one has lost, or has proven to have stopped, what ran before."""
    beat: int
    """Up by one with each record of this incarnation."""
    machine: str = ""
    """Which machine bears the node's name, so that two of one name are told apart."""
    offers: tuple[Offer, ...] = ()
    memory_mib: int = 0
    """What resources may use here; 0: not known, and not limited."""
    cpus: int = 0
    processor: str = ""
    """Its name, and a digest of its kind and features: of the same ones a guest cannot tell which it has; empty: not
    known."""
    watchdog_s: float = 0.0
    """Everything that runs here runs under an armed watchdog with this countdown; 0: there is none."""
    watchdog: Strength | None = None
    """What that watchdog survives."""
    watchdog_problem: str = ""
    """Why none is declared although one is set, for people."""
    migration: str = ""
    """By which way this node hands over what runs, and takes it: "tls", "lab"; empty: by none."""
    in_migration_network: OwnAddress | None = None
    """Its address in the cluster's network for that; None: there is no such network, or it has not looked yet."""
    node_timeout_s: float = 0.0
    """By which this node counts: nobody calls it silent before that, whatever he counts by himself."""
    peers: tuple[str, ...] = ()
    """Whose promises this node asks for when the database is away (`core/membership/certainty.py`). A coordinator that
    is not
    among them must not take the watchdog's word for this node's death: nobody asked it to wait."""
    networks: tuple[NetworkState, ...] = ()
    """Those that protected VMs need, as far as this node can tell how they are here."""
    volumes: tuple[VolumeState, ...] = ()
    """The cluster's shared volumes, as this node has found them."""
    untold: tuple[str, ...] = ()
    """Groups of its own that may run here by now, although its report stands that nothing of them does: it is about to
    take that back. Until then that report is no ground to let them run elsewhere."""


class ProofKind(enum.Enum):
    FENCE = "fence"
    WATCHDOG = "watchdog"
    OPERATOR = "operator"


class Proof(msgspec.Struct, frozen=True):
    """Why a node of one incarnation certainly runs nothing any more (rule 4)."""

    kind: ProofKind
    words: str
    by: tuple[str, ...] = ()
    """The fence devices that switched it off; they can switch it on again."""


class Silence(msgspec.Struct, frozen=True):
    """The coordinator's word that a node is silent. Key `silences/NODE`.

    While it stands, the node of that incarnation cannot renew its session: every renewal compares that this key
    does not exist. Without proof it is a suspicion and gives nothing away.
    """

    node: str
    incarnation: str
    words: str
    watchdog_s: float = 0.0
    """As the node's last session declared it."""
    proof: Proof | None = None
    on_again: str = ""
    """What came of switching it on again after its death was proven by fencing; empty: not done (yet)."""


class Coordinator(msgspec.Struct, frozen=True):
    """Who decides for the cluster. Each of its writes compares this record. Key `coordinator`."""

    node: str
    incarnation: str
    term: int
