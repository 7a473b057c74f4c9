"""What do Pacemaker's fence devices amount to: which `outlast fence add` makes the same?

Nothing is added here: a device counts only if it answers, and secrets belong in no command line. So commands are told,
with `password=-` where a secret was.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from outlast.core.fence.fence_parameters import is_secret
from outlast.core.importing.cib import Primitive, Tree, seconds
from outlast.core.importing.places import changed, kept, lost
from outlast.model.imported import Finding

_STONITH = "stonith:"
_HOSTS = ("pcmk_host_list", "pcmk_host_map", "pcmk_host_check", "pcmk_host_argument")
_DELAYS = ("pcmk_delay_base", "delay")
_OWN = (*_HOSTS, *_DELAYS, "action", "pcmk_off_action", "pcmk_reboot_action")


def devices(root: Tree, everything: Sequence[Primitive]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The commands, and what became of each device."""
    commands: list[str] = []
    findings: list[Finding] = []
    levels = _levels(root)
    for one in everything:
        if not one.agent.startswith(_STONITH):
            continue
        agent = one.agent.removeprefix(_STONITH)
        if not agent.startswith("fence_") or agent == "fence_sbd":
            findings.append(lost(one.id, f"{agent} is not spoken to here; a watchdog or another fence agent does it"))
            continue
        made = list(_commands(one, agent, levels))
        commands += made
        hosts = _hosts(one)
        words = f"{agent}: see the commands below; secrets are asked for"
        findings.append(changed(one.id, words if hosts else f"{words}; say for which NODE, the device alone knows"))
        findings += _about(one)
    return tuple(commands), tuple(findings)


def _commands(one: Primitive, agent: str, levels: Mapping[tuple[str, str], int]) -> Iterator[str]:
    words = [
        f"{name}={'-' if is_secret(name) else value}" for name, value in one.parameters.items() if _passed_on(name)
    ]
    delay = next((seconds(one.parameters[name]) for name in _DELAYS if name in one.parameters), None)
    options = [f"--delay-s {delay:g}"] if delay else []
    for node, plug in (_hosts(one) or {"NODE": ""}).items():
        plugged = [f"plug={plug}"] if plug and not {"plug", "port"} & set(one.parameters) else []
        level = levels.get((node, one.id), 1)
        more = [*options, *([f"--level {level}"] if level != 1 else []), f"--name {shlex.quote(one.id)}"]
        yield " ".join(["outlast fence add", shlex.quote(node), agent, *map(shlex.quote, [*words, *plugged]), *more])


def _hosts(one: Primitive) -> dict[str, str]:
    """Node to its outlet; "" when the device has one only."""
    pairs = [pair.strip() for pair in one.parameters.get("pcmk_host_map", "").split(";") if ":" in pair]
    mapped = {node: plug for node, _, plug in (pair.partition(":") for pair in pairs)}
    listed = one.parameters.get("pcmk_host_list", "").replace(",", " ").replace(";", " ").split()
    return {**dict.fromkeys(listed, ""), **mapped}


def _levels(root: Tree) -> dict[tuple[str, str], int]:
    """(node, device) to its level."""
    found: dict[tuple[str, str], int] = {}
    for level in root.iterfind(".//fencing-topology/fencing-level"):
        index = level.get("index", "1")
        for device in level.get("devices", "").split(","):
            found[level.get("target", ""), device.strip()] = int(index) if index.isdecimal() else 1
    return found


def _passed_on(name: str) -> bool:
    return name not in _OWN and not name.startswith("pcmk_")


def _about(one: Primitive) -> Iterator[Finding]:
    for name in one.parameters:
        if name in _HOSTS or name in _DELAYS:
            yield kept(f"{one.id} {name}", "in the command")
        elif not _passed_on(name):
            yield lost(f"{one.id} {name}", "how a device is called is settled here: off, then status until it is off")
