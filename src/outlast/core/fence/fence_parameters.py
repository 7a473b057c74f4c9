"""Can a fence device work with these parameters? Judged by its agent's metadata, before anybody needs it."""

import difflib
import re
from collections.abc import Mapping, Sequence

import msgspec

from outlast.model.fence import FenceAgent, FenceDevice, FenceParameter

OURS = {
    "action": "Outlast says itself what is to be done",
    "option": "Outlast says itself what is to be done",
    "help": "it makes the agent print its help and do nothing",
    "version": "it makes the agent print its version and do nothing",
    "debug": "it would write what is said to the device, passwords too, to a file",
    "debug_file": "it would write what is said to the device, passwords too, to a file",
    "verbose": "it would print what is said to the device, passwords too",
    "verbose_level": "it would print what is said to the device, passwords too",
}
"""Parameters that nobody may set, and why."""

WHICH = ("ip", "ipport", "plug", "switch", "devices", "systems_uri", "region", "pve_node", "key")
"""What says which device, and which of its outlets, is meant; all else says how it is spoken to."""

# Metadata do not tell what is secret: agents mark neither passwords nor keys. So the name tells.
_SECRET = re.compile(r"pass(wd|word|phrase)?|secret|token|community|api_?key|access_?key|private_?key|hexadecimal_kg")
_NO_SECRET = re.compile(r"(_script|_file|_path|_prot|_timeout)$")
_BOOLEANS = {"1", "0", "yes", "no", "on", "off", "true", "false"}


def is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return bool(_SECRET.search(plain)) and not _NO_SECRET.search(plain)


def translated(parameters: Mapping[str, str], agent: FenceAgent) -> dict[str, str]:
    """Older names of parameters in their present form, as far as it is known."""
    present = {known.replaces: known.name for known in agent.parameters if known.replaces}
    names = {known.name for known in agent.parameters}
    found = {}
    for name, value in parameters.items():
        spelt = name if name in names else _other_spelling(name, names)
        new = present.get(spelt, spelt)
        found[new if new not in parameters else spelt] = value
    return found


def problems(parameters: Mapping[str, str], agent: FenceAgent) -> tuple[str, ...]:
    """What keeps these (translated) parameters from working, for people; empty when nothing does."""
    known = {parameter.name: parameter for parameter in agent.parameters}
    found = []
    for name, value in parameters.items():
        if name in OURS:
            found.append(f"{name} cannot be set: {OURS[name]}")
        elif name not in known:
            found.append(f"{agent.name} has no parameter {name}{_similar(name, known)}")
        else:
            words = _value_problem(known[name], value)
            found.extend([words] if words else [])
    for old, new in ((p.replaces, p.name) for p in agent.parameters if p.replaces):
        if old in parameters and new in parameters and parameters[old] != parameters[new]:
            found.append(f"{old} and {new} mean the same and have two values; leave {old} out")
    return (*found, *_missing(parameters, agent))


def device_problems(device: FenceDevice, others: Sequence[FenceDevice]) -> tuple[str, ...]:
    """What is wrong with the device besides its parameters."""
    found = []
    if not 1 <= device.level <= 9:
        found.append(f"level cannot be {device.level}: levels are 1 to 9, 1 is tried first")
    if not 1 <= device.timeout_s <= 300:
        found.append(f"the time-out cannot be {device.timeout_s:g} s: 1 to 300 are possible")
    if not 0 <= device.delay_s <= 60:
        found.append(f"the delay cannot be {device.delay_s:g} s: 0 to 60 are possible")
    if not 1 <= device.attempts <= 10:
        found.append(f"the number of attempts cannot be {device.attempts}: 1 to 10 are possible")
    if any((other.name or other.agent) == (device.name or device.agent) for other in others):
        found.append(f"there is a device {device.name or device.agent} already; choose another name")
    if twin := next((other for other in others if other.level == device.level and _same(other, device)), None):
        found.append(
            f"it is the same device as {twin.name or twin.agent}, which level {device.level} has already: all of a "
            "level must confirm, and one cannot vouch for itself. Change that one, or say by what they differ "
            f"({', '.join(WHICH[:3])}, ...)"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", device.name or device.agent):
        found.append(f'"{device.name}" is no name for a device: letters, digits, ".", "_" and "-", 63 at most')
    return tuple(found)


def named(devices: Sequence[FenceDevice]) -> tuple[FenceDevice, ...]:
    """Each with a name of its own: its agent's, if it has none, and a number where that is taken."""
    taken: set[str] = set()
    found = []
    for device in devices:
        wanted = name = device.name or device.agent.rpartition("/")[2]
        number = 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name)
        found.append(msgspec.structs.replace(device, name=name))
    return tuple(found)


def _same(one: FenceDevice, other: FenceDevice) -> bool:
    """Parameters by their present names. Who needs nothing to be found is the same when all is the same."""
    return one.agent == other.agent and _where(one) == _where(other)


def _where(device: FenceDevice) -> dict[str, str]:
    plain = {name: value for name, value in device.parameters.items() if not is_secret(name)}
    return {name: plain[name] for name in WHICH if name in plain} or plain


def _value_problem(parameter: FenceParameter, value: str) -> str:
    shown = "" if is_secret(parameter.name) else f' be "{value}"'
    if value != value.strip() or "\n" in value or (len(value) > 1 and value[0] == value[-1] == '"'):
        return f"{parameter.name} cannot{shown}: agents do not take line breaks, quotes or spaces around a value"
    if parameter.type == "boolean" and value.lower() not in _BOOLEANS:
        return f"{parameter.name} cannot{shown}: it takes 1 or 0"
    if parameter.type in ("integer", "second") and not re.fullmatch(r"-?\d+", value):
        unit = " of seconds" if parameter.type == "second" else ""
        return f"{parameter.name} cannot{shown}: it takes a whole number{unit}"
    if parameter.type == "select" and parameter.choices and value not in parameter.choices:
        return f"{parameter.name} cannot{shown}: it takes {', '.join(parameter.choices)}"
    return ""


def _missing(parameters: Mapping[str, str], agent: FenceAgent) -> list[str]:
    return [
        f"{agent.name} needs {parameter.name}" + (f" ({parameter.words})" if parameter.words else "")
        for parameter in agent.parameters
        if parameter.required and not parameter.deprecated and not parameter.default
        if parameter.name not in parameters and parameter.replaces not in parameters and parameter.name not in OURS
    ]


def _other_spelling(name: str, names: set[str]) -> str:
    """Agents take "-" for "_" and the other way round."""
    return next((known for known in sorted(names) if known.replace("-", "_") == name.replace("-", "_")), name)


def _similar(name: str, known: Mapping[str, FenceParameter]) -> str:
    close = difflib.get_close_matches(name, [name for name, one in known.items() if not one.deprecated], n=1)
    return f"; did you mean {close[0]}?" if close else ""
