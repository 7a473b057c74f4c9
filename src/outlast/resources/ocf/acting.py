"""How is an action of an OCF agent carried out? As the OCF resource agent API 1.1 has it, with what agents besides
expect of Pacemaker: its action's time-out and interval, and nothing else of it.

An interval of 0 tells an agent that this is a probe, so it may say "not running" of what it cannot look at; it must be
more than 0 when something is known to have been started.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from outlast.resources.by_programs.driver import NotUsable
from outlast.resources.ocf.metadata import Agent, parse
from outlast.resources.ocf.refused import why_not
from outlast.resources.programs import SEARCH_PATH, Ended, Running, run

ROOT = Path("/usr/lib/ocf")
SCRATCH = Path("/run/resource-agents")
"""Where agents keep what they remember until the next boot (their HA_RSCTMP)."""
METADATA_TIMEOUT_S = 10.0
METADATA_KEPT_BYTES = 1024 * 1024
RECURRING_MS = 10_000
_REASON = "ocf-exit-reason:"


def installed(root: Path = ROOT) -> list[str]:
    """PROVIDER:NAME of every agent on this node."""
    files = (file for file in (root / "resource.d").glob("*/*") if not file.name.startswith("."))
    return sorted(f"{file.parent.name}:{file.name}" for file in files if os.access(file, os.X_OK) and file.is_file())


def describe(full_name: str, root: Path = ROOT) -> Agent:
    """The agent's meta-data. Raises `NotUsable`."""
    provider, _, name = full_name.rpartition(":")
    file = root / "resource.d" / provider / name
    if not file.is_file():
        raise NotUsable(
            f"there is no agent {full_name} on this node ({file}); Debian's are in the package resource-agents"
        )
    try:
        ended = run(
            [str(file), "meta-data"],
            timeout_s=METADATA_TIMEOUT_S,
            environment=_environment(provider, name, name, root),
            kept_bytes=METADATA_KEPT_BYTES,
        )
    except OSError as error:
        raise NotUsable(f"{full_name} cannot be run: {error.strerror}") from None
    if ended.timed_out:
        raise NotUsable(f"{full_name} did not describe itself within {METADATA_TIMEOUT_S:g} s")
    try:
        return parse(provider, name, ended.output)
    except ValueError as error:
        said = f", but says: {ended.last_words}" if ended.last_words else ""
        raise NotUsable(f"{full_name} is no OCF agent: {error}{said}") from None


def usable(full_name: str, root: Path = ROOT) -> Agent:
    """An agent that this cluster can use. Raises `NotUsable`."""
    agent = describe(full_name, root)
    problem = why_not(agent, root / "resource.d" / agent.provider / agent.name)
    if problem:
        raise NotUsable(problem)
    return agent


def begin(
    agent: Agent,
    action: str,
    *,
    instance: str,
    parameters: Mapping[str, str],
    timeout_s: float,
    level: int = 0,
    recurring: bool = False,
    extra: Mapping[str, str] | None = None,
    cgroup: str = "",
    root: Path = ROOT,
) -> Running:
    """`level`: OCF_CHECK_LEVEL. `extra`: more of its environment. Raises OSError."""
    SCRATCH.mkdir(mode=0o755, parents=True, exist_ok=True)
    environment = {
        **_environment(agent.provider, agent.name, instance, root),
        **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        "OCF_RESKEY_CRM_meta_timeout": str(int(timeout_s * 1000)),
        "OCF_RESKEY_CRM_meta_interval": str(RECURRING_MS if recurring else 0),
        "OCF_RESKEY_CRM_meta_name": action,
        "OCF_RESKEY_CRM_meta_on_node": os.uname().nodename,
        "OCF_CHECK_LEVEL": str(level),
        **(extra or {}),
    }
    file = root / "resource.d" / agent.provider / agent.name
    return Running([str(file), action], timeout_s=timeout_s, environment=environment, cgroup=cgroup)


def reason(ended: Ended) -> str:
    """The agent's own (`ocf-exit-reason:`), or the last line that it wrote when it did not succeed."""
    reasons = [line.partition(_REASON)[2].strip() for line in ended.errors.splitlines() if _REASON in line]
    if reasons:
        return reasons[-1]
    return ended.last_words if ended.code else ""


def _environment(provider: str, name: str, instance: str, root: Path) -> dict[str, str]:
    return {
        "PATH": SEARCH_PATH,
        "LANG": "C",
        "LC_ALL": "C",
        "HOME": "/root",
        "OCF_ROOT": str(root),
        "OCF_RA_VERSION_MAJOR": "1",
        "OCF_RA_VERSION_MINOR": "1",
        "OCF_RESOURCE_INSTANCE": instance,
        "OCF_RESOURCE_TYPE": name,
        "OCF_RESOURCE_PROVIDER": provider,
        "OCF_OUTPUT_FORMAT": "text",
        "HA_RSCTMP": str(SCRATCH),
    }
