"""An OCF agent with certain parameters, as a driver of resources that are run by programs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from outlast.plugin import Health, Json, ResourceName
from outlast.resources.by_programs.driver import Acted, Action
from outlast.resources.ocf import acting, exit_codes
from outlast.resources.ocf.metadata import Agent
from outlast.resources.ocf.settings import Settings, problems, read
from outlast.resources.programs import Ended, Running

NAMES = {Action.START: "start", Action.STOP: "stop", Action.TERMINATE: "stop", Action.ASK: "monitor"}
"""An agent has no other way to stop than the one."""


class OcfDriver:
    def __init__(self, instance: ResourceName, settings: Settings, agent: Agent, root: Path) -> None:
        self._instance = instance
        self._settings = settings
        self._agent = agent
        self._root = root

    def name_of(self, action: Action) -> str:
        return NAMES[action]

    def timeout_s(self, action: Action) -> float:
        return self._settings.timeout_s(NAMES[action], self._agent)

    def problems(self) -> Sequence[str]:
        return problems(self._settings, self._agent)

    def begin(
        self,
        action: Action,
        *,
        thorough: bool,
        started: bool,
        timeout_s: float,
        extra: Mapping[str, str],
        cgroup: str,
    ) -> Running:
        return acting.begin(
            self._agent,
            NAMES[action],
            instance=self._instance,
            parameters=self._settings.parameters,
            timeout_s=timeout_s,
            level=self._settings.check_level if thorough else 0,
            recurring=started and action is Action.ASK,
            extra=extra,
            cgroup=cgroup,
            root=self._root,
        )

    def reason(self, ended: Ended) -> str:
        return acting.reason(ended)

    def told(self, acted: Acted) -> str:
        return exit_codes.said(acted.code, acted.words)

    def done(self, acted: Acted) -> bool:
        return acted.code == exit_codes.OK and not acted.timed_out

    def health(self, acted: Acted, *, started: bool) -> Health:
        return exit_codes.health(acted.code, acted.words, started=started)

    def gone(self, acted: Acted) -> bool:
        return exit_codes.meaning(acted.code).gone


def maker(root: Path) -> Callable[[ResourceName, Mapping[str, Json]], OcfDriver]:
    """Raises as `MakeDriver` has it."""

    def make(name: ResourceName, properties: Mapping[str, Json]) -> OcfDriver:
        settings = read(properties)
        return OcfDriver(name, settings, acting.usable(settings.agent, root), root)

    return make
