"""The links of a machine, by rtnetlink: in a network namespace of its own, with links that `ip` makes."""

import json
import os
import shutil
import subprocess
import sys

import pytest

STEPS = """
import asyncio, json, subprocess, sys
from outlast.adapters.netlink import NetlinkLinks

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def told(links):
    return {one.name: [one.kind, one.is_up, one.has_carrier, one.bridge] for one in links.read() if one.name != "lo"}

async def main():
    links = NetlinkLinks()
    seen = [told(links)]
    for step in sys.argv[1:]:
        waiting = asyncio.ensure_future(links.changed())
        await asyncio.sleep(0)
        for words in step.split(";"):
            ip(words.strip())
        await asyncio.wait_for(waiting, 10)
        seen.append(told(links))
    quiet = asyncio.ensure_future(links.changed())
    done, _ = await asyncio.wait([quiet], timeout=0.5)
    quiet.cancel()
    print(json.dumps([seen, not done]))

asyncio.run(main())
"""

Told = dict[str, list[object]]


@pytest.fixture
def ip() -> None:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("a network namespace of its own takes root, unshare and ip")


def play(*steps: str) -> tuple[list[Told], bool]:
    """What is read at first and after each step; and whether nothing is told when nothing happens."""
    command = ["unshare", "--net", sys.executable, "-c", STEPS, *steps]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen, quiet = json.loads(done.stdout)
    return seen, quiet


@pytest.mark.usefixtures("ip")
def test_each_change_of_a_bridge_and_its_uplink_is_told_and_read() -> None:
    seen, quiet = play(
        "link add br0 type bridge; link add far0 type veth peer name up0",
        "link set up0 master br0; link set br0 up; link set up0 up; link set far0 up",
        "link set far0 down",
        "tuntap add dev tap0 mode tap; link set tap0 master br0",
        "link del up0",
    )
    empty, made, joined, pulled, with_tap, gone = seen
    assert not {"br0", "far0", "up0"} & empty.keys()
    assert made["br0"][:2] == ["bridge", False]
    assert made["up0"] == ["veth", False, False, ""]
    assert joined["up0"] == ["veth", True, True, "br0"]
    assert joined["br0"][:2] == ["bridge", True]
    assert pulled["up0"] == ["veth", True, False, "br0"]
    assert with_tap["tap0"][0] == "tun"
    assert with_tap["tap0"][3] == "br0"
    assert not {"far0", "up0"} & gone.keys()
    assert quiet, "nothing changes, and nothing is told"


ASK = """
import subprocess, sys
from outlast.adapters.netlink import NetlinkLinks
for words in sys.argv[1].split(";"):
    subprocess.run(["ip", *words.split()], check=True)
print(",".join(NetlinkLinks().address_in(network) for network in sys.argv[2:]))
"""


@pytest.mark.usefixtures("ip")
def test_the_own_address_in_a_network_is_the_one_of_a_link_that_is_up() -> None:
    networks = ("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "fd00:1::/64")
    steps = (
        "link add a0 type veth peer name b0; link set a0 up; link set b0 up; address add 10.1.0.7/24 dev a0;"
        "address add fd00:1::7/64 dev a0 nodad; link add c0 type veth peer name d0; address add 10.2.0.7/24 dev c0;"
        "route add default via 10.1.0.1"
    )
    command = ["unshare", "--net", sys.executable, "-c", ASK, steps, *networks]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "10.1.0.7,,,fd00:1::7"
