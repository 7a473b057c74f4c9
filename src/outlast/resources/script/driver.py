"""What do the executables of a script resource mean by their exit codes, and what are they given?"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outlast.plugin import Condition, Health, Json, ResourceName
from outlast.resources.by_programs.driver import Acted, Action
from outlast.resources.environment import environment_of
from outlast.resources.programs import SEARCH_PATH, Ended, Running

NEEDED = ("online", "offline", "is-alive")
OPTIONAL = ("terminate", "looks-alive")
TIMEOUTS: Mapping[str, float] = {"start_timeout_s": 60.0, "stop_timeout_s": 60.0, "ask_timeout_s": 10.0}
LONGEST_TIMEOUT_S = 3600.0
_TIMEOUT_OF = {
    Action.START: "start_timeout_s",
    Action.STOP: "stop_timeout_s",
    Action.TERMINATE: "stop_timeout_s",
    Action.ASK: "ask_timeout_s",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of an exit code of `is-alive` and `looks-alive`. All others want 0, and mean "no" by everything else."""

    words: str
    started: Condition
    """When it was started here."""
    not_started: Condition
    running: bool


C = Condition
MEANINGS: Mapping[int, Meaning] = {
    0: Meaning("it serves", C.ONLINE, C.ONLINE, running=True),
    1: Meaning("it does not serve", C.FAILED, C.UNKNOWN, running=True),
    2: Meaning("nothing of it runs", C.FAILED, C.OFFLINE, running=False),
}
NOTHING_RUNS = 2
OTHER = Meaning("it cannot tell", C.UNKNOWN, C.UNKNOWN, running=True)


@dataclass(frozen=True, slots=True)
class Settings:
    directory: Path
    environment: Mapping[str, str]
    timeouts_s: Mapping[str, float]


def read(properties: Mapping[str, Json]) -> Settings:
    """Raises ValueError, in words."""
    environment = environment_of(properties)
    unknown = [n for n in properties if n != "directory" and n not in TIMEOUTS and not n.startswith("env.")]
    if unknown:
        raise ValueError(f"a script has no property {unknown[0]}; it has directory, env.NAME, {', '.join(TIMEOUTS)}")
    directory = properties.get("directory")
    if not isinstance(directory, str) or not directory.startswith("/"):
        raise ValueError(f"directory cannot be {directory!r}: it takes the path of the one where the executables are")
    timeouts_s = dict(TIMEOUTS)
    for name in TIMEOUTS:
        value = properties.get(name, TIMEOUTS[name])
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_TIMEOUT_S:
            raise ValueError(
                f"{name} cannot be {value!r}: it takes seconds, more than 0, at most {LONGEST_TIMEOUT_S:g}"
            )
        timeouts_s[name] = float(value)
    return Settings(Path(directory), environment, timeouts_s)


class ScriptDriver:
    def __init__(self, name: ResourceName, settings: Settings) -> None:
        self._name = name
        self._settings = settings

    def name_of(self, action: Action) -> str:
        match action:
            case Action.START:
                return "online"
            case Action.TERMINATE if self._has("terminate"):
                return "terminate"
            case Action.STOP | Action.TERMINATE:
                return "offline"
            case Action.ASK:
                return "is-alive"

    def timeout_s(self, action: Action) -> float:
        return self._settings.timeouts_s[_TIMEOUT_OF[action]]

    def problems(self) -> Sequence[str]:
        there = self._settings.directory
        if not there.is_dir():
            return [f"there is no directory {there}"]
        found = [f"there is no executable {there / name}" for name in NEEDED if not self._has(name)]
        open_to_all = (there, *(there / name for name in (*NEEDED, *OPTIONAL) if self._has(name)))
        found += [f"{path} can be changed by everybody" for path in open_to_all if path.stat().st_mode & stat.S_IWOTH]
        return found

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
        entry = self.name_of(action)
        if action is Action.ASK and not thorough and self._has("looks-alive"):
            entry = "looks-alive"
        environment = {
            "PATH": SEARCH_PATH,
            "LANG": "C.UTF-8",
            **self._settings.environment,
            "OUTLAST_NAME": self._name,
            "OUTLAST_NODE": os.uname().nodename,
            "OUTLAST_ENTRY": entry,
            "OUTLAST_STARTED": "yes" if started and action is not Action.START else "no",
            "OUTLAST_TIMEOUT_S": f"{timeout_s:g}",
            **extra,
        }
        file = self._settings.directory / entry
        directory = str(self._settings.directory)
        return Running([str(file)], timeout_s=timeout_s, environment=environment, directory=directory, cgroup=cgroup)

    def reason(self, ended: Ended) -> str:
        """The last line that it wrote."""
        return ended.last_words

    def told(self, acted: Acted) -> str:
        code = f"exit code {acted.code}" if acted.code >= 0 else f"it was ended by signal {-acted.code}"
        return f"{acted.words} ({code})" if acted.words else code

    def done(self, acted: Acted) -> bool:
        return acted.code == 0 and not acted.timed_out

    def health(self, acted: Acted, *, started: bool) -> Health:
        found = MEANINGS.get(acted.code, OTHER)
        condition = found.started if started else found.not_started
        if condition is Condition.ONLINE:
            return Health(condition, running=True)
        why = f"{acted.words or found.words} (exit code {acted.code})"
        return Health(condition, why, running=found.running and started)

    def gone(self, acted: Acted) -> bool:
        return acted.code == NOTHING_RUNS

    def _has(self, entry: str) -> bool:
        file = self._settings.directory / entry
        return file.is_file() and os.access(file, os.X_OK)
