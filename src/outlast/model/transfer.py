"""A live migration: where what runs is handed over to, and how far that has come."""

import msgspec


class Destination(msgspec.Struct, frozen=True):
    """The node that is to get it, and how the owner's node reaches it."""

    node: str
    address: str
    otherwise: str = ""
    """Where to reach it when nobody proves to be that node at `address`; empty: nowhere else."""
    certificates: str = ""
    """The directory with those of this node (`cacert.pem`, `clientcert.pem`, `clientkey.pem`); empty: the lab's nodes
    on one machine, where nothing is encrypted and all share one page cache."""
    one_cache: bool = False
    """The lab: source and destination are one machine with one page cache, so that no copy of a disk is ever old."""
    bandwidth_mib_s: int = 0
    """At most so much for this one; 0: as much as there is."""


class Transfer(msgspec.Struct, frozen=True):
    """How far it has come. Sizes in MiB."""

    percent: int
    rate_mib_s: float = 0.0
    left_mib: float = 0.0
    downtime_ms: int = 0
    """How long it is expected to stand still; at 100 %: how long it had stood still when its last state was there."""
    sent_mib: float = 0.0
    """So much has gone over the network."""
    address: str = ""
    """Where it goes, when that was found out; empty: no news of that."""

    @property
    def words(self) -> str:
        """For people: "43 %, 112 MiB/s, 310 MiB left"."""
        rate = f", {self.rate_mib_s:.0f} MiB/s" if self.rate_mib_s else ""
        left = f", {self.left_mib:.0f} MiB left" if self.left_mib else ""
        stands = f", will stand still for {self.downtime_ms} ms" if self.downtime_ms else ""
        return f"{self.percent} %{rate}{left}{stands}"
