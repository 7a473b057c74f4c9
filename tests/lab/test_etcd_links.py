"""Links that part a cluster in two, and that come and go: with real etcd, real services, real guests."""

import time
from pathlib import Path

import pytest

from lab.guarded import ALL, WITHIN_S, Guarded, ThreeGuests
from outlast.core.membership import permit
from outlast.lab import history

pytestmark = pytest.mark.lab

CUT_S = 1.2
"""Longer than etcd bears without a leader, and shorter than a permit."""
FLAPS = 8


class Running(ThreeGuests):
    def processes(self) -> dict[str, int]:
        return {guest: self.cluster.qemu_pid(owner, guest) for guest, owner in self.owners.items()}

    def lives(self) -> dict[str, str]:
        return {row.name: row.incarnation for row in self.cluster.status().nodes}

    def permit_s(self, node: str) -> float:
        init = self.lab.node(node).init.read_text().strip()
        record = permit.from_bytes(Path(f"/proc/{init}/root/run/outlast/permit").read_bytes())
        return record.until_s if record is not None else 0.0

    def unite_until_renewed(self, victim: str, others: list[str]) -> None:
        """By what was sent after the link was back: an answer that the cut held up gives a permit that is as old."""
        self.lab.unite([victim], others)
        enough_s = 2 * CUT_S + 1
        self.lab.wait(lambda: self.permit_s(victim) > history.now_s() + enough_s, WITHIN_S, "it has renewed")


@pytest.fixture
def running(guarded: Guarded) -> Running:
    ready = Running(guarded("promises", clear=False, nodes=3, database="etcd"))
    ready.prepare()
    return ready


def test_a_split_leaves_all_that_the_majority_runs_alone_and_what_the_other_side_ran_starts_there(
    running: Running,
) -> None:
    """One side has the majority, whoever led etcd before; the other one stops in time."""
    alone = running.owners["web1"]
    majority = [name for name in ALL if name != alone]
    kept = {guest: pid for guest, pid in running.processes().items() if running.owners[guest] != alone}
    moved = [guest for guest in running.owners if guest not in kept]
    before = running.cluster.outputs(moved, majority)
    running.lab.split([alone], majority)
    running.cluster.wait_for_output(moved, majority, before, within_s=WITHIN_S)
    rows = {row.name: row for row in running.cluster.status(majority[0]).groups}
    assert {rows[guest].owner for guest in moved} <= set(majority)
    assert {guest: running.cluster.qemu_pid(rows[guest].owner, guest) for guest in kept} == kept
    assert not any(running.cluster.qemu_pid(alone, guest) for guest in moved)


def test_a_link_of_the_database_that_flaps_costs_no_session_and_no_vm(running: Running) -> None:
    victim = running.owners["web1"]
    lives, processes = running.lives(), running.processes()
    others = [name for name in ALL if name != victim]
    for _ in range(FLAPS):
        running.lab.split([victim], others, plane="database")
        time.sleep(CUT_S)  # so long the fault lasts
        running.unite_until_renewed(victim, others)
    assert running.processes() == processes
    assert running.lives() == lives
