"""Every fence agent of the distribution, as it is: does it describe itself so that its parameters can be checked?"""

import asyncio
import shutil

import pytest

from outlast.adapters.fence_agents import FenceAgents
from outlast.core.fence_parameters import OURS, is_secret, problems, translated
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


def _default(agent: FenceAgent, parameter: str) -> str:
    return next(one.default for one in agent.parameters if one.name == parameter)
