"""The demo: its times are those of the events, and it runs from beginning to end and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import healthy
import pytest

from outlast.cli import output
from outlast.cli.lab.demo.times import Other, failover, tables
from outlast.model.event import Event

LAB = "demo-test"
NODE_DIED = (
    healthy.event("failed", "db failed on n1, long before", group="db", at_s=healthy.AT_S - 50),
    healthy.event("node-silent", "n1 wrote no session record", group="", about="n1", at_s=healthy.AT_S + 5.0),
    healthy.event("node-dead", "n1 is dead", group="", about="n1", at_s=healthy.AT_S + 5.5),
    healthy.event("decided", "web goes to n2", about="n2", at_s=healthy.AT_S + 5.6),
    healthy.event("decided", "db goes to n3", group="db", about="n3", at_s=healthy.AT_S + 5.7),
    healthy.event("online-pending", "db starts", group="db", about="n3", at_s=healthy.AT_S + 5.8),
)


def test_each_step_counts_from_the_fault_and_belongs_to_its_vm() -> None:
    told = failover(
        "power cut", "db", "n1", NODE_DIED, fault_at_s=healthy.AT_S, answered_at_s=healthy.AT_S + 6.25, node="n1"
    )
    assert told.target == "n3"
    times = (told.seen_s, told.fenced_s, told.decided_s, told.started_s, told.answers_s)
    assert times == pytest.approx((5.0, 5.5, 5.7, 5.8, 6.25))


def test_a_vm_that_failed_alone_needs_no_fence() -> None:
    events: tuple[Event, ...] = tuple(healthy.failover())
    told = failover("QEMU killed", "web", "n1", events, fault_at_s=healthy.AT_S, answered_at_s=healthy.AT_S + 0.4)
    assert (told.seen_s, told.fenced_s) == (0.0, None)


def test_a_step_that_is_not_in_the_log_is_not_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    told = failover("power cut", "db", "n1", [], fault_at_s=0.0, answered_at_s=7.0, node="n1")
    output.parts(tables([told], [Other("n1 powered on", "it came back", 1.5)], 120))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ["power", "cut", "db", "n1", "to", "?", "?", "?", "?", "?", "7.00"]
    assert lines[-1] == ["n1", "powered", "on", "it", "came", "back", "1.50"]


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0, reason="a lab takes root")
def test_the_demo_runs_to_its_end_and_leaves_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "outlast.cli.main", "lab", "demo", "--name", LAB],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none ever ran twice" in done.stdout
    assert "How long each step took" in done.stdout
    assert not Path(f"/var/lib/outlast-lab/{LAB}").exists()
