"""What does an OCF agent say about itself? Its meta-data (XML), as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|msec|s|sec|m|min|h)?")
_SECONDS = {"ms": 0.001, "msec": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
UNTOLD_TIMEOUT_S = 20.0
"""What Pacemaker gives an action of which nobody says anything."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    """string, boolean or integer; what else an agent may say is taken for string."""
    required: bool
    default: str
    words: str


@dataclass(frozen=True, slots=True)
class Agent:
    provider: str
    name: str
    words: str
    parameters: Mapping[str, Parameter]
    timeouts_s: Mapping[str, float]
    """By action, what the agent advises; of several the longest. What it cannot do is not in it."""

    @property
    def full_name(self) -> str:
        return f"{self.provider}:{self.name}"

    def timeout_s(self, action: str) -> float:
        return self.timeouts_s.get(action, UNTOLD_TIMEOUT_S)

    @property
    def promotable(self) -> bool:
        return "promote" in self.timeouts_s or "demote" in self.timeouts_s


def parse(provider: str, name: str, document: bytes) -> Agent:
    """Raises ValueError when that is no meta-data of an OCF agent."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ValueError(f"it does not describe itself ({error})") from None
    if root.tag != "resource-agent":
        raise ValueError(f"it does not describe itself (a <{root.tag}> where <resource-agent> belongs)")
    timeouts_s: dict[str, float] = {}
    for action in root.iter("action"):
        told = action.get("name", "")
        timeouts_s[told] = max(timeouts_s.get(told, 0.0), seconds(action.get("timeout", "")))
    parameters = [_parameter(found) for found in root.iter("parameter") if found.get("name")]
    return Agent(
        provider=provider,
        name=name,
        words=" ".join((root.findtext("shortdesc") or "").split()),
        parameters={parameter.name: parameter for parameter in parameters},
        timeouts_s=timeouts_s,
    )


def seconds(text: str) -> float:
    """A time as meta-data has it ("20", "20s", "1min"), in seconds."""
    found = _TIME.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[found[2] or "s"] if found else UNTOLD_TIMEOUT_S


def _parameter(found: ElementTree.Element) -> Parameter:
    content = found.find("content")
    return Parameter(
        name=found.get("name", ""),
        type="string" if content is None else content.get("type", "string"),
        required=found.get("required") == "1",
        default="" if content is None else content.get("default", ""),
        words=" ".join((found.findtext("shortdesc") or "").split()),
    )
