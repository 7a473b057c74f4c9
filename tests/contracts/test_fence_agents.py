"""What the fence port promises, kept by fence agents: programs that read `key=value` lines, as Debian ships them."""

import asyncio
import shutil
from pathlib import Path

import pytest

from outlast.adapters.fence_agents import FenceAgents
from outlast.model.fence import FenceDevice, Power
from outlast.ports.fence import FenceFailed

SOON_S = 20.0  # catches a hang, measures nothing

# It remembers what it was told, line by line; $STATUS_CODES are the answers to "status", one after the other.
AGENT = """#!/bin/sh
here=$(dirname "$0")
cat >"$here/input"
action=$(sed -n 's/^action=//p' "$here/input")
echo "$action" >>"$here/asked"
case $action in
off) {off} ;;
status) n=$(grep -c status "$here/asked"); code=$(echo "{codes}" | cut -d' ' -f"$n"); exit "$code" ;;
esac
"""


def agent(directory: Path, *, off: str = "exit 0", codes: str = "2 2 2 2 2 2") -> FenceDevice:
    program = directory / "fence_test"
    program.write_text(AGENT.format(off=off, codes=codes))
    program.chmod(0o755)
    return FenceDevice(str(program), {"plug": "n2", "passwd": "not for everyone"})


def switch_off(device: FenceDevice, timeout_s: float = SOON_S) -> str:
    return asyncio.run(FenceAgents().off("n2", device, timeout_s=timeout_s))


def asked(directory: Path) -> list[str]:
    return (directory / "asked").read_text().split()


def test_off_is_believed_only_when_the_device_says_so_when_asked(tmp_path: Path) -> None:
    assert switch_off(agent(tmp_path)) == "n2 is off"
    assert asked(tmp_path) == ["off", "status"]


def test_it_is_asked_again_while_the_device_says_that_the_node_is_still_on(tmp_path: Path) -> None:
    assert switch_off(agent(tmp_path, codes="0 0 2")) == "n2 is off"
    assert asked(tmp_path) == ["off", "status", "status", "status"]


def test_a_device_that_refuses_proves_nothing_and_its_words_are_told(tmp_path: Path) -> None:
    with pytest.raises(FenceFailed, match="cannot log in"):
        switch_off(agent(tmp_path, off="echo cannot log in; exit 1"))


def test_a_device_that_cannot_tell_whether_the_node_is_off_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FenceFailed, match="cannot tell whether n2 is off"):
        switch_off(agent(tmp_path, codes="1"))


def test_a_device_that_hangs_proves_nothing_and_its_processes_are_ended(tmp_path: Path) -> None:
    hanging = agent(tmp_path, off=f"sleep 600 & echo $! >{tmp_path}/child; wait")
    with pytest.raises(FenceFailed, match="did not confirm within 1 s"):
        switch_off(hanging, timeout_s=1.0)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}")
    assert not child.exists() or "Z" in (child / "stat").read_text().rpartition(")")[2].split()[0]


def test_a_node_that_never_goes_off_is_not_proven_dead(tmp_path: Path) -> None:
    with pytest.raises(FenceFailed, match="did not confirm"):
        switch_off(agent(tmp_path, codes="0 0 0 0 0 0 0 0 0"), timeout_s=1.0)


def test_an_agent_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(FenceFailed, match="there is no fence agent fence_nowhere"):
        switch_off(FenceDevice("fence_nowhere"))


def test_parameters_go_to_standard_input_where_no_other_process_sees_them(tmp_path: Path) -> None:
    device = agent(tmp_path)
    switch_off(device)
    assert (tmp_path / "input").read_text().splitlines() == ["plug=n2", "passwd=not for everyone", "action=status"]


def test_what_an_agent_repeats_of_its_secrets_is_taken_out_of_its_words(tmp_path: Path) -> None:
    forms = "login: not for everyone; not%20for%20everyone; bm90IGZvciBldmVyeW9uZQ=="
    echoes = f"echo '{forms}' >&2; cat \"$here/input\"; exit 1"
    with pytest.raises(FenceFailed, match="login: ") as failed:
        switch_off(agent(tmp_path, off=echoes))
    assert "everyone" not in str(failed.value)
    assert "passwd=***" in str(failed.value)


def test_of_an_agent_that_broke_off_only_the_error_is_told(tmp_path: Path) -> None:
    breaks = "python3 -c 'import json; json.loads(chr(120))'; exit 1"
    with pytest.raises(FenceFailed, match=r"n2 off: the agent broke off: .*Expecting value"):
        switch_off(agent(tmp_path, off=breaks))


def test_half_a_secret_is_not_left_over_where_words_are_cut(tmp_path: Path) -> None:
    echoes = "for n in $(seq 40); do echo not for everyone; done; exit 1"
    with pytest.raises(FenceFailed) as failed:
        switch_off(agent(tmp_path, off=echoes))
    assert "everyone" not in str(failed.value)


def test_no_secret_is_in_a_command_line_or_in_the_environment_of_an_agent(tmp_path: Path) -> None:
    shows = "tr '\\0' '\\n' </proc/$$/cmdline >\"$here/cmdline\"; env >\"$here/environment\"; exit 0"
    switch_off(agent(tmp_path, off=shows))
    assert "fence_test" in (tmp_path / "cmdline").read_text()
    assert "everyone" not in (tmp_path / "cmdline").read_text() + (tmp_path / "environment").read_text()


def test_the_status_of_a_device_is_asked_without_switching_anything(tmp_path: Path) -> None:
    device = agent(tmp_path, codes="0 2 1")
    ask = FenceAgents()
    assert asyncio.run(ask.status("n2", device, timeout_s=SOON_S)) is Power.ON
    assert asyncio.run(ask.status("n2", device, timeout_s=SOON_S)) is Power.OFF
    with pytest.raises(FenceFailed, match="cannot tell"):
        asyncio.run(ask.status("n2", device, timeout_s=SOON_S))
    assert asked(tmp_path) == ["status"] * 3


def test_a_node_is_switched_on_by_the_same_device(tmp_path: Path) -> None:
    assert asyncio.run(FenceAgents().on("n2", agent(tmp_path), timeout_s=SOON_S)) == "n2 is on"
    assert asked(tmp_path) == ["on"]


@pytest.mark.skipif(not shutil.which("fence_dummy"), reason="Debian's package fence-agents is not installed")
def test_an_agent_of_the_distribution_is_understood(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("on")
    dummy = FenceDevice("fence_dummy", {"type": "file", "status_file": str(state), "plug": "n2"})
    assert switch_off(dummy) == "n2 is off"
    assert state.read_text().strip() == "off"
