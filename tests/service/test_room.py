"""Memory and processors: what nodes say they have, and what is brought online where."""

import os
from typing import Any

import pytest
from played import group_of, play, played, session_of

from outlast.adapters.machine import capacity, processor, processor_of
from outlast.core.placement.capacity import Capacity, given
from outlast.sim.world import World

SETUP = "world memory=1000 cpus=4"


def ask(world: World, verb: str, **arguments: Any) -> str:
    """What it answered, or why it was refused."""
    world.administer("n1", verb, arguments)
    play(world, "run 20")
    return next(line for line in reversed(world.story.lines) if f"administrator on n1: {verb}" in line)


def answer(world: World, node: str, verb: str, **arguments: Any) -> Any:
    service = world.services[node]
    found = []

    async def listen() -> None:
        async for _, value in service.node.command(verb, arguments):
            found.append(value)

    service.process.context.run(world.loop.create_task, listen())
    play(world, "run 5")
    return found[-1]


def test_a_session_says_what_its_node_has() -> None:
    with played(SETUP, "start", "run 10") as world:
        session = session_of(world, "n2")
        assert session is not None
        assert (session.memory_mib, session.cpus) == (1000, 4)


def test_everybody_sees_what_of_a_node_was_given_away() -> None:
    with played(SETUP, "vm web memory=300 vcpus=2 preferred=n2", "start", "run 10") as world:
        row = answer(world, "n1", "node.show", name="n2")
        assert (row["memory_mib"], row["memory_used_mib"], row["cpus"], row["cpus_used"]) == (1000, 300, 4, 2)


def test_what_finds_no_room_waits_and_runs_when_there_is_some() -> None:
    vms = [f"vm vm{number} memory=600" for number in range(1, 5)]
    with played(SETUP, *vms, "start", "run 20") as world:
        running = [name for number in range(1, 5) if world.where(name := f"vm{number}")]
        assert len(running) == 3
        (waiting,) = {"vm1", "vm2", "vm3", "vm4"} - set(running)
        row = answer(world, "n1", "group.show", name=waiting)
        assert "it has 400 MiB of memory left of 1000, and 600 are needed" in row["why"]
        ask(world, "group.offline", name=running[0])
        play(world, "run 30")
        assert world.where(waiting)


def test_high_priority_gets_the_room_that_is_left_when_a_node_is_lost() -> None:
    vms = ["vm big1 memory=600 preferred=n1", "vm big2 memory=600 preferred=n2"]
    small = ["vm low memory=300 preferred=n3 priority=low", "vm high memory=400 preferred=n3 priority=high"]
    more = ["vm also memory=300 preferred=n3"]
    with played(SETUP, *vms, *small, *more, "start", "run 20", "power off n3", "run 60") as world:
        assert world.where("high")
        assert world.where("also")
        assert not world.where("low")


FULL = ("vm db memory=600 preferred=n1", "vm web memory=300 preferred=n1", "vm mail memory=300 possible=n1 offline")
"""On n1, when web is off and mail is on, there is no room for web."""


def test_what_is_brought_online_on_a_full_node_starts_on_another_one() -> None:
    with played(SETUP, *FULL, "start", "run 20") as world:
        ask(world, "group.offline", name="web")
        ask(world, "group.online", name="mail")
        assert (group_of(world, "web").owner, world.where("mail")) == ("n1", ["n1"])
        ask(world, "group.online", name="web")
        assert world.where("web") in (["n2"], ["n3"])


def test_what_no_node_has_room_for_is_refused_with_the_reasons() -> None:
    others = [f"vm big{number} memory=800 preferred=n{number}" for number in (2, 3)]
    with played(SETUP, *FULL, *others, "start", "run 20") as world:
        ask(world, "group.offline", name="web")
        ask(world, "group.online", name="mail")
        words = ask(world, "group.online", name="web")
        assert (
            "web cannot be brought online now: n1: it has 100 MiB of memory left of 1000, and 300 are needed" in words
        )
        assert not world.where("web")


@pytest.mark.parametrize("reserve", ["warn", "refuse"])
def test_what_would_break_the_promise_to_survive_a_lost_node_is_told_or_refused(reserve: str) -> None:
    vms = [f"vm vm{number} memory=400 preferred=n{number}" for number in (1, 2, 3)]
    later = ["vm vm4 memory=400 preferred=n1 offline", "vm vm5 memory=400 preferred=n2 offline"]
    lines = (SETUP, f"cluster survive_nodes=1 reserve={reserve}", *vms, *later, "start", "run 20")
    with played(*lines) as world:
        assert answer(world, "n2", "status")["alarms"] == ()
        assert ask(world, "group.online", name="vm4").endswith("group.online: done")
        words = ask(world, "group.online", name="vm5")
        if reserve == "refuse":
            assert "vm5 cannot be brought online: the promise to survive the loss of 1 node would be broken" in words
            assert not world.where("vm5")
        else:
            assert world.where("vm5")
            assert any("The promise to survive" in alarm for alarm in answer(world, "n2", "status")["alarms"])


def test_every_node_tells_what_would_happen_without_another_one() -> None:
    vms = [
        "vm web memory=600 preferred=n2",
        "vm db memory=600 preferred=n1",
        "vm low memory=300 preferred=n2 priority=low",
    ]
    with played(SETUP, *vms, "start", "run 20") as world:
        for node in ("n1", "n2", "n3"):
            found = answer(world, node, "what_if.node_down", nodes=["n2"])
            assert {row["group"]: row["to"] for row in found["restarts"]} == {"web": "n3", "low": "n1"}
        assert world.where("web") == ["n2"]


def test_a_machine_gives_what_it_has_but_for_what_the_host_needs() -> None:
    machine = capacity()
    with open("/proc/meminfo") as file:
        total_kib = int(next(line for line in file if line.startswith("MemTotal")).split()[1])
    assert machine == Capacity(total_kib // 1024, len(os.sched_getaffinity(0)))
    assert given(machine, memory_mib=None, cpus=None, host_memory_mib=1000) == Capacity(
        machine.memory_mib - 1000, machine.cpus
    )


@pytest.mark.parametrize(
    ("set_to", "found"),
    [
        ({"memory_mib": 512}, Capacity(512, 8)),
        ({"memory_mib": 0, "cpus": 0}, Capacity(0, 0)),
        ({"host_memory_mib": 4096}, Capacity(1, 8)),
    ],
    ids=str,
)
def test_a_nodes_settings_say_otherwise(set_to: dict[str, int], found: Capacity) -> None:
    usual: dict[str, Any] = {"memory_mib": None, "cpus": None, "host_memory_mib": 1024}
    assert given(Capacity(2048, 8), **(usual | set_to)) == found


def test_what_nobody_knows_is_not_limited() -> None:
    assert given(Capacity(), memory_mib=None, cpus=None, host_memory_mib=1024) == Capacity(0, 0)


CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC 7B13
stepping\t: 0
microcode\t: 0xffffffff
cpu MHz\t\t: {mhz}
flags\t\t: {flags}

processor\t: 1
cpu MHz\t\t: 1000
"""


def test_a_processor_is_known_by_its_kind_and_features_and_not_by_what_changes() -> None:
    one = processor_of(CPUINFO.format(mhz=2449.9, flags="fpu vme avx2"))
    assert one.startswith("AMD EPYC 7B13, ")
    assert processor_of(CPUINFO.format(mhz=1500, flags="avx2 fpu vme")) == one
    assert processor_of(CPUINFO.format(mhz=2449.9, flags="fpu vme")) != one
    arm = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
    assert processor_of(arm) not in ("", processor_of(arm.replace("0xd0c", "0xd49")))
    assert processor_of("") == ""
    assert processor() != ""
