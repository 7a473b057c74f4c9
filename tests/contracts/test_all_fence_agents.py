"""Every fence agent of the distribution, as it is: does it describe itself so that its parameters can be checked?"""

import asyncio
import shutil

import pytest

from outlast.adapters.fence_agents import FenceAgents
from outlast.core.fence.agents import CUTS_OFF, NEEDED, NO_PROOF, POWER, agent_no_proof, is_known
from outlast.core.fence.fence_parameters import OURS, is_secret, problems, translated
from outlast.model.fence import FenceAgent
from outlast.ports.fence import FenceFailed

pytestmark = pytest.mark.skipif(
    not shutil.which("fence_ipmilan"), reason="Debian's package fence-agents is not installed"
)
NO_AGENTS = {"fence_ack_manual"}
"""A command for administrators that happens to bear such a name."""
TYPES = {"string", "boolean", "integer", "second", "select"}


@pytest.fixture(scope="module")
def described() -> dict[str, FenceAgent | str]:
    async def ask_all() -> dict[str, FenceAgent | str]:
        port, gate = FenceAgents(), asyncio.Semaphore(4)

        async def ask(name: str) -> FenceAgent | str:
            async with gate:
                try:
                    return await port.describe(name, timeout_s=60.0)
                except FenceFailed as error:
                    return str(error)

        names = [name for name in await port.agents() if name != "fence_outlast_lab"]
        return dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))

    return asyncio.run(ask_all())


def test_all_agents_of_the_distribution_describe_themselves(
    described: dict[str, FenceAgent | str], capsys: pytest.CaptureFixture[str]
) -> None:
    agents = {name: found for name, found in described.items() if isinstance(found, FenceAgent)}
    parameters = sum(len(agent.parameters) for agent in agents.values())
    with capsys.disabled():
        print(f"\n{len(described)} programs, {len(agents)} agents, {parameters} parameters understood")
    assert set(described) - set(agents) == NO_AGENTS
    assert len(described) >= 84
    assert all(agent.words and agent.parameters for agent in agents.values())


def test_a_program_that_is_no_agent_is_told_so(described: dict[str, FenceAgent | str]) -> None:
    assert "fence_ack_manual is no fence agent: it does not describe itself" in str(described["fence_ack_manual"])


def test_every_type_of_parameter_is_known_and_every_password_recognised(
    described: dict[str, FenceAgent | str],
) -> None:
    agents = [found for found in described.values() if isinstance(found, FenceAgent)]
    everything = [(agent.name, one) for agent in agents for one in agent.parameters]
    assert {one.type for _, one in everything} <= TYPES
    texts = [(name, one) for name, one in everything if one.type == "string" and "script" not in one.name]
    by_words = {(name, one.name) for name, one in texts if "password" in one.words.lower()}
    assert len(by_words) > 60
    assert {found for found in by_words if not is_secret(found[1])} == set()


def test_what_every_agent_says_of_itself_makes_a_device_that_can_be_checked(
    described: dict[str, FenceAgent | str],
) -> None:
    """All that it needs, each of its kind: nothing is found wrong. Without it: each missing thing is named."""
    values = {"string": "x", "boolean": "1", "integer": "7", "second": "7"}
    for agent in described.values():
        if isinstance(agent, FenceAgent):
            needed = {
                one.name: one.choices[0] if one.choices else values.get(one.type, "x")
                for one in agent.parameters
                if one.required and not one.deprecated and one.name not in OURS
            }
            assert problems(translated(needed, agent), agent) == (), agent.name
            missing = [one for one in needed if not _default(agent, one)]
            assert len(problems({}, agent)) == len(missing), agent.name


def test_of_every_agent_it_is_known_what_its_off_is_worth(described: dict[str, FenceAgent | str]) -> None:
    assert {name for name in described if not is_known(name)} == set()


def test_the_table_and_what_the_agents_say_of_themselves_do_not_contradict_each_other(
    described: dict[str, FenceAgent | str],
) -> None:
    """What must be given back to a node that starts was not its power, and who confirms must have a status."""
    agents = {name.removeprefix("fence_"): found for name, found in described.items() if isinstance(found, FenceAgent)}
    gives_back = {name for name, agent in agents.items() if agent.gives_back}
    assert gives_back == {name for name in CUTS_OFF if name in agents} | {"compute"}
    assert {name for name in POWER if name in agents and not set(NEEDED) <= set(agents[name].actions)} == set()
    without_status = {name for name, agent in agents.items() if not set(NEEDED) <= set(agent.actions)}
    assert without_status == {"heuristics_ping", "kdump", "ovh", "rcd_serial"}
    assert without_status <= set(NO_PROOF)
    for name in gives_back | without_status:
        stranger = agents[name]
        assert agent_no_proof("fence_of_a_site", stranger), f"{name} under a name that nobody knows"


def test_an_agent_that_cuts_a_node_off_and_one_that_cuts_the_power_are_told_apart(
    described: dict[str, FenceAgent | str],
) -> None:
    worth = {name: agent_no_proof(name, found) for name, found in described.items() if isinstance(found, FenceAgent)}
    for name in ("scsi", "mpath", "brocade", "sanbox2", "cisco_mds", "ifmib"):
        assert "the node runs on" in worth[f"fence_{name}"]
    for name in ("dummy", "kdump", "sbd", "compute", "heuristics_ping", "crosslink"):
        assert "proves no death" in worth[f"fence_{name}"]
    for name in ("ipmilan", "redfish", "ilo5", "apc", "virsh", "vmware_soap", "aws"):
        assert worth[f"fence_{name}"] == ""


def _default(agent: FenceAgent, parameter: str) -> str:
    return next(one.default for one in agent.parameters if one.name == parameter)
