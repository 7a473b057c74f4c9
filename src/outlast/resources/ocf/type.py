"""The resource type: an agent drives each resource, and properties are checked before anything is made."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from outlast.plugin import Json, Refusal, TypeHost
from outlast.resources.by_programs.driver import Acted, NotUsable
from outlast.resources.by_programs.type import AT_ONCE, ProgramType
from outlast.resources.ocf import acting
from outlast.resources.ocf.driver import maker
from outlast.resources.ocf.exit_codes import ARGUMENTS, CONFIGURED, GENERIC, said
from outlast.resources.ocf.refused import SHARED_DAEMONS, why_not
from outlast.resources.ocf.settings import Settings, problems, read

DIRECTORY = Path("/var/lib/outlast/ocf")
VALIDATE = "validate-all"
VALIDATE_WITHIN_S = 3.0
"""Somebody waits for the answer, for five seconds (`ANSWER_DEADLINE_S`)."""


class OcfType(ProgramType):
    api_version = 1
    version = "1"
    functions: Sequence[str] = ("check", "agents")

    def __init__(self, host: TypeHost, directory: Path = DIRECTORY, root: Path = acting.ROOT) -> None:
        super().__init__("ocf", host, directory, maker(root), SHARED_DAEMONS)

    def control(self, verb: str, arguments: Mapping[str, Json]) -> Json:
        if verb == "check":
            return check(msgspec.convert(arguments.get("properties", {}), dict[str, Json]))
        if verb == "agents":
            return agents()
        raise Refusal(f'the type "ocf" has no function "{verb}"; it has: {", ".join(self.functions)}')


def check(properties: Mapping[str, Json]) -> list[str]:
    """What keeps a resource of these properties from running on this node, for people; empty when nothing does."""
    try:
        settings = read(properties)
        agent = acting.usable(settings.agent)
    except (NotUsable, ValueError) as error:
        return [str(error)]
    wrong = problems(settings, agent)
    if wrong or VALIDATE not in agent.timeouts_s:
        return list(wrong)
    answer = validate(settings)
    # Only what is wrong with the parameters themselves. What is missing here may be there when it starts: its file
    # system is another resource of its group.
    return [said(answer.code, answer.words)] if answer.code in (ARGUMENTS, CONFIGURED) else []


def validate(settings: Settings, within_s: float = VALIDATE_WITHIN_S) -> Acted:
    """The agent's own word about its parameters (validate-all). Raises `NotUsable`."""
    agent = acting.usable(settings.agent)
    timeout_s = min(within_s, agent.timeout_s(VALIDATE))
    running = acting.begin(
        agent, VALIDATE, instance=f"outlast-check-{os.getpid()}", parameters=settings.parameters, timeout_s=timeout_s
    )
    ended = running.wait()
    assert ended is not None
    if ended.timed_out:
        return Acted(GENERIC, f"its {VALIDATE} did not end within {timeout_s:g} s", timed_out=True)
    return Acted(ended.code, acting.reason(ended))


def agents() -> list[dict[str, str]]:
    """Every agent on this node, and why it cannot be used, if it cannot."""
    from concurrent.futures import ThreadPoolExecutor

    found = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, (words, problem) in pool.map(lambda name: (name, _described(name)), acting.installed()):
            found.append({"agent": name, "words": words, "problem": problem})
    return found


def _described(full_name: str) -> tuple[str, str]:
    try:
        agent = acting.describe(full_name)
    except NotUsable as error:
        return "", str(error)
    return agent.words, why_not(agent, acting.ROOT / "resource.d" / agent.provider / agent.name)
