"""What do a resource's properties say about an OCF agent, and can it work with them? Judged by the agent's meta-data.

Ours are `agent`, `check_level` and the time-outs; everything else is the agent's own parameter. No agent of Debian's
package has a parameter of one of our names (a test looks).
"""

import difflib
import re
from collections.abc import Mapping

import msgspec

from outlast.plugin import Json
from outlast.resources.ocf.metadata import Agent, Parameter

TIMEOUTS = ("start_timeout_s", "stop_timeout_s", "monitor_timeout_s")
OURS = ("agent", "check_level", *TIMEOUTS)
LONGEST_TIMEOUT_S = 3600.0
HIGHEST_LEVEL = 100
_BOOLEANS = {"1", "0", "yes", "no", "on", "off", "true", "false", "y", "n", "t", "f", "ja"}
"""What `ocf_is_true` knows, and its opposites."""


class Settings(msgspec.Struct, frozen=True):
    agent: str
    """provider:name."""
    parameters: Mapping[str, str]
    check_level: int = 0
    """OCF_CHECK_LEVEL of a thorough question."""
    timeouts_s: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By action, where the agent's own advice does not do."""

    def timeout_s(self, action: str, agent: Agent) -> float:
        return self.timeouts_s.get(action, agent.timeout_s(action))


def read(properties: Mapping[str, Json]) -> Settings:
    """Raises ValueError, in words."""
    agent = properties.get("agent")
    if not isinstance(agent, str) or not agent:
        raise ValueError("the property agent is missing: which agent, as heartbeat:IPaddr2?")
    provider, _, name = agent.rpartition(":")
    provider = (provider or "heartbeat").removeprefix("ocf:")
    for word in (provider, name):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", word):
            raise ValueError(f'agent cannot be "{agent}": it is PROVIDER:NAME, as heartbeat:IPaddr2')
    level = properties.get("check_level", 0)
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= HIGHEST_LEVEL:
        raise ValueError(f'check_level cannot be "{level}": it takes a whole number from 0 to {HIGHEST_LEVEL}')
    return Settings(
        agent=f"{provider}:{name}",
        parameters={key: _text(key, value) for key, value in properties.items() if key not in OURS},
        check_level=level,
        timeouts_s={
            key.removesuffix("_timeout_s"): _time(key, properties[key]) for key in TIMEOUTS if key in properties
        },
    )


def problems(settings: Settings, agent: Agent) -> tuple[str, ...]:
    """What keeps these parameters from working, for people; empty when nothing does."""
    known = agent.parameters
    found = []
    for name, value in settings.parameters.items():
        if name not in known:
            found.append(f"{agent.name} has no parameter {name}{_similar(name, known)}")
        elif words := _value_problem(known[name], value):
            found.append(words)
    missing = (p for p in known.values() if p.required and not p.default and p.name not in settings.parameters)
    found += [f"{agent.name} needs {p.name}{f' ({p.words})' if p.words else ''}" for p in missing]
    return tuple(found)


def _value_problem(parameter: Parameter, value: str) -> str:
    if "\n" in value or "\0" in value:
        return f"{parameter.name} cannot have line breaks"
    if parameter.type == "boolean" and value.lower() not in _BOOLEANS:
        return f'{parameter.name} cannot be "{value}": it takes yes or no'
    if parameter.type == "integer" and not re.fullmatch(r"-?\d+", value):
        return f'{parameter.name} cannot be "{value}": it takes a whole number'
    return ""


def _similar(name: str, known: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _text(name: str, value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{name} cannot be a list or the like: agents take one text for each parameter")


def _time(name: str, value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_TIMEOUT_S:
        raise ValueError(f'{name} cannot be "{value}": it takes seconds, more than 0 and at most {LONGEST_TIMEOUT_S:g}')
    return float(value)
