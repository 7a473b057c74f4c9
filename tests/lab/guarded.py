"""What clusters of the lab tests have in common: no guest ever runs twice; and one that runs a guest on each node.

QEMU's image lock is switched off everywhere (rule 5), so it cannot hide a second copy; the watcher and the disks tell.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outlast.lab.cluster import LabCluster
from outlast.lab.lab import Lab
from ran_twice import RanTwice

Guarded = Callable[..., LabCluster]
"""(kind, clear=True, **options): the fixture `guarded` of conftest.py."""

WITHIN_S = 120.0
ALL = ("n1", "n2", "n3")
GUESTS = ("web1", "web2", "web3")


@contextmanager
def no_guest_twice(lab: Lab) -> Iterator[None]:
    with lab.watcher() as watcher:
        yield
    if watcher.findings:
        raise RanTwice(f"two copies of a guest ran at once: {watcher.findings}")
    if damage := lab.check_disks():
        raise RanTwice(f"two copies of a guest wrote to one disk: {damage}")


class ThreeGuests:
    """Three nodes, and a guest for each. What a test has protected stays, for the next one."""

    a_while = 200
    """Bytes of a beacon's output: some ten seconds of it."""

    def __init__(self, cluster: LabCluster) -> None:
        self.cluster = cluster
        self.lab = cluster.lab
        self.owners: dict[str, str] = {}
        """Guest to the node where it runs."""

    def prepare(self) -> None:
        self.lab.heal()
        for name in ALL:
            if not self.lab.is_on(name):
                self.lab.power_on(name)
        self.cluster.wait_for_members(within_s=WITHIN_S)
        there = {row.name for row in self.cluster.status().groups}
        for guest in GUESTS:
            if guest not in there:
                self.cluster.protect("beacon", guest)
        self.cluster.wait_online(*GUESTS, within_s=WITHIN_S)
        self.remember()

    def remember(self) -> None:
        """What must stay as it is now."""
        self.owners = {row.name: row.owner for row in self.cluster.status().groups}

    def alarm(self, node: str) -> str:
        return " ".join(self.cluster.status(node).alarms)

    def wait_for_a_while_of_output(self) -> None:
        """Every guest goes on where it is."""
        before = self.cluster.outputs(GUESTS, ALL)

        def grown(guest: str, owner: str) -> int:
            return self.cluster.outputs([guest], [owner])[guest, owner] - before[guest, owner]

        at = self.owners.items()
        self.lab.wait(lambda: all(grown(*one) > self.a_while for one in at), WITHIN_S, "all guests go on")
