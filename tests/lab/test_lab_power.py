"""The lab's BMCs, its fence agent and its watchdogs, as a node meets them."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from outlast.lab import cgroup, layout
from outlast.lab.bmc import Fault
from outlast.lab.lab import Lab

pytestmark = pytest.mark.lab

FEEDER = """
import sys, time
from outlast.adapters.watchdog import chosen
from pathlib import Path
watchdog = chosen('lab:' + {path!r}, Path('/run'))
watchdog.arm({timeout_s})
for _ in range({meals}):
    time.sleep(0.05)
    watchdog.feed()
{last}
print("done", flush=True)
time.sleep(100)
"""

KEEP_FEEDING = """
def keep_feeding():
    while True:
        watchdog.feed()
        time.sleep(0.05)

import threading
threading.Thread(target=keep_feeding).start()
"""


def fence(lab: Lab, action: str, plug: str = "", *more: str) -> tuple[int, str]:
    lines = "".join(f"{line}\n" for line in (f"action={action}", f"plug={plug}", *more))
    done = lab.run("n1", "fence_outlast_lab", stdin=lines)
    return done.returncode, done.stdout + done.stderr


def feed(lab: Lab, name: str, *, meals: int = 0, last: str = "", timeout_s: float = 0.5) -> None:
    """A process in the node arms its watchdog, feeds it, does a last thing, and then only lives on."""
    script = FEEDER.format(path=layout.WATCHDOG_SOCKET, meals=meals, last=last, timeout_s=timeout_s)
    (lab.node(name).var / "tmp/feeder.py").write_text(script)
    lab.exec(name, "sh", "-c", "setsid python /var/tmp/feeder.py </dev/null >/run/feeder 2>&1 &")
    lab.wait(lambda: not lab.is_on(name) or "done" in lab.run(name, "cat", "/run/feeder").stdout, 20)


def test_the_fence_agent_speaks_the_protocol(lab: Lab) -> None:
    assert fence(lab, "status", "n2") == (0, "Status: ON\n")
    assert fence(lab, "off", "n2") == (0, "Success: Powered OFF\n")
    assert cgroup.members(lab.node("n2").cgroup) == ()
    assert fence(lab, "status", "n2") == (2, "Status: OFF\n")
    assert fence(lab, "off", "n2")[0] == 0, "off twice is off"
    assert fence(lab, "on", "n2")[0] == 0
    assert fence(lab, "reboot", "n2")[0] == 0
    assert fence(lab, "status", "n2")[0] == 0
    assert fence(lab, "list") == (0, "n1,\nn2,\nn3,\n")
    assert fence(lab, "monitor")[0] == 0
    assert fence(lab, "dance", "n2")[0] == 1
    assert fence(lab, "off", "n7")[0] == 1
    code, metadata = fence(lab, "metadata")
    assert code == 0
    assert set(re.findall(r'parameter name="(\w+)"', metadata)) == {"action", "plug", "path", "power_timeout"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.FAIL, "the BMC refuses"), (Fault.HANG, "timed out"), (Fault.DEAD, "cannot be reached")],
)
def test_a_bmc_that_does_not_work_is_no_proof_of_death(lab: Lab, fault: Fault, words: str) -> None:
    lab.set_bmc_fault("n2", fault)
    code, said = fence(lab, "off", "n2", "power_timeout=0.3")
    assert code == 1
    assert words in said
    assert lab.is_on("n2")
    lab.set_bmc_fault("n2", Fault.NONE)
    assert fence(lab, "off", "n2")[0] == 0
    assert not lab.is_on("n2")


def test_a_lying_bmc_says_off_and_cuts_nothing(lab: Lab) -> None:
    lab.set_bmc_fault("n2", Fault.LIE)
    assert fence(lab, "off", "n2")[0] == 0
    assert fence(lab, "status", "n2")[0] == 2
    assert lab.is_on("n2")


def test_a_watchdog_that_is_not_fed_cuts_the_power_and_it_stays_off(lab: Lab) -> None:
    note = lab.node("n3").var / "tmp/fed"
    feed(lab, "n3", meals=30, last="open('/var/tmp/fed', 'w')", timeout_s=1.0)
    assert note.exists(), "fed for longer than its time-out, it did not bite"
    assert lab.wait(lambda: not lab.is_on("n3"), 20, "the watchdog cut the power") < 5
    assert lab.show()[2].why == "its watchdog was not fed for 1 s"
    lab.power_on("n3")
    lab.wait(lambda: lab.run("n3", "true").returncode == 0, 20)
    assert not lab.node("n3").armed.exists(), "the countdown of a former life is over"


def test_a_frozen_node_cannot_feed_its_watchdog(lab: Lab) -> None:
    feed(lab, "n3", last=KEEP_FEEDING)
    assert lab.is_on("n3")
    lab.freeze("n3")
    lab.wait(lambda: not lab.is_on("n3"), 20, "the watchdog cut the power")


def test_closing_the_watchdog_without_a_word_does_not_stop_it_but_disarming_does(lab: Lab) -> None:
    feed(lab, "n2", last="watchdog.disarm()")
    feed(lab, "n3", last="watchdog._close()")
    lab.wait(lambda: not lab.is_on("n3"), 20, "the watchdog cut the power")
    assert lab.is_on("n2")
    assert not lab.node("n2").armed.exists()


def test_power_works_without_the_daemon_and_an_armed_watchdog_survives_its_restart(lab: Lab) -> None:
    feed(lab, "n3", timeout_s=2.0)
    lab.wait(lambda: lab.node("n3").armed.exists(), 20, "the daemon has heard it")
    lab.kill_daemon(signal.SIGKILL)
    lab.power_off("n2")
    assert not lab.is_on("n2")
    lab.power_on("n2")  # brings a new daemon too
    lab.wait(lambda: not lab.is_on("n3"), 20, "the watchdog cut the power")
    assert fence(lab, "status", "n2")[0] == 0


def test_switching_off_never_ends_the_life_that_came_after(lab: Lab) -> None:
    """Two hands on the switch: whoever saw it off and powers it on again keeps what it started."""
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            off = pool.submit(lab.power_off, "n2")
            lab.wait(lambda: not lab.is_on("n2"), 20)
            lab.power_on("n2", wait=False)
            off.result()
            assert lab.is_on("n2")


def test_many_hands_may_cut_the_power_at_once(lab: Lab) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for cut in [pool.submit(lab.power_off, "n2", f"hand {hand}") for hand in range(8)]:
                cut.result()
            assert not lab.is_on("n2")
            assert lab.show()[1].why.startswith("hand ")
            lab.power_on("n2", wait=False)
